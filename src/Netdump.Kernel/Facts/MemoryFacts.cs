namespace Netdump.Kernel.Facts;

/// <summary>One zone of memory.</summary>
/// <param name="Node">The node it is part of.</param>
/// <param name="Name">Its name: <c>DMA32</c>, <c>Normal</c>.</param>
/// <param name="Address">Its struct zone.</param>
/// <param name="StartPage">The number of its first page.</param>
/// <param name="SpannedPages">Pages from its first to its last.</param>
/// <param name="PresentPages">Pages that exist.</param>
/// <param name="ManagedPages">Pages that the allocator has.</param>
/// <param name="FreePages">Free pages.</param>
/// <param name="Min">The watermark below which only emergencies are served, in pages.</param>
/// <param name="Low">The watermark below which reclaim begins, in pages.</param>
/// <param name="High">The watermark at which reclaim ends, in pages.</param>
/// <param name="FreeBlocks">Free blocks by order: of 1 page, 2, 4 …</param>
/// <param name="Counters">All counters by the kernel's names, in pages.</param>
public sealed record MemoryZone(
    int Node, string Name, ulong Address, ulong StartPage, ulong SpannedPages, ulong PresentPages, ulong ManagedPages, ulong FreePages, ulong Min, ulong Low,
    ulong High, IReadOnlyList<ulong> FreeBlocks, IReadOnlyList<KeyValuePair<string, long>> Counters);

/// <summary>Huge pages of one size.</summary>
/// <param name="PageBytes">Bytes of such a page.</param>
/// <param name="Total">How many there are.</param>
/// <param name="Free">How many nobody uses.</param>
/// <param name="Reserved">How many are promised.</param>
public sealed record HugePages(ulong PageBytes, ulong Total, ulong Free, ulong Reserved);

/// <summary>One area to swap to.</summary>
/// <param name="Path">Its file or device; null when it cannot be read.</param>
/// <param name="Pages">Its size.</param>
/// <param name="Used">Pages of it in use.</param>
/// <param name="Priority">Its priority.</param>
public sealed record SwapArea(string? Path, ulong Pages, ulong Used, int Priority);

/// <summary>Memory. The kernel's global counters lag behind by up to 125 pages for each processor and counter.</summary>
/// <param name="PageSize">Bytes of a page.</param>
/// <param name="TotalPages">Pages that the kernel manages; null when that is not known.</param>
/// <param name="Counters">Global counters by the kernel's names (enums zone_stat_item and node_stat_item), in pages but for those whose name ends in _KB.</param>
/// <param name="Zones">Zones with memory, and those without.</param>
/// <param name="HugePages">Sizes of huge pages.</param>
/// <param name="SwapAreas">Where it could swap to.</param>
/// <param name="TotalSwapPages">All pages to swap to.</param>
/// <param name="FreeSwapPages">Those of them that are free.</param>
/// <param name="BufferPages">Pages of block devices in the page cache.</param>
/// <param name="CommitLimitPages">The most that may be promised to processes.</param>
/// <param name="CommittedPages">What is promised to them.</param>
/// <param name="OutOfMemoryKills">Processes that the kernel killed for memory since boot.</param>
public sealed record MemoryFacts(
    int PageSize, ulong? TotalPages, IReadOnlyDictionary<string, long> Counters, IReadOnlyList<MemoryZone> Zones, IReadOnlyList<HugePages> HugePages,
    IReadOnlyList<SwapArea> SwapAreas, ulong? TotalSwapPages, ulong? FreeSwapPages, ulong? BufferPages, ulong? CommitLimitPages, long? CommittedPages,
    ulong? OutOfMemoryKills)
{
    /// <summary>Free pages.</summary>
    public long? FreePages => Counter("NR_FREE_PAGES");

    /// <summary>Pages of files in memory, without those of block devices and of swapped ones.</summary>
    public long? CachedPages => Counter("NR_FILE_PAGES") is { } files ? Math.Max(0, files - (Counter("NR_SWAPCACHE") ?? 0) - (long)(BufferPages ?? 0)) : null;

    /// <summary>Pages of the slab allocator, those that can be had back among them.</summary>
    public long? SlabPages => (Counter("NR_SLAB_RECLAIMABLE_B") ?? Counter("NR_SLAB_RECLAIMABLE")) is { } back
        && (Counter("NR_SLAB_UNRECLAIMABLE_B") ?? Counter("NR_SLAB_UNRECLAIMABLE")) is { } kept ? back + kept : null;

    /// <summary>Pages of processes without a file behind them.</summary>
    public long? AnonymousPages => Counter("NR_ANON_MAPPED");

    /// <summary>Pages that exist, the kernel's own among them; null when no zone is known.</summary>
    public ulong? PresentPages => Zones.Count == 0 ? null : Zones.Aggregate(0UL, (sum, zone) => sum + zone.PresentPages);

    /// <summary>A global counter by the kernel's name; null when there is none.</summary>
    public long? Counter(string name) => Counters.TryGetValue(name, out var value) ? value : null;

    internal static MemoryFacts Read(CrashedKernel kernel) => new MemoryReading(kernel).Read();
}
