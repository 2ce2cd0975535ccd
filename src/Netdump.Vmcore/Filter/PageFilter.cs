using System.Numerics;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Filter;

/// <summary>
/// Leaves out pages by what the kernel used them for, at makedumpfile's dump levels: 2 page cache, 4 page cache with private data too, 8 data of
/// processes, 16 free pages. Bit 1, pages of zeros, is the writers': their content decides. Poisoned and offline pages go at every level.
/// </summary>
/// <remarks>
/// Goes by VMCOREINFO alone, from one section of memory to the next: what is held at a time is a block's bits, whatever the machine's size.
/// A class whose keys VMCOREINFO lacks is kept, and told; kernel versions are never compared. Source of the rules: makedumpfile's
/// __exclude_unnecessary_pages. For one thread.
/// </remarks>
public sealed class PageFilter : IDisposable
{
    private const int ClassBits = 2 | 4 | 8 | 16;

    private readonly PhysicalMemory _memory;
    private readonly Action<ulong, ulong>? _progress;
    private readonly List<KeptClass> _kept = [];
    private readonly PageClasses? _classes;
    private readonly PageArray? _array;
    private readonly PageReader? _pages;
    private readonly StructureReader? _structures;
    private readonly ulong[] _keep = new ulong[BlockPages / 64];
    private readonly ulong[] _stored = new ulong[BlockPages / 64];
    private readonly ulong[] _counts = new ulong[(int)PageKind.Offline + 1];
    private readonly int _chunk;
    private ulong _blockFirst;
    private ulong _rangeEnd;
    private PageKind _rangeKind;
    private ulong _unreadable;

