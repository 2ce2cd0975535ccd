using Netdump.Vmcore.Elf;

namespace Netdump.Vmcore.Memory;

/// <summary>Where in the file each page frame of a core's segments lies. Built once; lookups are binary searches over disjoint runs.</summary>
/// <remarks>
/// Segments may overlap (the kernel image is in /proc/vmcore twice) and begin or end inside a page. A page comes from a segment that holds
/// it whole; where none does, from the pieces of all that touch it, the rest being zero. /proc/vmcore pads its chunks to pages with the
/// memory that is really there, so in a file of that layout the padding is read too.
/// </remarks>
internal sealed class PageMap
{
    private readonly int _pageSize;
    private readonly List<Run> _whole;
    private readonly Dictionary<ulong, List<Piece>> _pieces;
    private readonly List<PageRange> _ram;
    private readonly List<PageRange> _present;
    private readonly List<PageRange> _leftOut;

    private PageMap(IReadOnlyList<ElfSegment> segments, long fileLength, int pageSize)
    {
        _pageSize = pageSize;
        IsPageAligned = HasPageLayout(segments, fileLength, pageSize);
        var page = (ulong)pageSize;
        var whole = new List<Run>();
        var edges = new List<Piece>();
        var padding = new List<Piece>();
        var described = new List<PageRange>();
        var leftOut = new List<PageRange>();
        var stored = new List<PageRange>();
        foreach (var segment in segments)
        {
            if (!segment.IsMemory)
                continue;
            described.Add(Touched(segment.PhysicalAddress, segment.MemorySize));
            var start = segment.PhysicalAddress;
            var offset = segment.Offset;
            var declared = (ulong)segment.FileSize;
            if (declared < segment.MemorySize)
                leftOut.Add(Touched(start + declared, segment.MemorySize - declared));
            if (declared == 0)
                continue;
            stored.Add(Touched(start, declared));
            if (IsPageAligned)
                AddPadding(start, start + declared, offset, fileLength, padding);
            var held = (ulong)Math.Clamp(fileLength - offset, 0, (long)declared);
            Add(start, start + held, offset, whole, edges);
        }
        _ram = Union(described);
        _leftOut = Union(leftOut);
        _present = Union(stored);
        _whole = Disjoint(whole, page);
        _pieces = [];
        // What a segment claims goes over what merely pads another.
        foreach (var edge in padding.Concat(edges))
        {
            var pfn = edge.Address / page;
            if (FindWhole(pfn) >= 0)
                continue;
            if (!_pieces.TryGetValue(pfn, out var list))
                _pieces[pfn] = list = [];
            list.Add(edge);
        }
        foreach (var range in _ram)
            RamPages += range.Count;
    }

    /// <summary>Whether every chunk of memory begins and ends on a page border in the file, as in /proc/vmcore.</summary>
    public bool IsPageAligned { get; }

    /// <summary>The pages the segments touch, ascending, disjoint, each page once.</summary>
    public IReadOnlyList<PageRange> Ram => _ram;

    /// <summary>The pages that are in the file, whole or in pieces; ascending, disjoint, each page once.</summary>
    public IReadOnlyList<PageRange> Held => Union([.. _whole.Select(run => new PageRange(run.First, run.Count)), .. _pieces.Keys.Select(pfn => new PageRange(pfn, 1))]);

    /// <summary>How many <see cref="Ram"/> has.</summary>
    public ulong RamPages { get; }

    public static PageMap Build(ElfCoreHeader header, long fileLength, int pageSize) => new(header.Segments, fileLength, pageSize);

    /// <summary>File offset of a page that lies whole in the file, or -1.</summary>
    public long Locate(ulong pfn)
    {
        var index = FindWhole(pfn);
        return index < 0 ? -1 : _whole[index].Offset + (long)(pfn - _whole[index].First) * _pageSize;
    }

    /// <summary>Pages whose bytes the file holds or should hold, and how many of those are lost.</summary>
    public (ulong Stored, ulong Lost) CountStored()
    {
        var (stored, there) = (0UL, 0UL);
        foreach (var range in _present)
            stored += range.Count;
        foreach (var run in _whole)
            there += run.Count;
        return (stored, stored - there - (ulong)_pieces.Count);
    }

    /// <summary>Sets the bits of pages that are memory (<paramref name="stored"/>: whose bytes the file holds or held), clears the others.</summary>
    public void CopyBits(ulong first, Span<ulong> bits, bool stored)
    {
        bits.Clear();
        var ranges = stored ? _present : _ram;
        var end = first + (ulong)bits.Length * 64;
        for (var i = FirstEndingAfter(ranges, first); i < ranges.Count && ranges[i].First < end; i++)
            PageBits.Set(bits, Math.Max(ranges[i].First, first) - first, Math.Min(ranges[i].End, end) - first);
    }

    /// <summary>The pieces of a page that no segment holds whole; null when there are none.</summary>
    public IReadOnlyList<Piece>? PiecesOf(ulong pfn) => _pieces.GetValueOrDefault(pfn);

