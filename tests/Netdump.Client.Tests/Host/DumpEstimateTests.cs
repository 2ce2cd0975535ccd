using Netdump.Client.Host;

namespace Netdump.Client.Tests.Host;

public sealed class DumpEstimateTests : IDisposable
{
    private readonly FakeHost _host = new();

    [Fact]
    public void What_the_capture_kernel_runs_in_is_not_dumped()
    {
        _host.Write("/proc/meminfo", "MemTotal:        3800000 kB\nMemFree:         1800000 kB\n");
        _host.Write("/proc/iomem", "00000000-00000fff : Reserved\n00100000-bfffffff : System RAM\n  04000000-0bffffff : Crash kernel\n  0c000000-0cffffff : Kernel code\nc0000000-ffffffff : PCI Bus 0000:00\n100000000-13fffffff : System RAM\n140000000-17fffffff : Persistent Memory\n  140000000-14fffffff : System RAM\n");
        _host.Write("/sys/class/net/eth0/speed", "2500\n");
        Check check = DumpEstimate.Examine(_host.Files, "eth0");
        Assert.Equal("at most 1.9 GiB of 3.9 GiB at level 31 (an original server takes all but zeros), 8 s at 2.5 Gbit/s", check.Fact);
        Assert.Equal("about 3.9 GiB of 3.9 GiB at level 15 (1.9 GiB are in use), 15 s at 2.5 Gbit/s", DumpEstimate.Examine(_host.Files, "eth0", 15).Fact);
    }

    [Theory]
    [InlineData("-1\n")]
    [InlineData("")]
    public void A_card_that_does_not_tell_its_speed_is_taken_for_a_usual_one(string speed)
    {
        _host.Write("/proc/meminfo", "MemTotal:        1048576 kB\nMemFree:          524288 kB\n");
        _host.Write("/sys/class/net/eth0/speed", speed);
        _host.Write("/proc/iomem", "00000000-00000000 : System RAM\n  00000000-00000000 : Crash kernel\n"); // as others than root see it
        Assert.Equal("at most 512 MiB of 1 GiB at level 31 (an original server takes all but zeros), 5 s at 1 Gbit/s, if the card does that: it does not tell",
            DumpEstimate.Examine(_host.Files, "eth0").Fact);
        Assert.Equal(CheckLevel.Unknown, DumpEstimate.Examine(new HostFiles("/nowhere"), null).Level);
    }

    public void Dispose() => _host.Dispose();
}
