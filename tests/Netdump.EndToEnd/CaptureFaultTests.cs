namespace Netdump.EndToEnd;

/// <summary>Whatever happens in the capture kernel, the host is back.</summary>
public class CaptureFaultTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("kill")]
    [InlineData("memory")]
    public void A_child_lost_once_is_started_again_and_the_dump_arrives(string fault)
    {
        string scratch = Workspace.Scratch();
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        using Guest guest = new(Workspace.Kernel("6.1"), scratch,
            ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={server.Port}", $"CAPTURE_CMDLINE=netdump.rehearse={fault}"], "sysrq");
        guest.WaitForReboot(Limit);
        string crash = KernelCrashTests.WaitForCrash(server);
        Assert.Contains("sysrq triggered crash", File.ReadAllText(Path.Combine(crash, "log")), StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    [Theory]
    [InlineData("kill:always")]
    [InlineData("memory:always")]
    [InlineData("hang:always")]
    public void A_child_that_never_works_does_not_keep_the_host(string fault)
    {
        string scratch = Workspace.Scratch();
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        using Guest guest = new(Workspace.Kernel("6.1"), scratch,
            ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={server.Port}", $"CAPTURE_CMDLINE=netdump.rehearse={fault}", "GIVEUP_SECONDS=10"], "sysrq");
        guest.WaitForReboot(Limit);
        Assert.Contains("sysrq triggered crash", guest.Console, StringComparison.Ordinal);
        Assert.Contains("elfcorehdr=", guest.Console, StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void A_server_that_never_answers_does_not_keep_the_host()
    {
        string scratch = Workspace.Scratch();
        using Guest guest = new(Workspace.Kernel("6.12"), scratch,
            ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={DumpServer.FreePort()}", "GIVEUP_SECONDS=20"], "sysrq");
        guest.WaitForReboot(Limit);
        Assert.Contains("sysrq triggered crash", guest.Console, StringComparison.Ordinal);
        Assert.Contains("elfcorehdr=", guest.Console, StringComparison.Ordinal);
        Directory.Delete(scratch, true);
    }
}
