using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Elf;

/// <summary>Physical memory as the segments of an ELF core lay it out.</summary>
public sealed class ElfMemory : PhysicalMemory
{
    private readonly DumpBytes _bytes;
    private readonly PageMap _map;
    private readonly FileMappings? _mappings;

    /// <summary>Lays the segments of a core over its file.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="header">Its header.</param>
    /// <param name="pageSize">The dumped machine's page size in bytes, a power of two.</param>
    /// <param name="mapped">Whether pieces may be mapped: for /proc/vmcore.</param>
    public ElfMemory(DumpBytes bytes, ElfCoreHeader header, int pageSize, bool mapped = false)
        : base(pageSize)
    {
        _bytes = bytes;
        _mappings = mapped && bytes is FileBytes ? new FileMappings() : null;
        _map = PageMap.Build(header, bytes.Length, pageSize);
    }

    /// <summary>Pages that are memory: the union of the segments' physical ranges, rounded out to pages; ascending and disjoint.</summary>
    public override IReadOnlyList<PageRange> Ranges => _map.Ram;

    /// <summary>Pages of which at least a part is in the file; what its headers claim beyond its end is not.</summary>
    public override IReadOnlyList<PageRange> HeldRanges => _map.Held;

    /// <inheritdoc/>
    public override ulong PageCount => _map.RamPages;

    /// <inheritdoc/>
    public override PageCounts CountPages()
    {
        var (stored, lost) = _map.CountStored();
        return new PageCounts(PageCount, stored, null, PageCount - stored, lost);
    }

    /// <inheritdoc/>
    public override ulong EndPage => _map.Ram.Count == 0 ? 0 : _map.Ram[^1].End;

    /// <summary>Whether every chunk of memory begins and ends on a page border in the file, as /proc/vmcore lays them.</summary>
    public bool IsPageAligned => _map.IsPageAligned;

    /// <inheritdoc/>
    public override PageState StateOf(ulong page) => _map.StateOf(page);

    /// <inheritdoc/>
    public override void CopyMemoryBits(ulong firstPage, Span<ulong> bits) => _map.CopyBits(firstPage, bits, stored: false);

    /// <inheritdoc/>
    public override void CopyStoredBits(ulong firstPage, Span<ulong> bits) => _map.CopyBits(firstPage, bits, stored: true);

    /// <summary>File offset of a page whose bytes lie whole in the file; -1 for any other.</summary>
    public long Locate(ulong page) => _map.Locate(page);

    /// <inheritdoc/>
    public override PageReader OpenReader(bool mapped = false) => new Reader(this, mapped);

    /// <inheritdoc/>
    public override PageState ReadInPage(ulong page, int inPage, Span<byte> part)
    {
        var offset = _map.Locate(page);
        if (offset >= 0)
            return _bytes.Read(offset + inPage, part) == part.Length ? PageState.Present : PageState.Lost;
        if (_map.PiecesOf(page) is { } pieces)
        {
            part.Clear();
            foreach (var piece in pieces)
                Copy(piece, (int)(piece.Address % (ulong)PageSize), inPage, part);
            return PageState.Present;
        }
        var state = _map.StateOf(page);
        if (state == PageState.NotInDump)
            part.Clear();
        return state == PageState.Present ? PageState.Lost : state;
    }

    /// <inheritdoc/>
    public override MemoryView? Map(ulong address, int length)
    {
        if (_mappings is null || length <= 0 || address > ulong.MaxValue - (ulong)length)
            return null;
        var page = (ulong)PageSize;
        var (first, last) = (address / page, (address + (ulong)length - 1) / page);
        var start = _map.Locate(first);
        if (start < 0)
            return null;
        for (var next = first + 1; next <= last; next++)
            if (_map.Locate(next) != start + (long)((next - first) * page))
                return null;
        return _mappings.Map(((FileBytes)_bytes).Handle, start + (long)(address % page), length);
    }

    /// <summary>Ends the mappings; the file is its opener's.</summary>
    public override void Dispose() => _mappings?.Dispose();

    private void Copy(PageMap.Piece piece, int pieceStart, int inPage, Span<byte> part)
    {
        var from = Math.Max(pieceStart, inPage);
        var to = Math.Min(pieceStart + piece.Length, inPage + part.Length);
        if (from < to)
            _ = _bytes.Read(piece.Offset + (from - pieceStart), part[(from - inPage)..(to - inPage)]);
    }

    private sealed class Reader(ElfMemory memory, bool mapped) : PageReader
    {
        // Small windows of a file on a disk: they stay in the processor's cache, what lies between kept pages is not read at all, and threads
        // that take turns seldom read the same. The disk's own reading ahead makes large reads of them.
        private readonly DumpWindows _windows = new(memory._bytes, mapped, mapped ? DumpWindows.WindowLength : 128 << 10);
        private readonly byte[] _pieces = new byte[memory.PageSize];

        public override PageState Read(ulong page, out ReadOnlySpan<byte> bytes)
        {
            var offset = memory.Locate(page);
            if (offset >= 0)
            {
                bytes = _windows.Slice(offset, memory.PageSize);
                if (bytes.Length == memory.PageSize)
                    return PageState.Present;
                bytes = default;
                return PageState.Lost;
            }
            var state = memory.ReadInPage(page, 0, _pieces);
            bytes = state is PageState.Present or PageState.NotInDump ? _pieces : default(ReadOnlySpan<byte>);
            return state;
        }

        public override void Dispose() => _windows.Dispose();
    }
}
