using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Elf;

/// <summary>
/// The stacks that the CPUs were on. Since 4.9 they lie in vmalloc space, which no program header of /proc/vmcore describes: a debugger that
/// goes by those headers alone ends a backtrace at its first frame.
/// </summary>
internal static class KernelStacks
{
    /// <summary>Bytes looked at on each side of a stack pointer: the largest stack, that of a machine with 64 KiB pages.</summary>
    private const ulong LargestStack = 64 << 10;

    /// <summary>Physical ranges and the virtual addresses they have as stacks; none when the dump's page tables do not serve.</summary>
    /// <param name="source">The dump.</param>
    /// <param name="isDescribed">Whether a physical address has that virtual address already.</param>
    public static IReadOnlyList<(ulong Start, ulong End, ulong Address)> Find(VmcoreFile source, Func<ulong, ulong, bool> isDescribed)
    {
        var stacks = new List<(ulong Start, ulong End, ulong Address)>();
        try
        {
            var memory = source.OpenKernelMemory();
            var seen = new HashSet<ulong>();
            foreach (var processor in source.Processors)
            {
                var at = processor.StackPointer & ~((ulong)memory.PageSize - 1);
                if (at > long.MaxValue)
                    AddStack(memory, at, seen, isDescribed, stacks);
            }
        }
        catch (VmcoreFormatException)
        {
            // Memory that cannot be translated has no stacks to show.
        }
        return stacks;
    }

    // A stack ends where nothing is mapped: vmalloc leaves a page without memory behind each of its areas.
    private static void AddStack(
        KernelMemory memory, ulong at, HashSet<ulong> seen, Func<ulong, ulong, bool> isDescribed, List<(ulong Start, ulong End, ulong Address)> stacks)
    {
        var page = (ulong)memory.PageSize;
        var first = at;
        while (at - first < LargestStack && first > page && memory.Translate(first - page, out _) == TranslationResult.Mapped)
            first -= page;
        for (var address = first; unchecked(address - at) < LargestStack || address < at; address += page)
        {
            if (memory.Translate(address, out var physical) != TranslationResult.Mapped || isDescribed(physical, address))
                return;
            if (!seen.Add(address))
                continue; // two CPUs' notes name one stack
            if (stacks.Count > 0 && stacks[^1] is var last && last.End == physical && last.Address + (last.End - last.Start) == address)
                stacks[^1] = last with { End = physical + page };
            else
                stacks.Add((physical, physical + page, address));
        }
    }
}
