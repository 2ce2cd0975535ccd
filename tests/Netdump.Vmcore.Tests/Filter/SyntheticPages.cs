using System.Buffers.Binary;
using System.Text;
using Netdump.Vmcore.Filter;

namespace Netdump.Vmcore.Tests.Filter;

/// <summary>A machine with page structures, sections and page tables for them, whose memory is described but hardly there.</summary>
internal sealed class SyntheticPages
{
    public const int Size = 64;
    public const uint NoType = uint.MaxValue; // _mapcount of a page that is mapped nowhere
    public const ulong Lru = 1 << 5;
    public const ulong Head = 1 << 6;
    public const ulong SwapCache = 1 << 10;
    public const ulong Private = 1 << 14;
    public const ulong SwapBacked = 1 << 17;
    public const ulong Poison = 1 << 21;
    public const uint Buddy = 0xf0000000;
    public const uint Offline = 0xf1000000;
    public const uint Huge = 0xf4000000;
    public const uint Slab = 0xf5000000;
    public const uint Unaccepted = 0xf7000000;
    public const ulong VirtualMap = 0xffffea0000000000;

    public const int MapAt = 4 << 20; // physical address of the page structures
    public const ulong SectionsAt = 0x90000;
    public const int SectionSize = 32;

    private const ulong DirectMap = 0xffff888000000000;
    private const ulong RootsAt = 0x80000;
    private const int TablePages = 512;

    private readonly Dictionary<string, string> _keys;

    /// <summary>A machine of a number of pages, keys and values as 7.3 has them.</summary>
    public SyntheticPages(int pages)
    {
        Count = pages;
        var mapBytes = ((long)pages * Size + (2 << 20) - 1) / (2 << 20) * (2 << 20);
        Kernel = new SyntheticKernel(pages: (int)(MapAt + mapBytes >> 12));
        for (var at = 0L; at < mapBytes; at += 2 << 20)
            Kernel.Map(VirtualMap + (ulong)at, MapAt + (ulong)at, level: 1);
        for (var at = 0UL; at < 4 << 20; at += 2 << 20)
            Kernel.Map(DirectMap + at, at, level: 1);
        _keys = new Dictionary<string, string>
        {
            ["SYMBOL(mem_section)"] = $"{DirectMap + RootsAt:x}",
            ["LENGTH(mem_section)"] = "4096",
            ["SIZE(mem_section)"] = "32",
            ["OFFSET(mem_section.section_mem_map)"] = "0",
            ["NUMBER(SECTION_SIZE_BITS)"] = "27",
            ["NUMBER(MAX_PHYSMEM_BITS)"] = "46",
            ["SIZE(page)"] = $"{Size}",
            ["OFFSET(page.flags)"] = "0",
            ["OFFSET(page._mapcount)"] = "48",
            ["OFFSET(page.mapping)"] = "24",
            ["OFFSET(page.private)"] = "40",
            ["OFFSET(page.compound_info)"] = "8",
            ["NUMBER(PG_lru)"] = "5",
            ["NUMBER(PG_head_mask)"] = "64",
            ["NUMBER(PG_swapcache)"] = "10",
            ["NUMBER(PG_private)"] = "14",
            ["NUMBER(PG_swapbacked)"] = "17",
            ["NUMBER(PG_hwpoison)"] = "21",
            ["LENGTH(zone.free_area)"] = "11",
            ["NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)"] = $"{unchecked((int)Buddy)}",
            ["NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"] = $"{unchecked((int)Offline)}",
            ["NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)"] = $"{unchecked((int)Huge)}",
            ["NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)"] = $"{unchecked((int)Slab)}",
            ["NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)"] = $"{unchecked((int)Unaccepted)}",
        };
        Put(RootsAt, DirectMap + SectionsAt);
        for (var section = 0; section * 32768L < pages; section++)
            Section(section, VirtualMap | 0x2f); // all flags that 7.x knows
        for (var page = 0; page < pages; page++)
            Set(page);
    }

    public SyntheticKernel Kernel { get; }

    public int Count { get; }

    public Span<byte> this[int page] => Kernel.Memory.AsSpan(MapAt + page * Size, Size);

    public static ulong DirectAddress(ulong physical) => DirectMap + physical;

    public void Key(string key, string? value)
    {
        if (value is null)
            Assert.True(_keys.Remove(key), key);
        else
            _keys[key] = value;
    }

