using System.Buffers.Binary;
using Netdump.Kernel.Symbols;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Types;

/// <summary>Finds the kernel's BTF in its memory.</summary>
internal static class BtfSearch
{
    // The kernel image's text and read-only data.
    private const ulong Searched = 80 << 20;

    /// <summary>Magic, version 1, no flags, a header of 24 bytes, types directly behind it.</summary>
    private static ReadOnlySpan<byte> Start => [0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>The kernel's BTF: where symbols say, or else the largest that lies in its image.</summary>
    /// <returns>Null, and why, when there is none.</returns>
    public static MemoryView? Find(KernelMemory memory, KernelSymbols? symbols, VmcoreInfo info, out string? trouble)
    {
        Span<byte> header = stackalloc byte[BtfTable.HeaderLength];
        // The section's start; or what struct btf, whose first member it is, points to.
        if (symbols is not null
            && (symbols.TryFind("__start_BTF", out var place)
                || (symbols.TryFind("btf_vmlinux", out place) && memory.TryReadUInt64(place, out place) && memory.TryReadUInt64(place, out place)))
            && memory.TryRead(place, header) && BtfTable.Measure(header, out var length) is null)
        {
            trouble = null;
            return memory.ViewWithHoles(place, length);
        }
        return Search(memory, info, out trouble);
    }

    /// <summary>The largest BTF in the kernel's image.</summary>
    /// <returns>Null, and why, when there is none.</returns>
    public static MemoryView? Search(KernelMemory memory, VmcoreInfo info, out string? trouble)
    {
        if (info.Symbol("_stext") is not { } text)
        {
            trouble = "VMCOREINFO has no SYMBOL(_stext), from where BTF is searched";
            return null;
        }
        var (best, bestLength) = (0UL, 0);
        var window = new byte[memory.PageSize + BtfTable.HeaderLength];
        Span<byte> header = stackalloc byte[BtfTable.HeaderLength];
        for (var at = text & ~(ulong)(memory.PageSize - 1); at - text < Searched || at < text; at += (ulong)memory.PageSize)
        {
            var got = memory.Read(at, window.AsSpan(0, memory.PageSize));
            if (got == 0)
                continue;
            got += memory.Read(at + (ulong)got, window.AsSpan(got, BtfTable.HeaderLength));
            for (var from = 0; window.AsSpan(from, got - from).IndexOf(Start) is var found and >= 0; from += found + 1)
            {
                var place = at + (ulong)(from + found);
                if (memory.TryRead(place, header) && BtfTable.Measure(header, out var length) is null && length > bestLength
                    && BinaryPrimitives.ReadUInt32LittleEndian(header[16..]) == BinaryPrimitives.ReadUInt32LittleEndian(header[12..]))
                    (best, bestLength) = (place, length);
            }
            if (bestLength > 1 << 20)
                break; // a module's has a hundredth of it
        }
        trouble = bestLength == 0 ? $"no BTF within 80 MiB from _stext (0x{text:x}): the kernel was built without CONFIG_DEBUG_INFO_BTF, or the dump lacks it" : null;
        return bestLength == 0 ? null : memory.ViewWithHoles(best, bestLength);
    }
}
