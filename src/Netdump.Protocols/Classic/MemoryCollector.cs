namespace Netdump.Protocols.Classic;

/// <summary>
/// The memory phase of a server session: which page is asked next, how many may be in flight, and the buffers in which pages come
/// together. Every page below the count is accounted for exactly once.
/// </summary>
internal sealed class MemoryCollector
{
    private readonly byte[] _buffers;
    private readonly int _pageSize;
    private readonly ulong _allChunks;
    private readonly int _minimumWindow;
    private readonly int _maximumWindow;
    private readonly Func<ulong, ulong>? _nextMissing;
    private int _threshold;
    private int _limit;
    private int _completions;

    // nextMissing gives the first page, from a page on, that is not known already; null when none is.
    public MemoryCollector(uint pageSize, ulong pageCount, int maximumWindow, ClassicServerOptions options, Func<ulong, ulong>? nextMissing = null)
    {
        _pageSize = (int)pageSize;
        PageCount = pageCount;
        _maximumWindow = Math.Clamp(options.MaximumBufferBytes / _pageSize, 1, maximumWindow);
        _minimumWindow = Math.Min(options.MinimumWindow, _maximumWindow);
        _threshold = _limit = _maximumWindow;
        Window = Math.Min(options.InitialWindow, _maximumWindow);
        _buffers = GC.AllocateUninitializedArray<byte>(_maximumWindow * _pageSize);
        int chunks = _pageSize / ClassicReplyHeader.ChunkSize;
        _allChunks = chunks == 64 ? ulong.MaxValue : (1UL << chunks) - 1;
        _nextMissing = nextMissing;
        NextPfn = Missing(0);
    }

    /// <summary>Pages that may be in flight.</summary>
    public int Window { get; private set; }

    /// <summary>Chunks that may be in flight: the window is never larger, and never smaller than a page.</summary>
    public int ChunkLimit
    {
        set
        {
            _limit = Math.Clamp(value / (_pageSize / ClassicReplyHeader.ChunkSize), 1, _maximumWindow);
            Window = Math.Min(Window, _limit);
        }
    }

    public ulong PageCount { get; }

    /// <summary>The first page not asked yet.</summary>
    public ulong NextPfn { get; private set; }

    public ReadOnlySpan<byte> Page(int slot) => _buffers.AsSpan(slot * _pageSize, _pageSize);

    /// <summary>True if another page should be asked now; <paramref name="pfn"/> is it.</summary>
    public bool TryTakeNext(int inFlight, out uint pfn)
    {
        pfn = (uint)NextPfn;
        if (NextPfn >= PageCount || inFlight >= Window)
            return false;
        NextPfn = Missing(NextPfn + 1);
        return true;
    }

    /// <summary>True if the offset is one of this page size and the payload is a chunk.</summary>
    public bool IsChunk(uint offset, int length) =>
        length == ClassicReplyHeader.ChunkSize && offset < (uint)_pageSize && offset % ClassicReplyHeader.ChunkSize == 0;

    /// <summary>Stores a chunk of the page in a slot.</summary>
    /// <returns>False if it was there already.</returns>
    public bool Store(int index, ref OpenRequests.Slot slot, uint offset, ReadOnlySpan<byte> chunk)
    {
        ulong bit = 1UL << (int)(offset / ClassicReplyHeader.ChunkSize);
        if ((slot.Chunks & bit) != 0)
            return false;
        slot.Chunks |= bit;
        chunk.CopyTo(_buffers.AsSpan((index * _pageSize) + (int)offset));
        return true;
    }

    public bool IsComplete(in OpenRequests.Slot slot) => slot.Chunks == _allChunks;

    /// <summary>
    /// The client says of a page it was asked that no page from there up to (without) <paramref name="nextRam"/> is RAM. Pages asked already
    /// answer for themselves, so only those behind <see cref="NextPfn"/> are skipped.
    /// </summary>
    /// <returns>How many pages, from the former <see cref="NextPfn"/> on, will not be asked.</returns>
    public ulong Skip(uint nextRam)
    {
        ulong next = nextRam == 0 ? PageCount : Math.Min(nextRam, PageCount);
        if (next <= NextPfn) // also what no sane client says: at or before the page itself
            return 0;
        ulong skipped = next - NextPfn;
        NextPfn = Missing(next);
        return skipped;
    }

    /// <summary>A page request was answered: the window grows, by one a page below the threshold, by one a window above.</summary>
    public void Answered()
    {
        if (Window >= _limit)
            return;
        if (Window >= _threshold && ++_completions < Window)
            return;
        _completions = 0;
        Window++;
    }

    /// <summary>Requests were lost: the window halves.</summary>
    public void Lost()
    {
        Window = Math.Min(_limit, Math.Max(_minimumWindow, Window / 2));
        _threshold = Window;
        _completions = 0;
    }

    private ulong Missing(ulong pfn) => _nextMissing is null || pfn >= PageCount ? pfn : Math.Min(_nextMissing(pfn), PageCount);
}