    /// <summary>Names of the types as 6.1 has them: exact values, slab a flag, orders in page.compound_order.</summary>
    public void Be61()
    {
        foreach (var key in (string[])["NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)", "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)", "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)", "OFFSET(page.compound_info)"])
            Key(key, null);
        Key("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", "-129");
        Key("NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)", "-257");
        Key("NUMBER(PG_slab)", "9");
        Key("NUMBER(HUGETLB_PAGE_DTOR)", "2");
        Key("OFFSET(page.compound_head)", "8");
        Key("OFFSET(page.compound_dtor)", "16");
        Key("OFFSET(page.compound_order)", "17");
    }

    /// <summary>Sets a section's word; each 128 sections have a root, whose places lie one behind the other.</summary>
    public void Section(int number, ulong coded)
    {
        var root = (ulong)number / 128;
        Put(RootsAt + root * 8, DirectMap + SectionsAt + root * 4096);
        Put(SectionsAt + (ulong)number * SectionSize, coded);
    }

    public void Put(ulong physical, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Kernel.Memory.AsSpan((int)physical), value);

    public void Set(int page, ulong flags = 0, uint mapCount = NoType, ulong mapping = 0, ulong @private = 0, ulong compound = 0)
    {
        var structure = this[page];
        BinaryPrimitives.WriteUInt64LittleEndian(structure, flags);
        BinaryPrimitives.WriteUInt64LittleEndian(structure[8..], compound);
        BinaryPrimitives.WriteUInt64LittleEndian(structure[24..], mapping);
        BinaryPrimitives.WriteUInt64LittleEndian(structure[40..], @private);
        BinaryPrimitives.WriteUInt32LittleEndian(structure[48..], mapCount);
    }

    /// <summary>A page of 2^order pages: head, first tail with the order in its flags, tails.</summary>
    public void Folio(int page, int order, ulong flags = 0, uint mapCount = NoType, ulong mapping = 0)
    {
        Set(page, flags | Head, mapCount, mapping);
        // Tails would be taken for anonymous ones, were they judged.
        for (var tail = page + 1; tail < Math.Min(Count, page + (1L << order)); tail++)
            Set(tail, tail == page + 1 ? (ulong)order : 0, compound: VirtualMap + (ulong)page * Size + 1, mapping: 1);
    }

    /// <summary>The dump.</summary>
    /// <param name="more">Another range of memory, of which no byte is there.</param>
    /// <param name="machinePages">Pages of the machine, when it has more than those with structures of their own.</param>
    public VmcoreFile Open((ulong Address, ulong Bytes) more = default, ulong machinePages = 0) => SyntheticCore.Open(Build(more, machinePages));

    /// <summary>The dump's file: <see cref="Kernel"/>'s memory is the end of it, when there is no other range.</summary>
    public byte[] Build((ulong Address, ulong Bytes) more = default, ulong machinePages = 0)
    {
        var core = new SyntheticCore();
        core.AddNote("VMCOREINFO", 0, Encoding.ASCII.GetBytes(Kernel.InfoText + string.Concat(_keys.Select(k => $"{k.Key}={k.Value}\n"))));
        core.AddMemory(0, Kernel.Memory, Math.Max((ulong)Kernel.Memory.Length, Math.Max((ulong)Count, machinePages) * 4096));
        if (more.Bytes > 0)
            core.AddMemory(more.Address, [], more.Bytes);
        return core.Build();
    }

    /// <summary>A bit for each page that a filter keeps.</summary>
    public static byte[] KeptPages(PageFilter filter)
    {
        var kept = new List<byte>();
        filter.Select((first, keep) =>
        {
            var at = (int)(first / 8);
            if (kept.Count < at)
                kept.AddRange(new byte[at - kept.Count]);
            kept.AddRange(System.Runtime.InteropServices.MemoryMarshal.AsBytes(keep));
        });
        return [.. kept];
    }

    /// <summary>Pages that a level leaves out, as ranges.</summary>
    public string LeftOut(int level) => LeftOut(level, out _, out _);

    public string LeftOut(int level, out FilterCounts counts, out IReadOnlyList<KeptClass> kept)
    {
        using var file = Open();
        using var filter = new PageFilter(file, level);
        var bits = KeptPages(filter);
        (counts, kept) = (filter.Counts, filter.Kept);
        var ranges = new List<string>();
        for (var page = 0; page < Count; page++)
        {
            if (Bit(page))
                continue;
            var first = page;
            while (page + 1 < Count && !Bit(page + 1))
                page++;
            ranges.Add(first == page ? $"{first}" : $"{first}-{page}");
        }
        return string.Join(' ', ranges);

        bool Bit(int page) => (bits[page / 8] >> (page % 8) & 1) != 0;
    }
}
