using CsCheck;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Storage;

public sealed class PageMapTests
{
    private static readonly Gen<(ulong First, ulong Count)> Range =
        Gen.Select(Gen.ULong[0, 140_000], Gen.OneOf(Gen.ULong[0, 70], Gen.ULong[0, 100_000], Gen.Const(ulong.MaxValue)));

    [Fact]
    public void Ranges_and_single_pages_add_up_as_in_a_plain_set() =>
        Gen.Select(Gen.ULong[1, 130_000], Range.Array[1, 12]).Sample((pages, ranges) =>
        {
            var map = new PageMap(pages);
            var model = new bool[pages];
            foreach ((ulong first, ulong count) in ranges)
            {
                ulong added = 0;
                for (ulong pfn = first; pfn < pages && pfn - first < count; pfn++)
                {
                    added += model[pfn] ? 0u : 1;
                    model[pfn] = true;
                }

                Assert.Equal(added, count == 1 ? map.Add(first) ? 1u : 0 : map.AddRange(first, count));
            }

            Assert.Equal((ulong)model.Count(set => set), map.Accounted);
            for (ulong pfn = 0; pfn < pages; pfn++)
            {
                if (model[pfn] != map.Contains(pfn))
                    Assert.Fail($"page {pfn} of {pages}");
            }

            Assert.False(map.Contains(pages));
            Assert.Equal(model.All(set => set), map.IsComplete);
        }, iter: 60);

    [Fact]
    public void A_page_counts_once_and_never_outside_the_dump()
    {
        var map = new PageMap(70);
        Assert.True(map.Add(69));
        Assert.False(map.Add(69));
        Assert.False(map.Add(70));
        Assert.Equal(0u, map.AddRange(70, 5));
        Assert.Equal(69u, map.AddRange(0, ulong.MaxValue));
        Assert.True(map.IsComplete);
    }

    [Fact]
    public void Four_billion_reserved_pages_cost_next_to_nothing()
    {
        var map = new PageMap(PageMap.MaximumPageCount);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(PageMap.MaximumPageCount - 6, map.AddRange(3, PageMap.MaximumPageCount - 6));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000);
        Assert.False(map.IsComplete);
        Assert.Throws<ArgumentOutOfRangeException>(() => new PageMap(PageMap.MaximumPageCount + 1));
    }

    [Fact]
    public void Only_blocks_that_changed_are_taken_once()
    {
        var map = new PageMap(10 * PageMap.PagesPerBlock);
        map.Add(0);
        map.AddRange(3 * PageMap.PagesPerBlock - 1, 2);
        Assert.Equal([0, 2, 3], TakeAll(map));
        Assert.Empty(TakeAll(map));
        map.Add(0);
        Assert.Empty(TakeAll(map));
        map.AddRange(5, 5L * PageMap.PagesPerBlock);
        Assert.Equal([0, 1, 2, 3, 4, 5], TakeAll(map));
    }

    private static List<int> TakeAll(PageMap map)
    {
        var taken = new List<int>();
        while (map.Unsaved.TryTake(out int index))
            taken.Add(index);
        return taken;
    }
}
