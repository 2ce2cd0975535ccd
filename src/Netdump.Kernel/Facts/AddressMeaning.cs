using System.Globalization;
using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>An object of a slab cache that an address lies in.</summary>
/// <param name="Cache">The cache.</param>
/// <param name="Object">Where the object begins.</param>
/// <param name="Offset">Bytes from there to the address.</param>
/// <param name="Size">Bytes of the object.</param>
/// <param name="IsFree">Whether it is on a list of free ones.</param>
public sealed record SlabObject(string Cache, ulong Object, ulong Offset, uint Size, bool IsFree);

/// <summary>An area of the kernel's virtual map (vmalloc, vmap, ioremap) that an address lies in.</summary>
/// <param name="Start">Its first address.</param>
/// <param name="End">The address behind it.</param>
/// <param name="Caller">Who made it; null when that is not known.</param>
public sealed record MappedArea(ulong Start, ulong End, string? Caller);

/// <summary>What is known of a page.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Physical">Physical address of the byte that was asked for.</param>
/// <param name="Structure">Its struct page; null when that is not known.</param>
/// <param name="Flags">Its flags by name.</param>
/// <param name="References">How many references there are to it.</param>
public sealed record PageMeaning(ulong Number, ulong Physical, ulong? Structure, IReadOnlyList<string> Flags, int? References);