    /// <summary>Finds what the level needs.</summary>
    /// <param name="source">The dump; stays the caller's.</param>
    /// <param name="level">Dump level, 0 to 31.</param>
    /// <param name="isMapped">Whether the source is mapped: for /proc/vmcore.</param>
    /// <param name="progress">Is told the page a walk has come to and the one behind the last, now and then.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public PageFilter(VmcoreFile source, int level, bool isMapped = false, Action<ulong, ulong>? progress = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(level);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, 31);
        _memory = source.Physical;
        _progress = progress;
        Level = level;
        if (source.Info is not { } info)
        {
            KeepAll("the dump carries no VMCOREINFO");
            return;
        }
        if (source.IsBigEndian)
        {
            KeepAll("page structures of big-endian machines are not read");
            return;
        }
        var classes = new PageClasses(info, level, BitOperations.Log2((uint)_memory.PageSize));
        if (!classes.JudgesAnything)
        {
            _kept.AddRange(classes.Kept);
            return;
        }
        try
        {
            var kernel = source.OpenKernelMemory();
            _array = new PageArray(kernel, info, classes.Size, _memory.Ranges);
            _pages = _memory.OpenReader(isMapped);
            _structures = new StructureReader(kernel, _pages, _memory.PageSize);
            _classes = classes;
            _kept.AddRange(classes.Kept);
            // One page of structures at a time: behind the first of a large free block none is read.
            _chunk = Math.Max(64, (int)BitOperations.RoundUpToPowerOf2((uint)(_memory.PageSize / classes.Size) / 2 + 1));
        }
        catch (VmcoreFormatException failure)
        {
            KeepAll(failure.Message);
        }
    }

    /// <summary>The dump level.</summary>
    public int Level { get; }

    /// <summary>Classes of the level that are kept, because nothing tells their pages.</summary>
    public IReadOnlyList<KeptClass> Kept => _kept;

    /// <summary>What the last walk found.</summary>
    public FilterCounts Counts => new(
        _counts[(int)PageKind.Free], _counts[(int)PageKind.Cache], _counts[(int)PageKind.PrivateCache], _counts[(int)PageKind.User],
        _counts[(int)PageKind.Poisoned], _counts[(int)PageKind.Offline], _classes?.UnknownKinds ?? 0, _classes?.BadOrders ?? 0, _unreadable);

    /// <summary>Goes once through all pages; a <see cref="PageSelection"/>.</summary>
    /// <param name="block">Is called for each block of pages that has memory in it.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public void Select(PageBlock block)
    {
        foreach (ulong first in Blocks())
            block(first, _keep);
    }

    /// <summary>Pages of a block, a multiple of 64; blocks begin at multiples of it.</summary>
    internal const int BlockPages = 32 << 10;

    /// <summary>The bits of the block that <see cref="Blocks"/> has come to.</summary>
    internal ReadOnlySpan<ulong> Keep => _keep;

    /// <summary>Goes once through all blocks that have memory in them: the first page of each. One walk at a time.</summary>
    internal IEnumerable<ulong> Blocks()
    {
        Array.Clear(_counts);
        _classes?.Reset();
        (_unreadable, _rangeEnd) = (0, 0);
        var next = 0UL;
        foreach (var range in _memory.Ranges)
        {
            for (var at = Math.Max(next, range.First / BlockPages); at * BlockPages < range.End; at++)
            {
                _blockFirst = at * BlockPages;
                _memory.CopyMemoryBits(_blockFirst, _keep);
                if (_classes is not null)
                    Exclude();
                yield return _blockFirst;
                _progress?.Invoke(_blockFirst, _memory.EndPage);
                next = at + 1;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _pages?.Dispose();

    private void KeepAll(string reason)
    {
        foreach (var (bit, name) in (ReadOnlySpan<(int, string)>)[(16, "free"), (4, "private cache"), (2 | 4, "cache"), (8, "user")])
            if ((Level & bit & ClassBits) != 0)
                _kept.Add(new KeptClass(name, reason));
    }

    private void Exclude()
    {
        _memory.CopyStoredBits(_blockFirst, _stored);
        var end = _blockFirst + BlockPages;
        var page = _blockFirst;
        if (_rangeEnd > page)
            page = ClearRange(page); // of a block before
        var chunk = Math.Min((ulong)_chunk, _array!.SectionPages);
        while (page < end)
        {
            var chunkEnd = (page | (chunk - 1)) + 1;
            page = HasMemory(page, chunkEnd) ? ExcludeChunk(page, chunkEnd) : chunkEnd;
        }
    }

    private ulong ExcludeChunk(ulong page, ulong end)
    {
        var size = _classes!.Size;
        if (!_array!.TryFind(page, out var address))
            return end; // memory without page structures: never the page allocator's
        if (!_structures!.TryRead(address, (int)(end - page) * size, out var structures))
        {
            _unreadable += CountKept(page, end);
            return end;
        }
        while (page < end)
        {
            if (IsMemory(page))
            {
                var next = structures.Length > size ? structures.Slice(size, size) : default;
                var kind = _classes.Judge(structures[..size], next, page, out var order);
                if (kind != PageKind.Kept)
                {
                    (_rangeKind, _rangeEnd) = (kind, page + (1UL << order));
                    var behind = ClearRange(page);
                    if (behind >= end)
                        return behind;
                    structures = structures[((int)(behind - page) * size)..];
                    page = behind;
                    continue;
                }
            }
            page++;
            structures = structures[size..];
        }
        return page;
    }

    /// <summary>Leaves out the range's pages that lie in this block, and counts those that the source has.</summary>
    private ulong ClearRange(ulong page)
    {
        var end = Math.Min(_rangeEnd, _blockFirst + BlockPages);
        for (var at = page; at < end;)
        {
            var word = (int)((at - _blockFirst) / 64);
            var last = Math.Min(end, _blockFirst + (ulong)(word + 1) * 64);
            var mask = ulong.MaxValue >> (int)(64 - (last - at)) << (int)(at % 64);
            _counts[(int)_rangeKind] += (ulong)BitOperations.PopCount(_keep[word] & _stored[word] & mask);
            _keep[word] &= ~mask;
            at = last;
        }
        return end;
    }

    private bool IsMemory(ulong page) => PageBits.Test(_keep, (int)(page - _blockFirst));

    private bool HasMemory(ulong page, ulong end)
    {
        for (var word = (int)((page - _blockFirst) / 64); word < (int)((end - _blockFirst + 63) / 64); word++)
            if (_keep[word] != 0)
                return true;
        return false;
    }

    private ulong CountKept(ulong page, ulong end)
    {
        var count = 0UL;
        for (; page < end; page++)
            count += IsMemory(page) ? 1UL : 0;
        return count;
    }
}
