using Netdump.Kernel.Types;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Facts;

/// <summary>The kernel's structures of pages (struct page), in the virtual map that x86_64 and arm64 have of them.</summary>
public sealed class PageStructures
{
    // The last values of 64 bits are masks, no addresses: how 7.0 and newer say where a compound page begins.
    private const ulong LeastMask = 0xffff_ffff_0000_0000;

    private readonly KernelTypes _types;
    private readonly ulong _start;
    private readonly ulong _firstPage;
    private readonly int _size;
    private readonly int _pageSize;

    private PageStructures(KernelTypes types, ulong start, ulong firstPage, int size, int pageSize) =>
        (_types, _start, _firstPage, _size, _pageSize) = (types, start, firstPage, size, pageSize);

    /// <summary>Finds the map; null when its place is not known.</summary>
    public static PageStructures? Open(CrashedKernel kernel)
    {
        if (kernel.Types is not { } types || types.SizeOf("page") is not ({ } and > 0 and <= 256 and var size))
            return null;
        var start = kernel.Machine == Machines.Arm64 ? kernel.Info.UnsignedNumber("VMEMMAP_START") : kernel.ReadLong("vmemmap_base");
        var memory = kernel.Machine == Machines.Arm64 ? kernel.Info.UnsignedNumber("PHYS_OFFSET") ?? 0 : 0;
        return start is > 0 ? new PageStructures(types, start.Value, memory / (ulong)kernel.Memory.PageSize, size, kernel.Memory.PageSize) : null;
    }

    /// <summary>The number of the page that a kernel address lies in; null when nothing is mapped there.</summary>
    public static ulong? NumberOf(CrashedKernel kernel, ulong address) =>
        kernel.Memory.Translate(address, out var physical) == TranslationResult.Mapped ? physical / (ulong)kernel.Memory.PageSize : null;

    /// <summary>The structure of a page.</summary>
    public KernelObject Of(ulong number) => _types.At("page", unchecked(_start + (number - _firstPage) * (ulong)_size));

    /// <summary>The structure of the first page of the compound page that a page is part of, and how many pages before it that lies.</summary>
    public (KernelObject Head, ulong Before) HeadOf(KernelObject page)
    {
        if (page.First("compound_info", "compound_head").Unsigned is not { } info || (info & 1) == 0)
            return (page, 0);
        var head = info >= LeastMask ? page.Address & info : info - 1;
        var before = unchecked(page.Address - head) / (ulong)_size;
        return before < 1UL << 20 ? (_types.At("page", head), before) : (page, 0);
    }

    /// <summary>The cache whose slab begins with a page; one that does not exist when it is no slab.</summary>
    public KernelObject CacheOf(KernelObject head)
    {
        // Since 6.11 a type in the highest byte of page_type, before that a flag.
        var isSlab = _types.EnumValue("pagetype", "PGTY_slab") is { } type
            ? head["page_type"].Unsigned >> 24 == (ulong)type
            : _types.EnumValue("pageflags", "PG_slab") is { } bit && (head["flags"].Unsigned >> (int)bit & 1) == 1;
        return isSlab ? (head.Cast("slab") is { Exists: true } slab ? slab : head)["slab_cache"].Target : default;
    }

    /// <summary>Names of the flags of a page.</summary>
    public IReadOnlyList<string> FlagsOf(KernelObject page)
    {
        var names = new List<string>();
        var flags = page["flags"].Unsigned ?? page["flags.f"].Unsigned ?? 0;
        var type = _types.Type(_types.Find("pageflags", TypeKind.Enum));
        for (var i = 0; i < type.Count && type.NameOf(i) != "__NR_PAGEFLAGS"; i++)
            if (type.ValueOf(i) is >= 0 and < 64 and var bit && (flags >> (int)bit & 1) != 0)
                names.Add(type.NameOf(i).Replace("PG_", "", StringComparison.Ordinal));
        return names;
    }

    /// <summary>Bytes of a page.</summary>
    public int PageSize => _pageSize;
}
