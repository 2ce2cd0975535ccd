using CsCheck;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Storage;

public sealed class SessionFileTests
{
    internal static SessionHeader Header(ulong pages) => new()
    {
        State = SessionState.Receiving,
        Version = 5,
        PageOffset = 0xffff_8880_0000_0000,
        Boot = SessionFile.CurrentBoot,
        Address = "192.0.2.7",
        Port = 6666,
        Started = new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.FromHours(2)),
        Machine = 62,
        PageSize = 4096,
        PageCount = pages,
        Extension = true,
        Magic = "1111111122222222",
        TaskStruct = 0xffff_8880_0123_4567,
        KernelHeader = true,
        HeaderBytes = 8192,
    };

    [Fact]
    public void Header_and_map_come_back() =>
        Gen.Select(Gen.ULong[1, 300_000], Gen.Select(Gen.ULong[0, 300_000], Gen.ULong[1, 40_000]).Array[0, 6]).Sample((pages, ranges) =>
        {
            using var crash = new TemporaryCrash();
            var map = new PageMap(pages);
            using (SessionFile file = SessionFile.Create(crash.Directory, Header(pages)))
            {
                foreach ((ulong first, ulong count) in ranges)
                {
                    map.AddRange(first, count);
                    file.Save(map);
                }
            }

            SessionFile.Read(crash.Directory.File(SessionFile.FileName), out SessionHeader header, out PageMap read, out _);
            Assert.Equal(Header(pages), header);
            Assert.Equal(map.Accounted, read.Accounted);
            for (int block = 0; block < map.BlockCount; block++)
                Assert.True(map.Contains(pages - 1) == read.Contains(pages - 1) && Same(map, read, block, pages));
        }, iter: 30);

    [Fact]
    public void A_save_writes_what_changed_and_leaves_the_rest_a_hole()
    {
        using var crash = new TemporaryCrash();
        const ulong Pages = 100UL * 1024 * 1024;
        using SessionFile file = SessionFile.Create(crash.Directory, Header(Pages));
        var map = new PageMap(Pages);
        map.Add(1);
        map.Add(Pages - 1);
        file.Save(map);
        Assert.InRange(crash.DiskBytes(SessionFile.FileName), 1, 64 * 1024);
        Assert.Equal(4096 + 2 * (long)Pages / 8, new FileInfo(crash.Directory.File(SessionFile.FileName)).Length);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(crash.Directory.File(SessionFile.FileName)));
    }

    [Fact]
    public void A_large_range_is_spread_over_several_saves()
    {
        using var crash = new TemporaryCrash();
        const ulong Pages = 700UL * PageMap.PagesPerBlock;
        using SessionFile file = SessionFile.Create(crash.Directory, Header(Pages));
        var map = new PageMap(Pages);
        map.AddRange(0, Pages);
        file.Save(map);
        Assert.Equal(512UL * PageMap.PagesPerBlock, Accounted(crash));
        file.Save(map);
        Assert.Equal(Pages, Accounted(crash));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(4096)]
    [InlineData(8191)]
    public void A_file_cut_short_is_refused(int length)
    {
        using var crash = new TemporaryCrash();
        SessionFile.Create(crash.Directory, Header(100)).Dispose();
        string path = crash.Directory.File(SessionFile.FileName);
        using (FileStream stream = File.OpenWrite(path))
            stream.SetLength(length);
        Assert.Throws<InvalidDataException>(() => SessionFile.Read(path, out _, out _, out _));
    }

    [Fact]
    public void Random_bytes_are_refused_as_data() =>
        Gen.Byte.Array[0, 9000].Sample(bytes =>
        {
            using var crash = new TemporaryCrash();
            string path = crash.Directory.File(SessionFile.FileName);
            File.WriteAllBytes(path, bytes);
            Assert.Throws<InvalidDataException>(() => SessionFile.Read(path, out _, out _, out _));
        }, iter: 50);

    [Fact]
    public void After_another_boot_of_the_machine_only_what_was_synced_is_believed()
    {
        using var crash = new TemporaryCrash();
        const ulong Pages = 200_000;
        var map = new PageMap(Pages);
        using (SessionFile file = SessionFile.Create(crash.Directory, Header(Pages) with { Boot = "another" }))
        {
            map.AddRange(10, 50_000);
            file.Save(map);
            file.SaveSynced(SessionFile.TakeUnsynced(map));
            map.AddRange(100_000, 1000);
            file.Save(map);
        }

        SessionFile.Read(crash.Directory.File(SessionFile.FileName), out SessionHeader header, out PageMap received, out PageMap synced);
        Assert.Equal((50_000UL, 50_000UL), (received.Accounted, synced.Accounted));
        // Gone on with in this boot: both maps come along, and what is received from here on counts in it.
        using (SessionFile file = SessionFile.Create(crash.Directory, header with { Boot = SessionFile.CurrentBoot }, received, synced))
        {
            received.Add(150_000);
            file.Save(received);
        }

        SessionFile.Read(crash.Directory.File(SessionFile.FileName), out _, out received, out synced);
        Assert.Equal((50_001UL, 50_000UL), (received.Accounted, synced.Accounted));
    }

    private static ulong Accounted(TemporaryCrash crash)
    {
        SessionFile.Read(crash.Directory.File(SessionFile.FileName), out _, out PageMap map, out _);
        return map.Accounted;
    }

    private static bool Same(PageMap left, PageMap right, int block, ulong pages)
    {
        ulong end = Math.Min(pages, (ulong)(block + 1) * PageMap.PagesPerBlock);
        for (ulong pfn = (ulong)block * PageMap.PagesPerBlock; pfn < end; pfn++)
        {
            if (left.Contains(pfn) != right.Contains(pfn))
                return false;
        }

        return true;
    }
}
