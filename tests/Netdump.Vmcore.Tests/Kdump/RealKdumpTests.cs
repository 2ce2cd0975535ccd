using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Kdump;

/// <summary>Dumps that makedumpfile 1.7.2 wrote of real 6.1 kernels, filtered at level 31.</summary>
public sealed class RealKdumpTests
{
    private static readonly string FiveLevels = SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31");
    private static readonly string FourLevels = SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");

    public static TheoryData<string, uint, ulong, ulong> Dumps => new()
    {
        { FiveLevels, 8, 131036, 23167 },
        { FourLevels, 6, 81888, 20209 },
    };

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item12_the_header_of_a_real_dump(string path, uint bitmapBlocks, ulong pages, ulong stored)
    {
        using var file = VmcoreFile.Open(path);
        var header = file.Kdump!;
        Assert.Equal((6, 4096, pages, 1u), (header.Version, header.BlockSize, header.PageCount, header.Status));
        Assert.Equal(4096 * (long)bitmapBlocks, header.BitmapLength);
        Assert.Equal(4096 * 3, header.BitmapOffset);
        Assert.True(header.Is64 && !header.IsBigEndian && !header.IsSplit && !header.HasSingleBitmap);
        Assert.Equal("x86_64", header.Utsname[4]);
        Assert.Equal(file.Info!.Release, header.Utsname[2]);
        Assert.Equal(file.Info.CrashTime, header.Timestamp);
        Assert.Equal(unchecked((ulong)file.Info.PhysicalBase!.Value), header.PhysicalBase);
        Assert.Equal(31, header.DumpLevel);
        Assert.Equal((pages, stored), (file.Physical.EndPage, ((KdumpMemory)file.Physical).StoredCount));
        Assert.Equal(2, file.Processors.Count);
        Assert.True(file.IsComplete);
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item16_every_stored_page_decodes_and_one_by_one_as_in_order(string path, uint bitmapBlocks, ulong pages, ulong stored)
    {
        _ = bitmapBlocks;
        using var file = VmcoreFile.Open(path);
        using var reader = file.Physical.OpenReader();
        var (decoded, zero) = (0UL, 0);
        var one = new byte[4096];
        for (var page = 0UL; page < pages; page++)
        {
            var state = reader.Read(page, out var bytes);
            Assert.Equal(file.Physical.StateOf(page), state);
            if (state != PageState.Present)
                continue;
            decoded++;
            zero += ZeroPage.IsZero(bytes) ? 1 : 0;
            if (page % 7 == 0)
            {
                Assert.Equal(PageState.Present, file.Physical.ReadInPage(page, 0, one));
                Assert.True(bytes.SequenceEqual(one));
            }
        }
        Assert.Equal(stored, decoded);
        Assert.Equal(path == FiveLevels ? 6488 : 5596, zero);
        Assert.Equal(PageState.NotMemory, file.Physical.StateOf(pages));
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void The_log_reads_through_the_page_tables(string path, uint bitmapBlocks, ulong pages, ulong stored)
    {
        _ = (bitmapBlocks, pages, stored);
        using var file = VmcoreFile.Open(path);
        Assert.Contains(file.ReadLog(), r => r.Text.Span.StartsWith("Kernel panic - not syncing: sysrq triggered crash"u8));
    }
}
