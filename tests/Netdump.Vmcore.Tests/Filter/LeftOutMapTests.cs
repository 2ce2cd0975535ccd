using CsCheck;
using Netdump.Vmcore.Filter;

namespace Netdump.Vmcore.Tests.Filter;

/// <summary>The map of left-out pages, asked as a server asks.</summary>
public class LeftOutMapTests
{
    [Fact]
    public void In_ascending_order_one_walk_tells_every_page()
    {
        using var file = VmcoreFile.Open(SharedData.FullCore);
        using var filter = new PageFilter(file, 31);
        var kept = SharedData.Unpacked("linux-7.3-sysrq-full", "keeps-d31.bin.zst");
        var ram = SharedData.Unpacked("linux-7.3-sysrq-full", "ram.bin.zst");
        var map = new LeftOutMap(filter, file.Physical);
        var chunk = new byte[1024];
        for (var first = 0; first < kept.Length; first += chunk.Length)
        {
            map.Copy((ulong)first * 8, chunk);
            for (var i = 0; i < chunk.Length; i++)
                Assert.Equal(first + i < kept.Length ? ram[first + i] & ~kept[first + i] : 0, chunk[i]);
        }
        Assert.Equal(1, map.Walks);
        Assert.False(map.Contains(ulong.MaxValue));
    }

    [Fact]
    public void In_any_order_every_page_is_told_right() =>
        Gen.Int[0, 6_000_000].Array[1, 40].Sample(asked =>
        {
            // Sparse: memory with page structures at the start, a hole, and memory far behind what the map holds at a time.
            var pages = new SyntheticPages(100_000);
            for (var page = 0; page < pages.Count; page += 7)
                pages.Set(page, mapping: 1);
            using var file = pages.Open(more: (5_000_000UL << 12, 1_000_000UL << 12));
            using var filter = new PageFilter(file, 8);
            var map = new LeftOutMap(filter, file.Physical);
            return asked.All(page => map.Contains((ulong)page) == (page < pages.Count && page % 7 == 0));
        }, iter: 30);
}