/// <summary>What an address of the dead kernel is.</summary>
/// <param name="Address">The address.</param>
/// <param name="Symbol">The symbol it lies in, with offset and size.</param>
/// <param name="Task">The task whose stack it lies in.</param>
/// <param name="TaskStruct">The task whose structure it lies in.</param>
/// <param name="Slab">The object it lies in.</param>
/// <param name="Area">The mapped area it lies in.</param>
/// <param name="Page">Its page.</param>
/// <param name="Reason">Why nothing can be said of its page.</param>
public sealed record AddressMeaning(
    ulong Address, string? Symbol, string? Task, string? TaskStruct, SlabObject? Slab, MappedArea? Area, PageMeaning? Page, string? Reason)
{
    private const int MostTasks = 1 << 17;
    private const int MostAreas = 1 << 17;
    private const ulong StackSize = 16 << 10; // THREAD_SIZE of x86_64 and of arm64 with pages of 4 KiB

    /// <summary>Finds out.</summary>
    public static AddressMeaning Of(CrashedKernel kernel, ulong address)
    {
        var symbol = kernel.Symbols is { } symbols && symbols.TryResolve(address, out _) ? symbols.Render(address, isReturnAddress: false) : null;
        var (stack, structure) = TaskOf(kernel, address);
        if (PageStructures.NumberOf(kernel, address) is not { } number)
        {
            _ = kernel.Memory.TryRead(address, new byte[1], out var fault);
            var reason = address < 1UL << 47 ? "an address of processes: what it means depends on the process" : fault.ToString();
            return new AddressMeaning(address, symbol, stack, structure, null, AreaOf(kernel, address), null, reason);
        }
        var pages = PageStructures.Open(kernel);
        var page = pages?.Of(number) ?? default;
        var (head, before) = pages?.HeadOf(page) ?? default;
        var physical = number * (ulong)kernel.Memory.PageSize + address % (ulong)kernel.Memory.PageSize;
        var slab = pages?.CacheOf(head) is { Exists: true } cache ? ObjectOf(kernel, cache, head, address, before) : null;
        return new AddressMeaning(
            address, symbol, stack, structure, slab, slab is null ? AreaOf(kernel, address) : null,
            new PageMeaning(number, physical, page.Exists ? page.Address : null, pages?.FlagsOf(head) ?? [], (int?)head["_refcount"].Signed), null);
    }

    /// <summary>One paragraph for people.</summary>
    public override string ToString()
    {
        var parts = new List<string>();
        if (Symbol is not null)
            parts.Add($"is {Symbol}");
        if (Task is not null)
            parts.Add($"lies in the stack of {Task}");
        if (TaskStruct is not null)
            parts.Add($"lies in the task_struct of {TaskStruct}");
        if (Slab is { } slab)
            parts.Add($"lies 0x{slab.Offset:x} bytes into a{(slab.IsFree ? " free" : "n allocated")} object of cache {slab.Cache} at 0x{slab.Object:x}, which has {slab.Size} bytes");
        if (Area is { } area)
            parts.Add($"lies in the mapped area 0x{area.Start:x}-0x{area.End:x}{(area.Caller is null ? "" : $", made by {area.Caller}")}");
        if (Page is { } page)
            parts.Add(
                $"is in page 0x{page.Number:x}, physical 0x{page.Physical:x}"
                + (page.Structure is { } structure ? $", struct page 0x{structure:x} ({(page.Flags.Count == 0 ? "no flags" : string.Join(", ", page.Flags))}; {page.References} references)" : ""));
        if (Reason is not null)
            parts.Add(Reason);
        return $"0x{Address:x}: {string.Join("; ", parts)}.";
    }

    private static SlabObject? ObjectOf(CrashedKernel kernel, KernelObject cache, KernelObject head, ulong address, ulong before)
    {
        var size = cache["size"].Unsigned ?? 0;
        if (size == 0)
            return null;
        var start = (address & ~(ulong)(kernel.Memory.PageSize - 1)) - before * (ulong)kernel.Memory.PageSize;
        // With red zones an object begins behind the first of them.
        var left = cache["red_left_pad"].Unsigned ?? 0;
        var at = start + (address - start) / size * size;
        var slab = head.Cast("slab") is { Exists: true } own ? own : head;
        return new SlabObject(
            cache["name"].Text ?? "?", at + left, unchecked(address - at - left), (uint)(cache["object_size"].Unsigned ?? 0),
            SlabFree.Contains(kernel, cache, slab, at + left));
    }

    private static (string? Stack, string? Structure) TaskOf(CrashedKernel kernel, ulong address)
    {
        var first = kernel.Variable("init_task", "task_struct");
        if (kernel.Types is not { } types || first["tasks"] is not { Exists: true } list || types.SizeOf("task_struct") is not { } size)
            return (null, null);
        string? stack = null, structure = null;
        foreach (var leader in types.ListEntries(list.Address, "task_struct", "tasks", MostTasks).Prepend(first))
            foreach (var task in leader["signal"]["thread_head"] is { Exists: true } threads
                ? types.ListEntries(threads.Address, "task_struct", "thread_node", MostTasks) : [leader])
            {
                if (task["stack"].Pointer is { } bottom && address - bottom < StackSize)
                    stack ??= Name(task);
                if (address - task.Address < (ulong)size)
                    structure ??= Name(task);
                if (stack is not null && structure is not null)
                    return (stack, structure);
            }
        return (stack, structure);

        static string Name(KernelObject task) => string.Create(CultureInfo.InvariantCulture, $"{task["comm"].Text} (PID {task["pid"].Signed})");
    }

    private static MappedArea? AreaOf(CrashedKernel kernel, ulong address)
    {
        foreach (var area in Areas(kernel))
            if (area["va_start"].Unsigned is { } start && area["va_end"].Unsigned is { } end && address >= start && address < end)
                return new MappedArea(
                    start, end, area["vm"]["caller"].Pointer is { } caller && caller != 0 ? kernel.Symbols?.Render(caller, isReturnAddress: true) : null);
        return null;
    }

    // One list, and since 6.9 several trees of them.
    private static IEnumerable<KernelObject> Areas(CrashedKernel kernel)
    {
        if (kernel.Types is not { } types)
            return [];
        if (kernel.TryFind("vmap_area_list", out var list))
            return types.ListEntries(list, "vmap_area", "list", MostAreas);
        var size = types.SizeOf("vmap_node") ?? 0;
        var count = Math.Clamp(kernel.ReadInt("nr_vmap_nodes") ?? 0, 0, 1024);
        return size > 0 && kernel.ReadLong("vmap_nodes") is { } nodes && types.OffsetOf("vmap_node", "busy.root") is { } root
            ? Enumerable.Range(0, count).SelectMany(i => types.RbEntries(nodes + (ulong)(i * size + root), "vmap_area", "rb_node", MostAreas))
            : [];
    }
}
