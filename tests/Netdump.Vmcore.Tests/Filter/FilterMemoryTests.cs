using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Tests.Filter;

/// <summary>The filter on machines of many sizes: what it takes of memory is that of the smallest.</summary>
public sealed class FilterMemoryTests
{
    private const long Bound = 8 << 20;

    [Fact]
    public void Item56_the_filter_of_64_GiB_takes_no_more_memory_than_that_of_1_GiB_and_little()
    {
        Measure(gibibytes: 1, out _); // what is made once a process
        var small = Measure(1, out var pagesOfSmall);
        var large = Measure(64, out var pagesOfLarge);
        Assert.Equal(pagesOfSmall * 64, pagesOfLarge);
        Assert.InRange(large, 0, Bound);
        Assert.InRange(large - small, -Bound, 256 << 10); // three iterators, not a bit a page: that would be 2 MiB
    }

    /// <summary>Bytes that opening, filtering and writing a dump allocate in all, freed or not.</summary>
    private static long Measure(int gibibytes, out ulong leftOut)
    {
        var pages = Machine(gibibytes);
        using var file = pages.Open(machinePages: (ulong)gibibytes << 18);
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var filter = new PageFilter(file, 31);
        var output = new NullOutput();
        // The caller's thread does all, so that all counts.
        var options = new WriteOptions { Codec = PageCodec.Zstd, DumpLevel = 31, Threads = 1 };
        var written = KdumpWriter.Write(file, filter.Select, output, options);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal((ulong)gibibytes << 18, written.MemoryPages);
        Assert.Empty(filter.Kept);
        // As many pages of each kind in each section; only the first few pages of memory are in the file, so nothing else counts.
        var kept = 0UL;
        foreach (var first in filter.Blocks())
        {
            kept += (ulong)PageBits.Count(filter.Keep);
        }
        leftOut = ((ulong)gibibytes << 18) - kept;
        Assert.Equal((ulong)gibibytes * 8 * (8192 + 100), leftOut);
        return allocated;
    }

    // One section's structures stand for all: 8 free blocks of 4 MiB, 100 pages of cache.
    private static SyntheticPages Machine(int gibibytes)
    {
        const int SectionPages = 32768;
        var pages = new SyntheticPages(SectionPages);
        for (var block = 0; block < 8; block++)
            pages.Set(16384 + block * 1024, mapCount: SyntheticPages.Buddy, @private: 10);
        for (var page = 9000; page < 9100; page++)
            pages.Set(page, SyntheticPages.Lru);
        for (var section = 1; section < gibibytes * 8; section++)
            pages.Section(section, (SyntheticPages.VirtualMap - (ulong)section * SectionPages * SyntheticPages.Size) | 0x2f);
        return pages;
    }

    private sealed class NullOutput : DumpOutput
    {
        public override void Write(long offset, ReadOnlySpan<byte> bytes) => BytesWritten += bytes.Length;

        public override void Extend(long length)
        {
        }

        public override void Finish()
        {
        }

        public override void Dispose()
        {
        }
    }
}
