using Netdump.Vmcore;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>Pages that the client leaves out: a server of ours stores a dump that says so, which crash opens.</summary>
public sealed class LeftOutTests
{
    private const string Crash = "linux-7.3-sysrq-full";

    [Fact]
    public void A_dump_sent_at_level_31_holds_exactly_the_pages_that_makedumpfile_keeps()
    {
        string scratch = Workspace.Scratch();
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        using Command send = new(Workspace.Client,
            ["send", SharedData.FullCore, "--classic", "--server", $"127.0.0.1:{server.Port}", "--dump-level", "31", "--json"]);
        Assert.True(send.WaitForExit(TimeSpan.FromMinutes(2)) == 0, send.Output);
        string crash = KernelCrashTests.WaitForCrash(server);
        byte[] keeps = SharedData.Unpacked(Crash, "keeps-d31.bin.zst");
        using VmcoreFile source = VmcoreFile.Open(SharedData.FullCore), stored = VmcoreFile.Open(Path.Combine(crash, "vmcore"));
        Assert.True(stored.IsComplete);
        byte[] expected = new byte[4096], page = new byte[4096];
        foreach (PageRange range in source.Physical.Ranges)
        {
            for (ulong pfn = range.First; pfn < range.End; pfn++)
            {
                bool isKept = (keeps[pfn / 8] >> (int)(pfn % 8) & 1) != 0;
                Assert.Equal(isKept ? PageState.Present : PageState.Excluded, stored.Physical.ReadInPage(pfn, 0, page));
                if (!isKept)
                    continue;
                source.Physical.ReadInPage(pfn, 0, expected);
                Assert.True(expected.AsSpan().SequenceEqual(page), $"page 0x{pfn:x} differs");
            }
        }

        Assert.Equal(0, server.Stop());
        Directory.Delete(scratch, recursive: true);
    }

    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    public void A_host_that_crashes_sends_what_analysis_needs_and_crash_opens_it(string series)
    {
        TestKernel kernel = Workspace.Kernel(series);
        string scratch = Workspace.Scratch();
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        using Guest guest = new(kernel, scratch, ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={server.Port}", "DUMPLEVEL=31"], "sysrq");
        guest.WaitForReboot(TimeSpan.FromMinutes(3));
        string crash = KernelCrashTests.WaitForCrash(server), vmcore = Path.Combine(crash, "vmcore");
        using (VmcoreFile stored = VmcoreFile.Open(vmcore))
        {
            PageCounts pages = stored.Physical.CountPages();
            Assert.True(stored.IsComplete && stored.Kdump is not null);
            Assert.InRange(pages.Stored, pages.Memory / 20, pages.Memory / 2);
        }

        Assert.Contains("sysrq_handle_crash", CrashUtility.Run(kernel, vmcore, "bt"), StringComparison.Ordinal);
        Assert.Equal(0, server.Stop());
        Directory.Delete(scratch, recursive: true);
    }
}
