using System.Numerics;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Filter;

/// <summary>
/// Where the page structures lie: by memory section (SPARSEMEM, with the virtual memory map or without) or in one array (FLATMEM).
/// For one thread.
/// </summary>
/// <remarks>Source: include/linux/mmzone.h, mm/sparse.c.</remarks>
internal sealed class PageArray
{
    // section_mem_map has flags in its low bits; page structures lie so that bit 5 (7.x) is never an address's.
    private const ulong SectionFlags = 0x3f;
    private const ulong HasMemory = 1;
    private const ulong KernelHalf = 1UL << 63;
    private const int MostTried = 4096;

    private readonly KernelMemory _memory;
    private readonly int _structureSize;
    private readonly int _sectionShift; // pages, not bytes
    private readonly ulong _perRoot; // 0: no roots, one plain array
    private readonly ulong _sections;
    private readonly int _sectionSize;
    private readonly int _mapOffset;
    private readonly ulong _flatFirst;
    private ulong _array;
    private ulong _current = ulong.MaxValue;
    private ulong _currentBase;

    /// <summary>Finds the page structures.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="info">The kernel's VMCOREINFO.</param>
    /// <param name="structureSize">SIZE(page).</param>
    /// <param name="ranges">Pages that are memory, to try which way the sections are kept.</param>
    /// <exception cref="VmcoreFormatException">A key is missing or makes no sense.</exception>
    public PageArray(KernelMemory memory, VmcoreInfo info, int structureSize, IEnumerable<PageRange> ranges)
    {
        _memory = memory;
        _structureSize = structureSize;
        if (info.Symbol("mem_section") is not { } sections)
        {
            _array = info.Symbol("mem_map") is { } map && memory.TryReadUInt64(map, out var array)
                ? array
                : throw Missing("SYMBOL(mem_section), and no SYMBOL(mem_map)");
            _flatFirst = info.UnsignedNumber("ARCH_PFN_OFFSET") ?? 0;
            _sectionShift = 63;
            return;
        }
        var pageShift = BitOperations.Log2((uint)memory.PageSize);
        var sectionBits = Bits(info, "SECTION_SIZE_BITS", pageShift + 6, 40);
        var physicalBits = Bits(info, "MAX_PHYSMEM_BITS", sectionBits, 60);
        _sectionShift = sectionBits - pageShift;
        _sectionSize = info.Size("mem_section") is { } size && size <= memory.PageSize ? size : throw Missing("SIZE(mem_section)");
        _mapOffset = info.Offset("mem_section.section_mem_map") ?? throw Missing("OFFSET(mem_section.section_mem_map)");
        var length = (ulong)(info.Length("mem_section") ?? throw Missing("LENGTH(mem_section)"));
        var perRoot = (ulong)(memory.PageSize / _sectionSize);
        _sections = 1UL << (physicalBits - sectionBits);
        _perRoot = length == (_sections + perRoot - 1) / perRoot ? perRoot : 0;
        if (_perRoot == 0)
            _sections = Math.Min(_sections, length);
        _array = sections;
        if (!IsSound(ranges) && memory.TryReadUInt64(sections, out var pointed))
            _array = pointed; // some kernels export where the pointer lies, not what it points at
        _current = ulong.MaxValue;
    }

    /// <summary>Pages that lie in one section at least, a power of two: their structures are neighbours.</summary>
    public ulong SectionPages => 1UL << _sectionShift;

    /// <summary>Virtual address of a page's structure.</summary>
    /// <returns>False when the page has none.</returns>
    public bool TryFind(ulong page, out ulong address)
    {
        address = 0;
        var section = page >> _sectionShift;
        if (_sectionShift == 63)
        {
            address = unchecked(_array + (page - _flatFirst) * (ulong)_structureSize);
            return page >= _flatFirst;
        }
        if (section != _current)
            (_current, _currentBase) = (section, Base(section));
        // The kernel's word is minus the section's first page already.
        address = unchecked(_currentBase + page * (ulong)_structureSize);
        return _currentBase != 0;
    }

    private ulong Base(ulong section)
    {
        if (section >= _sections)
            return 0;
        var at = _array;
        if (_perRoot > 0 && (!_memory.TryReadUInt64(unchecked(_array + section / _perRoot * 8), out at) || at == 0))
            return 0;
        var index = _perRoot > 0 ? section % _perRoot : section;
        return _memory.TryReadUInt64(unchecked(at + index * (ulong)_sectionSize + (ulong)_mapOffset), out var coded) && (coded & HasMemory) != 0
            ? coded & ~SectionFlags
            : 0;
    }

    private bool IsSound(IEnumerable<PageRange> ranges)
    {
        var tried = 0;
        foreach (var range in ranges)
        {
            for (var section = range.First >> _sectionShift; section <= (range.End - 1) >> _sectionShift; section++)
            {
                if (Base(section) >= KernelHalf)
                    return true;
                if (++tried == MostTried)
                    return false;
            }
        }
        return false;
    }

    private static int Bits(VmcoreInfo info, string name, int least, int most)
    {
        var bits = info.Number(name) ?? throw Missing($"NUMBER({name})");
        return bits >= least && bits <= most
            ? (int)bits
            : throw new VmcoreFormatException(-1, $"VMCOREINFO's NUMBER({name}) is {bits}, {least} to {most} can be");
    }

    private static VmcoreFormatException Missing(string key) => new(-1, $"VMCOREINFO has no {key}");
}