    public PageState StateOf(ulong pfn)
    {
        if (FindWhole(pfn) >= 0 || _pieces.ContainsKey(pfn))
            return PageState.Present;
        if (Contains(_present, pfn))
            return PageState.Lost;
        return Contains(_leftOut, pfn) ? PageState.NotInDump : PageState.NotMemory;
    }

    private static bool Contains(List<PageRange> ranges, ulong pfn)
    {
        int low = 0, high = ranges.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (pfn < ranges[middle].First)
                high = middle - 1;
            else if (pfn >= ranges[middle].End)
                low = middle + 1;
            else
                return true;
        }
        return false;
    }

    private static int FirstEndingAfter(List<PageRange> ranges, ulong pfn)
    {
        int low = 0, high = ranges.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (ranges[middle].End <= pfn)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private int FindWhole(ulong pfn)
    {
        int low = 0, high = _whole.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var run = _whole[middle];
            if (pfn < run.First)
                high = middle - 1;
            else if (pfn >= run.First + run.Count)
                low = middle + 1;
            else
                return middle;
        }
        return -1;
    }

    private void AddPadding(ulong start, ulong end, long offset, long fileLength, List<Piece> padding)
    {
        var page = (ulong)_pageSize;
        if (start % page != 0)
            AddPage(start - start % page);
        if (end % page != 0)
            AddPage(end - end % page);

        void AddPage(ulong address)
        {
            var at = offset + (long)(address - start);
            var length = (int)Math.Clamp(fileLength - at, 0, _pageSize);
            if (length > 0)
                padding.Add(new Piece(address, length, at));
        }
    }

    private void Add(ulong start, ulong end, long offset, List<Run> whole, List<Piece> edges)
    {
        if (start >= end)
            return;
        var page = (ulong)_pageSize;
        var firstWhole = RoundUp(start) / page;
        var endWhole = end / page;
        if (firstWhole > endWhole)
        {
            edges.Add(new Piece(start, (int)(end - start), offset)); // begins and ends inside one page
            return;
        }
        if (start % page != 0)
            edges.Add(new Piece(start, (int)(firstWhole * page - start), offset));
        if (end % page != 0)
            edges.Add(new Piece(endWhole * page, (int)(end % page), offset + (long)(endWhole * page - start)));
        if (endWhole > firstWhole)
            whole.Add(new Run(firstWhole, endWhole - firstWhole, offset + (long)(firstWhole * page - start)));
    }

    private static List<Run> Disjoint(List<Run> runs, ulong page)
    {
        runs.Sort(static (a, b) => a.First.CompareTo(b.First));
        var result = new List<Run>(runs.Count);
        var covered = 0UL;
        foreach (var run in runs)
        {
            var end = run.First + run.Count;
            if (end <= covered)
                continue;
            var first = Math.Max(run.First, covered);
            result.Add(new Run(first, end - first, run.Offset + (long)((first - run.First) * page)));
            covered = end;
        }
        return result;
    }

    private static List<PageRange> Union(List<PageRange> ranges)
    {
        ranges.Sort(static (a, b) => a.First.CompareTo(b.First));
        var result = new List<PageRange>(ranges.Count);
        foreach (var range in ranges)
        {
            if (result.Count > 0 && range.First <= result[^1].End)
                result[^1] = new PageRange(result[^1].First, Math.Max(result[^1].End, range.End) - result[^1].First);
            else
                result.Add(range);
        }
        return result;
    }

    private static bool HasPageLayout(IReadOnlyList<ElfSegment> segments, long fileLength, int pageSize)
    {
        var chunks = new List<(long Start, long End)>();
        foreach (var segment in segments)
        {
            if (segment.Type != ElfSegment.Load || segment.FileSize == 0)
                continue;
            var inPage = (long)(segment.PhysicalAddress % (ulong)pageSize);
            if (segment.Offset % pageSize != inPage)
                return false;
            var end = segment.Offset + segment.FileSize;
            if (end > long.MaxValue - pageSize)
                return false;
            chunks.Add((segment.Offset - inPage, (end + pageSize - 1) / pageSize * pageSize));
        }
        chunks.Sort();
        for (var i = 1; i < chunks.Count; i++)
            if (chunks[i].Start < chunks[i - 1].End)
                return false;
        // The padding of the last chunk must be there as well, unless the file is cut short anyway.
        return chunks.Count == 0 || fileLength % pageSize == 0 || fileLength >= chunks[^1].End || fileLength < chunks[^1].End - pageSize;
    }

    private PageRange Touched(ulong address, ulong size)
    {
        var first = address / (ulong)_pageSize;
        return new PageRange(first, RoundUp(address + size) / (ulong)_pageSize - first);
    }

    private ulong RoundUp(ulong address) => (address + (ulong)_pageSize - 1) & ~((ulong)_pageSize - 1);

    /// <summary>Bytes of one page that one segment holds.</summary>
    public readonly record struct Piece(ulong Address, int Length, long Offset);

    private readonly record struct Run(ulong First, ulong Count, long Offset);
}
