using System.Runtime.InteropServices;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Filter;

/// <summary>
/// Tells page by page what a filter leaves out, to one who asks in ascending order but for a few that he asks again. Holds the newest part of
/// the map; who asks for what lies further back begins another walk. For one thread.
/// </summary>
public sealed class LeftOutMap
{
    /// <summary>Blocks that are held: 2 million pages, 256 KiB.</summary>
    private const int MostBlocks = 64;

    private readonly PageFilter _filter;
    private readonly PhysicalMemory _memory;
    private readonly ulong[][] _blocks = new ulong[MostBlocks][];
    private readonly ulong[] _numbers = new ulong[MostBlocks];
    private IEnumerator<ulong>? _walk;
    private ulong _walked; // blocks below it were walked over

    /// <summary>Lays a map over a filter.</summary>
    /// <param name="filter">Serves nobody else meanwhile; stays the caller's.</param>
    /// <param name="memory">The source's memory.</param>
    public LeftOutMap(PageFilter filter, PhysicalMemory memory)
    {
        (_filter, _memory) = (filter, memory);
        Array.Fill(_numbers, ulong.MaxValue);
    }

    /// <summary>Walks that were begun.</summary>
    public int Walks { get; private set; }

    /// <summary>Whether a page is memory and left out.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public bool Contains(ulong page) => page < _memory.EndPage && PageBits.Test(Block(page / PageFilter.BlockPages), (int)(page % PageFilter.BlockPages));

    /// <summary>A part of the map, bit n &amp; 7 of byte n / 8 for page <paramref name="first"/> + n.</summary>
    /// <param name="first">A multiple of the pages that the bytes speak of, of which there are no more than 32768.</param>
    /// <param name="map">Is filled.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public void Copy(ulong first, Span<byte> map)
    {
        if (first >= _memory.EndPage)
            map.Clear();
        else
            MemoryMarshal.AsBytes(Block(first / PageFilter.BlockPages).AsSpan()).Slice((int)(first % PageFilter.BlockPages / 8), map.Length).CopyTo(map);
    }

    private ulong[] Block(ulong number)
    {
        var slot = (int)(number % MostBlocks);
        if (_numbers[slot] == number)
            return _blocks[slot];
        if (_walk is null || number < _walked)
        {
            _walk?.Dispose();
            _walk = _filter.Blocks().GetEnumerator();
            (_walked, Walks) = (0, Walks + 1);
            Array.Fill(_numbers, ulong.MaxValue);
        }
        while (_walked <= number)
        {
            // What lies between two blocks of the walk is no memory.
            var next = _walk.MoveNext() ? _walk.Current / PageFilter.BlockPages : ulong.MaxValue;
            for (; _walked < next && _walked <= number; _walked++)
                Array.Clear(Hold(_walked));
            if (next == ulong.MaxValue)
                break;
            var leftOut = Hold(next);
            _memory.CopyMemoryBits(next * PageFilter.BlockPages, leftOut);
            for (var i = 0; i < leftOut.Length; i++)
                leftOut[i] &= ~_filter.Keep[i];
            _walked = next + 1;
        }
        return _blocks[slot];
    }

    private ulong[] Hold(ulong number)
    {
        var slot = (int)(number % MostBlocks);
        _numbers[slot] = number;
        return _blocks[slot] ??= new ulong[PageFilter.BlockPages / 64];
    }
}
