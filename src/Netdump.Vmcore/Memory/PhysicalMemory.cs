using Netdump.Vmcore.Elf;

namespace Netdump.Vmcore.Memory;

/// <summary>Reads memory at an address.</summary>
/// <param name="address">First byte.</param>
/// <param name="destination">Is filled from its start.</param>
/// <returns>Bytes read: fewer than asked when a page behind them is not there.</returns>
public delegate int MemoryReader(ulong address, Span<byte> destination);

/// <summary>The dumped machine's physical memory. Any number of threads may read.</summary>
public sealed class PhysicalMemory
{
    private readonly DumpBytes _bytes;
    private readonly PageMap _map;

    /// <summary>Lays the segments of a core over its file.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="header">Its header.</param>
    /// <param name="pageSize">The dumped machine's page size in bytes, a power of two.</param>
    public PhysicalMemory(DumpBytes bytes, ElfCoreHeader header, int pageSize)
    {
        _bytes = bytes;
        PageSize = pageSize;
        _map = PageMap.Build(header, bytes.Length, pageSize);
    }

    /// <summary>Bytes of a page.</summary>
    public int PageSize { get; }

    /// <summary>Pages that are memory: the union of the segments' physical ranges, rounded out to pages; ascending and disjoint.</summary>
    public IReadOnlyList<PageRange> Ranges => _map.Ram;

    /// <summary>How many pages <see cref="Ranges"/> holds.</summary>
    public ulong PageCount => _map.RamPages;

    /// <summary>Highest page that is memory, plus one; 0 when there is none.</summary>
    public ulong EndPage => _map.Ram.Count == 0 ? 0 : _map.Ram[^1].End;

    /// <summary>Whether every chunk of memory begins and ends on a page border in the file, as /proc/vmcore lays them.</summary>
    public bool IsPageAligned => _map.IsPageAligned;

    /// <summary>What the dump says about a page frame.</summary>
    public PageState StateOf(ulong page) => _map.StateOf(page);

    /// <summary>File offset of a page whose bytes lie whole in the file; -1 for any other.</summary>
    public long Locate(ulong page) => _map.Locate(page);

    /// <summary>Reads physical memory; memory the producer left out reads as zeros (<see cref="StateOf"/> tells).</summary>
    /// <returns>Bytes read: fewer than asked when the next page is no memory or was lost.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var at = unchecked(address + (ulong)done);
            if (at < address)
                break; // wrapped at 2^64
            var inPage = (int)(at % (ulong)PageSize);
            var part = destination.Slice(done, Math.Min(destination.Length - done, PageSize - inPage));
            var got = ReadInPage(at / (ulong)PageSize, inPage, part);
            done += got;
            if (got < part.Length)
                break;
        }
        return done;
    }

    private int ReadInPage(ulong page, int inPage, Span<byte> part)
    {
        var offset = _map.Locate(page);
        if (offset >= 0)
            return _bytes.Read(offset + inPage, part);
        if (_map.PiecesOf(page) is { } pieces)
        {
            part.Clear();
            foreach (var piece in pieces)
                Copy(piece, (int)(piece.Address % (ulong)PageSize), inPage, part);
            return part.Length;
        }
        if (_map.StateOf(page) != PageState.NotInDump)
            return 0;
        part.Clear();
        return part.Length;
    }

    private void Copy(PageMap.Piece piece, int pieceStart, int inPage, Span<byte> part)
    {
        var from = Math.Max(pieceStart, inPage);
        var to = Math.Min(pieceStart + piece.Length, inPage + part.Length);
        if (from < to)
            _ = _bytes.Read(piece.Offset + (from - pieceStart), part[(from - inPage)..(to - inPage)]);
    }
}
