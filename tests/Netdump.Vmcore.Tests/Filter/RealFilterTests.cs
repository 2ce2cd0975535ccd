using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Filter;

/// <summary>The filter on real dumps, against the sets of pages that makedumpfile keeps.</summary>
public class RealFilterTests
{
    [Theory]
    [InlineData("linux-7.3-sysrq-full", 0)]
    [InlineData("linux-7.3-sysrq-full", 1)]
    [InlineData("linux-7.3-sysrq-full", 2)]
    [InlineData("linux-7.3-sysrq-full", 4)]
    [InlineData("linux-7.3-sysrq-full", 8)]
    [InlineData("linux-7.3-sysrq-full", 16)]
    [InlineData("linux-7.3-sysrq-full", 31)]
    [InlineData("linux-6.12-arm64-sysrq", 0)]
    [InlineData("linux-6.12-arm64-sysrq", 1)]
    [InlineData("linux-6.12-arm64-sysrq", 2)]
    [InlineData("linux-6.12-arm64-sysrq", 4)]
    [InlineData("linux-6.12-arm64-sysrq", 8)]
    [InlineData("linux-6.12-arm64-sysrq", 16)]
    [InlineData("linux-6.12-arm64-sysrq", 31)]
    public void Item43_each_level_keeps_what_makedumpfile_keeps(string crash, int level)
    {
        using var file = VmcoreFile.Open(SharedData.UnpackedPath(crash, "vmcore.elf.zst"));
        using var filter = new PageFilter(file, level);
        Assert.Empty(filter.Kept);
        Assert.Equal([], Differing(SyntheticPages.KeptPages(filter), SharedData.Unpacked(crash, $"keeps-d{level}.bin.zst")));
        Assert.Equal((0UL, 0UL, 0UL), (filter.Counts.BadOrder, filter.Counts.Unreadable, filter.Counts.UnknownKind));
    }

    [Fact]
    public void Item43_all_32_levels_follow_from_the_single_ones()
    {
        using var file = VmcoreFile.Open(SharedData.FullCore);
        var single = new Dictionary<int, byte[]>();
        foreach (var bit in (int[])[0, 1, 2, 4, 8, 16])
            single[bit] = SharedData.Unpacked("linux-7.3-sysrq-full", $"keeps-d{bit}.bin.zst");
        for (var level = 0; level < 32; level++)
        {
            using var filter = new PageFilter(file, level);
            // A page is of one kind, so what a level leaves out is what its bits leave out.
            var expected = single[0].ToArray();
            foreach (var bit in (int[])[1, 2, 4, 8, 16])
                if ((level & bit) != 0)
                    for (var i = 0; i < expected.Length; i++)
                        expected[i] &= single[bit][i];
            Assert.Equal([], Differing(SyntheticPages.KeptPages(filter), expected));
        }
    }

    [Theory]
    [InlineData("linux-6.1-sysrq", "vmcore.kdump-zlib-d31", 23167)]
    [InlineData("linux-6.1-sysrq-4level", "vmcore.kdump", 20209)]
    public void Item44_a_filtered_dump_proves_its_own_filter(string crash, string dump, int stored)
    {
        using var file = VmcoreFile.Open(SharedData.File(crash, dump));
        using var filter = new PageFilter(file, 31);
        var kept = SyntheticPages.KeptPages(filter);
        var expected = new byte[kept.Length];
        var bits = new ulong[(kept.Length + 7) / 8];
        file.Physical.CopyStoredBits(0, bits);
        System.Runtime.InteropServices.MemoryMarshal.AsBytes<ulong>(bits)[..kept.Length].CopyTo(expected);
        Assert.Equal(stored, PageBits.Count(bits));
        Assert.Equal([0x9fL], Differing(kept, expected)); // the partial last page of a range, which makedumpfile 1.7.2 rounded away
        Assert.Equal(0UL, filter.Counts.Excluded); // of what is still in the dump
        Assert.Empty(filter.Kept);
    }

    [Fact]
    public void Item53_the_partial_last_page_of_a_range_is_kept()
    {
        using var file = VmcoreFile.Open(SharedData.FullCore);
        using var filter = new PageFilter(file, 31);
        Assert.NotEqual(0, SyntheticPages.KeptPages(filter)[0x9f / 8] & (1 << (0x9f % 8)));
    }

    [Fact]
    public void Pages_are_counted_by_kind()
    {
        using var file = VmcoreFile.Open(SharedData.FullCore);
        using var filter = new PageFilter(file, 31);
        SyntheticPages.KeptPages(filter);
        var counts = filter.Counts;
        // The kept sets: RAM 77695; level 0 leaves out 2049, 2 7599 more, 4 9595, 16 29027; the poisoned page is anonymous, so level 8 takes it.
        Assert.Equal((29027UL, 7599UL, 1996UL, 2048UL), (counts.Free, counts.Cache, counts.PrivateCache, counts.Offline));
        Assert.Equal((10245UL, 0UL), (counts.User, counts.Poisoned));
        Assert.Equal(77695UL - 26780, counts.Excluded);
        using var none = new PageFilter(file, 0);
        SyntheticPages.KeptPages(none);
        Assert.Equal((1UL, 2048UL, 2049UL), (none.Counts.Poisoned, none.Counts.Offline, none.Counts.Excluded));
    }

    [Fact]
    public void Every_walk_gives_the_same_bits()
    {
        using var file = VmcoreFile.Open(SharedData.FullCore);
        using var filter = new PageFilter(file, 31);
        var first = SyntheticPages.KeptPages(filter);
        var counts = filter.Counts;
        Assert.Equal(first, SyntheticPages.KeptPages(filter));
        Assert.Equal(counts, filter.Counts);
    }

    [Fact]
    public void A_mapped_source_gives_the_same_bits()
    {
        using var file = VmcoreFile.Open(SharedData.FullCore);
        using var read = new PageFilter(file, 31);
        using var mapped = new PageFilter(file, 31, isMapped: true);
        Assert.Equal(SyntheticPages.KeptPages(read), SyntheticPages.KeptPages(mapped));
    }

    /// <summary>One bit a page, as the second bitmap of a kdump-compressed dump.</summary>
    private static long[] Differing(byte[] one, byte[] other)
    {
        var differing = new List<long>();
        for (var i = 0L; i < Math.Max(one.Length, other.Length) * 8L; i++)
            if (Bit(one, i) != Bit(other, i) && differing.Count < 20)
                differing.Add(i);
        return [.. differing];

        static bool Bit(byte[] bits, long at) => at / 8 < bits.Length && (bits[at / 8] >> (int)(at % 8) & 1) != 0;
    }
}
