using System.Numerics;
using System.Runtime.InteropServices;

namespace Netdump.Server.Store;

/// <summary>
/// Which pages of a dump are accounted for: one bit a page, bit <c>pfn &amp; 7</c> of byte <c>pfn / 8</c>.
/// </summary>
/// <remarks>
/// The bits lie in blocks of 4 KiB. A block without a set bit and a block with all bits set take no memory, so a peer that
/// claims 2^32 pages costs 1.6 MiB until it has really sent pages everywhere. Not thread-safe: owned by one engine thread.
/// </remarks>
public sealed class PageMap
{
    /// <summary>Bytes of one block of the bitmap.</summary>
    public const int BlockBytes = 4096;

    /// <summary>Pages one block covers.</summary>
    public const int PagesPerBlock = BlockBytes * 8;

    /// <summary>Most pages a map can hold: page counts on the wire have 32 bits.</summary>
    public const ulong MaximumPageCount = 1UL << 32;

    private static readonly byte[] Empty = new byte[BlockBytes];
    private static readonly byte[] Full = CreateFull();

    private readonly byte[]?[] _blocks;
    private readonly int[] _set;

    /// <summary>Makes a map in which no page is accounted for.</summary>
    /// <param name="pageCount">Pages of the dump, holes included.</param>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="MaximumPageCount"/> pages.</exception>
    public PageMap(ulong pageCount)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pageCount, MaximumPageCount);
        PageCount = pageCount;
        int blocks = (int)((pageCount + PagesPerBlock - 1) / PagesPerBlock);
        _blocks = new byte[]?[blocks];
        _set = new int[blocks];
        Unsaved = new DirtyBlocks(blocks);
        Unsynced = new DirtyBlocks(blocks);
    }

    /// <summary>Pages of the dump, holes included.</summary>
    public ulong PageCount { get; }

    /// <summary>Pages accounted for so far.</summary>
    public ulong Accounted { get; private set; }

    /// <summary>Whether every page is accounted for.</summary>
    public bool IsComplete => Accounted == PageCount;

    /// <summary>Blocks that changed since they were last saved.</summary>
    public DirtyBlocks Unsaved { get; }

    /// <summary>Blocks that changed since they were last taken to be saved behind a sync of the pages.</summary>
    public DirtyBlocks Unsynced { get; }

    /// <summary>Number of blocks of the bitmap.</summary>
    public int BlockCount => _blocks.Length;

    /// <summary>Whether a page is accounted for; false outside the dump.</summary>
    /// <param name="pfn">Page frame number.</param>
    public bool Contains(ulong pfn) =>
        pfn < PageCount && (Block((int)(pfn / PagesPerBlock))[(int)(pfn % PagesPerBlock) >> 3] >> (int)(pfn & 7) & 1) != 0;

    /// <summary>Accounts for one page.</summary>
    /// <param name="pfn">Page frame number.</param>
    /// <returns>False when the page was accounted for already, or lies outside the dump.</returns>
    public bool Add(ulong pfn)
    {
        if (pfn >= PageCount || Contains(pfn))
            return false;
        int block = (int)(pfn / PagesPerBlock);
        byte[] bits = _blocks[block] ??= new byte[BlockBytes];
        bits[(int)(pfn % PagesPerBlock) >> 3] |= (byte)(1 << (int)(pfn & 7));
        Count(block, 1);
        return true;
    }

    /// <summary>Accounts for a range of pages, cut at the end of the dump, in time of its words and blocks.</summary>
    /// <param name="first">First page frame number.</param>
    /// <param name="count">Number of pages.</param>
    /// <returns>Pages that were not accounted for before.</returns>
    public ulong AddRange(ulong first, ulong count)
    {
        if (first >= PageCount)
            return 0;
        ulong end = count > PageCount - first ? PageCount : first + count;
        ulong before = Accounted;
        while (first < end)
        {
            int block = (int)(first / PagesPerBlock);
            int from = (int)(first % PagesPerBlock);
            int to = (int)Math.Min((ulong)PagesPerBlock, end - (ulong)block * PagesPerBlock);
            if (_set[block] < PagesPerBlock)
                AddWithin(block, from, to);
            first += (ulong)(to - from);
        }

        return Accounted - before;
    }

    /// <summary>The bits of one block, 4096 bytes; bits past the end of the dump are clear.</summary>
    /// <param name="index">Index of the block.</param>
    public ReadOnlySpan<byte> Block(int index) =>
        _blocks[index] ?? (_set[index] == 0 ? Empty : Full);

    /// <summary>Replaces the bits of one block by stored ones; bits past the end of the dump are ignored. The block counts as changed.</summary>
    /// <param name="index">Index of the block.</param>
    /// <param name="bits">4096 bytes.</param>
    public void Load(int index, ReadOnlySpan<byte> bits)
    {
        Accounted -= (ulong)_set[index];
        _set[index] = 0;
        _blocks[index] = null;
        var loaded = new byte[BlockBytes];
        bits[..BlockBytes].CopyTo(loaded);
        ulong pages = Math.Min((ulong)PagesPerBlock, PageCount - (ulong)index * PagesPerBlock);
        if (pages < PagesPerBlock)
        {
            loaded.AsSpan((int)((pages + 7) / 8)).Clear();
            if (pages % 8 != 0)
                loaded[pages / 8] &= (byte)((1 << (int)(pages % 8)) - 1);
        }

        int set = 0;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(loaded))
            set += BitOperations.PopCount(word);
        if (set != 0)
        {
            _blocks[index] = loaded;
            Count(index, set);
        }
    }

    /// <summary>The first page, from a page on, that is not accounted for; <see cref="PageCount"/> when all are. In time of blocks and words.</summary>
    /// <param name="from">Page frame number to begin at.</param>
    public ulong NextMissing(ulong from)
    {
        while (from < PageCount)
        {
            int block = (int)(from / PagesPerBlock);
            if (_set[block] == 0)
                return from;
            if (_blocks[block] is { } bits && FirstClear(bits, (int)(from % PagesPerBlock)) is var clear and < PagesPerBlock)
                return Math.Min((ulong)block * PagesPerBlock + (ulong)clear, PageCount);
            from = (ulong)(block + 1) * PagesPerBlock;
        }

        return PageCount;
    }

    private static int FirstClear(byte[] bits, int from)
    {
        for (; from < PagesPerBlock && (from & 63) != 0; from++)
        {
            if ((bits[from >> 3] >> (from & 7) & 1) == 0)
                return from;
        }

        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bits.AsSpan());
        while (from < PagesPerBlock && words[from >> 6] == ulong.MaxValue)
            from += 64;
        for (; from < PagesPerBlock; from++)
        {
            if ((bits[from >> 3] >> (from & 7) & 1) == 0)
                return from;
        }

        return from;
    }

    private void AddWithin(int block, int from, int to)
    {
        if (to - from == PagesPerBlock)
        {
            Count(block, PagesPerBlock - _set[block]);
            return;
        }

        byte[] bits = _blocks[block] ??= new byte[BlockBytes];
        int added = 0;
        for (; from < to && (from & 7) != 0; from++)
            added += AddBit(bits, from);
        // Whole bytes from here: their words may be set without regard to byte order.
        int wholeEnd = to & ~7;
        while (from < wholeEnd && (from & 63) != 0)
        {
            added += 8 - BitOperations.PopCount(bits[from >> 3]);
            bits[from >> 3] = 0xff;
            from += 8;
        }

        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bits.AsSpan());
        for (; wholeEnd - from >= 64; from += 64)
        {
            added += 64 - BitOperations.PopCount(words[from >> 6]);
            words[from >> 6] = ulong.MaxValue;
        }

        for (; from < to; from++)
            added += AddBit(bits, from);
        Count(block, added);
    }

    private static int AddBit(byte[] bits, int index)
    {
        int mask = 1 << (index & 7);
        int added = (bits[index >> 3] & mask) == 0 ? 1 : 0;
        bits[index >> 3] |= (byte)mask;
        return added;
    }

    private void Count(int block, int added)
    {
        if (added == 0)
            return;
        Accounted += (ulong)added;
        _set[block] += added;
        Unsaved.Add(block);
        Unsynced.Add(block);
        if (_set[block] == PagesPerBlock)
            _blocks[block] = null;
    }

    private static byte[] CreateFull()
    {
        var full = new byte[BlockBytes];
        full.AsSpan().Fill(0xff);
        return full;
    }
}
