using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Elf;

/// <summary>A segment to be written: memory from a page on, of which the first pages are in the file.</summary>
/// <param name="First">Page frame number.</param>
/// <param name="Pages">Pages of memory.</param>
/// <param name="FilePages">How many of them, from the first, the file holds.</param>
internal readonly record struct WrittenSegment(ulong First, ulong Pages, ulong FilePages);

/// <summary>Makes segments of ranges of memory and the pages of them that are kept. When there would be too many, short gaps are filled.</summary>
internal sealed class SegmentList(ulong shortestGap, int most)
{
    private readonly List<WrittenSegment> _segments = [];
    private ulong _shortestGap = shortestGap;

    /// <summary>Adds pages in ascending order.</summary>
    /// <param name="firstPage">Page of bit 0.</param>
    /// <param name="memory">Which pages are memory.</param>
    /// <param name="kept">Which of them the file is to hold.</param>
    public void Add(ulong firstPage, ReadOnlySpan<ulong> memory, ReadOnlySpan<ulong> kept)
    {
        for (var i = 0; i < memory.Length * 64; i++)
        {
            var word = memory[i >> 6];
            if ((i & 63) == 0 && word == 0)
            {
                i += 63;
                continue;
            }
            if (!PageBits.Test(memory, i))
                continue;
            AddPage(firstPage + (ulong)i, PageBits.Test(kept, i));
        }
    }

    /// <summary>The segments: ascending, disjoint, as many as were allowed at most.</summary>
    public IReadOnlyList<WrittenSegment> Finish() => _segments;

    private void AddPage(ulong page, bool isKept)
    {
        if (_segments.Count == 0 || _segments[^1].First + _segments[^1].Pages != page)
        {
            Open(page, isKept);
            return;
        }
        var last = _segments[^1];
        var gap = last.Pages - last.FilePages;
        if (isKept && gap >= _shortestGap)
            Open(page, isKept);
        else
            _segments[^1] = last with { Pages = last.Pages + 1, FilePages = isKept ? last.Pages + 1 : last.FilePages };
    }

    private void Open(ulong page, bool isKept)
    {
        if (_segments.Count == most)
            Coarsen();
        _segments.Add(new WrittenSegment(page, 1, isKept ? 1UL : 0));
    }

    // Fills gaps up to twice the length, again and again until half of the segments are gone or nothing joins any more.
    private void Coarsen()
    {
        while (_segments.Count > most / 2 && _shortestGap < 1UL << 40)
        {
            _shortestGap *= 2;
            var joined = new List<WrittenSegment>(_segments.Count);
            foreach (var segment in _segments)
            {
                if (joined.Count > 0 && joined[^1] is var before && before.First + before.Pages == segment.First
                    && before.Pages - before.FilePages < _shortestGap && segment.FilePages > 0)
                    joined[^1] = before with { Pages = before.Pages + segment.Pages, FilePages = before.Pages + segment.FilePages };
                else
                    joined.Add(segment);
            }
            _segments.Clear();
            _segments.AddRange(joined);
        }
        if (_segments.Count == most)
            throw new VmcoreFormatException(-1, $"memory lies in more than {most} separate ranges: it does not go into an ELF core");
    }
}
