using System.Runtime.InteropServices;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Kdump;

/// <summary>One bitmap of a kdump-compressed file, read where it lies: no more of it is in memory than a count for each piece of it.</summary>
/// <remarks>Bit of page n: byte n/8, bit n%8 from the least significant, on every machine. Any number of threads may read.</remarks>
internal sealed class PageBitmap
{
    /// <summary>Most counts that are kept: 4 MiB of them.</summary>
    private const int MostCounts = 1 << 19;

    private const int ChunkLength = 4096;

    private readonly DumpBytes _bytes;
    private readonly long _offset;
    private readonly ulong _pageCount;
    private readonly int _pieceLength;
    private readonly ulong[] _counts;
    private readonly Lock _lock = new();
    private volatile int _counted;

    /// <summary>Lays the bitmap over its file.</summary>
    /// <param name="bytes">The file, which holds the whole bitmap.</param>
    /// <param name="offset">Where the bitmap begins.</param>
    /// <param name="pageCount">Bits in it; what lies beyond counts as clear.</param>
    public PageBitmap(DumpBytes bytes, long offset, ulong pageCount)
    {
        _bytes = bytes;
        _offset = offset;
        _pageCount = pageCount;
        var length = (long)((pageCount + 7) / 8);
        _pieceLength = ChunkLength;
        while (length / _pieceLength >= MostCounts)
            _pieceLength *= 2;
        _counts = new ulong[length / _pieceLength + 2]; // sparse as long as nothing is counted: the runtime gets zeroed memory
    }

    /// <summary>How many bits are set.</summary>
    public ulong Count => Rank(_pageCount);

    /// <summary>Whether a page's bit is set.</summary>
    public bool Test(ulong page)
    {
        if (page >= _pageCount)
            return false;
        Span<byte> one = stackalloc byte[1];
        return _bytes.Read(_offset + (long)(page / 8), one) == 1 && (one[0] >> (int)(page % 8) & 1) != 0;
    }

    /// <summary>The bits from a page on; clear beyond the bitmap's end.</summary>
    /// <param name="firstPage">A multiple of 64.</param>
    /// <param name="bits">Are filled.</param>
    public void Copy(ulong firstPage, Span<ulong> bits)
    {
        var target = MemoryMarshal.AsBytes(bits);
        var length = firstPage >= _pageCount ? 0 : (int)Math.Min((ulong)target.Length, (_pageCount - firstPage + 7) / 8);
        length = _bytes.Read(_offset + (long)(firstPage / 8), target[..length]);
        target[length..].Clear();
        if (firstPage < _pageCount && _pageCount - firstPage < (ulong)bits.Length * 64 && _pageCount % 64 != 0)
            bits[(int)((_pageCount - firstPage) / 64)] &= (1UL << (int)(_pageCount % 64)) - 1;
    }

    /// <summary>How many bits below a page are set.</summary>
    public ulong Rank(ulong page)
    {
        page = Math.Min(page, _pageCount);
        var at = (long)(page / 8);
        var piece = (int)(at / _pieceLength);
        if (piece > _counted)
            CountUpTo(piece);
        return _counts[piece] + CountBits((long)piece * _pieceLength, at, (int)(page % 8));
    }

    private void CountUpTo(int piece)
    {
        lock (_lock)
        {
            for (var i = _counted; i < piece; i++)
            {
                _counts[i + 1] = _counts[i] + CountBits((long)i * _pieceLength, (long)(i + 1) * _pieceLength, 0);
                _counted = i + 1;
            }
        }
    }

    private ulong CountBits(long from, long to, int bitsOfLast)
    {
        Span<ulong> words = stackalloc ulong[ChunkLength / 8];
        var bytes = MemoryMarshal.AsBytes(words);
        var count = 0UL;
        for (var at = from; at < to + (bitsOfLast == 0 ? 0 : 1); at += ChunkLength)
        {
            var length = (int)Math.Min(ChunkLength, to - at);
            var wanted = length + (at + length == to && bitsOfLast != 0 ? 1 : 0);
            if (wanted > ChunkLength)
                wanted = ChunkLength;
            var got = _bytes.Read(_offset + at, bytes[..wanted]);
            bytes[got..].Clear();
            if (at + length == to && got > length)
                bytes[length] &= (byte)((1 << bitsOfLast) - 1);
            count += (ulong)PageBits.Count(words);
        }
        return count;
    }
}
