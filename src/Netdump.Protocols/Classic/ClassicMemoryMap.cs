namespace Netdump.Protocols.Classic;

/// <summary>Which pages of a client are RAM: sorted ranges of page frame numbers.</summary>
public sealed class ClassicMemoryMap
{
    private readonly uint[] _firsts;
    private readonly uint[] _ends;

    /// <summary>Makes a map from ranges in any order; they may touch or overlap. Page frame numbers beyond 32 bits do not fit the protocol and are cut off.</summary>
    /// <param name="ranges">First page and the page behind the last one.</param>
    public ClassicMemoryMap(IEnumerable<(ulong First, ulong End)> ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        List<uint> firsts = [];
        List<uint> ends = [];
        foreach ((ulong first, ulong end) in ranges.Where(range => range.First < range.End && range.First < uint.MaxValue).OrderBy(range => range.First))
        {
            uint limit = (uint)Math.Min(end, uint.MaxValue);
            if (ends.Count > 0 && first <= ends[^1])
            {
                ends[^1] = Math.Max(ends[^1], limit);
                continue;
            }

            firsts.Add((uint)first);
            ends.Add(limit);
        }

        _firsts = [.. firsts];
        _ends = [.. ends];
        for (int i = 0; i < _firsts.Length; i++)
            RamPages += _ends[i] - _firsts[i];
    }

    /// <summary>Highest page of RAM plus one; 0 for an empty map.</summary>
    public uint PageCount => _ends.Length == 0 ? 0 : _ends[^1];

    /// <summary>Pages of RAM.</summary>
    public ulong RamPages { get; }

    /// <summary>True if the page is RAM.</summary>
    public bool IsRam(uint pfn)
    {
        int range = RangeAtOrBefore(pfn);
        return range >= 0 && pfn < _ends[range];
    }

    /// <summary>The smallest page of RAM above <paramref name="pfn"/>; 0 if there is none.</summary>
    public uint NextRam(uint pfn)
    {
        int range = RangeAtOrBefore(pfn);
        if (range >= 0 && pfn < _ends[range] - 1)
            return pfn + 1;
        return range + 1 < _firsts.Length ? _firsts[range + 1] : 0;
    }

    private int RangeAtOrBefore(uint pfn)
    {
        int found = Array.BinarySearch(_firsts, pfn);
        return found >= 0 ? found : ~found - 1;
    }
}
