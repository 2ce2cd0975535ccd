using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>The commands of the original, word for word, on Debian: where process 1 is systemd, and where nothing of it runs.</summary>
public sealed class ServiceTests
{
    // What a client says to a server that takes no more than its log; enough to see that a service receives.
    private const string Dump = $"netdump send /root/vmcore --classic --server 127.0.0.1:6666";

    [Fact]
    public void Without_systemd_the_server_is_started_stopped_and_asked_by_service()
    {
        using Box box = new(systemd: false);
        box.Install();
        box.Install(); // over itself, as an upgrade does
        Assert.Contains("is not running", box.Fail("service netdump-server status"), StringComparison.Ordinal);
        Assert.Contains("netdump-server started", box.Succeed("service netdump-server start"), StringComparison.Ordinal);
        Assert.Contains("is running already", box.Succeed("service netdump-server start"), StringComparison.Ordinal);
        Assert.Contains("netdump-server is running (pid", box.Succeed("service netdump-server status"), StringComparison.Ordinal);
        Assert.Equal("netdump", box.Succeed("stat -c %U /proc/$(cat /run/netdump-server.pid)"));
        SendAndAnalyse(box);
        Assert.Contains("reads its settings again", box.Succeed("service netdump-server reload"), StringComparison.Ordinal);
        box.Succeed("service netdump-server restart");
        box.Succeed("service netdump-server stop && ! service netdump-server status");
        // A server that cannot start is not one that was started.
        using (Command other = box.Start("exec netdump-server --store /tmp/other --secure-port none"))
        {
            other.WaitForLine("listening", TimeSpan.FromSeconds(30));
            Assert.Contains("port 6666 is in use", box.Fail("service netdump-server start"), StringComparison.Ordinal);
        }

        box.Fail("service netdump-server status");
    }

    [Fact]
    public void Without_systemd_the_client_is_commanded_by_service()
    {
        using Box box = new(systemd: false);
        box.Install();
        // In a box no kernel can be armed: that each command comes to netdump, and its exit status back, is what is seen here.
        foreach (string action in new[] { "start", "restart", "status", "stop" })
        {
            (int exit, string direct) = box.Run($"netdump {action} 2>&1");
            (int byService, string output) = box.Run($"service netdump {action} 2>&1");
            Assert.True(exit == byService && output.Length > 0 && Stable(direct) == Stable(output), $"{action}: {exit} {direct}\nby service: {byService} {output}");
        }

        Assert.Contains("usage:", box.Fail("service netdump nonsense"), StringComparison.Ordinal);
    }

    [Fact]
    public void With_systemd_the_server_runs_in_its_sandbox_and_its_analysis_too()
    {
        using Box box = new(systemd: true);
        box.Install();
        box.Succeed("service netdump-server start");
        Assert.Equal("active", box.Succeed("systemctl is-active netdump-server"));
        string process = box.Succeed("systemctl show -p MainPID --value netdump-server");
        Assert.Contains("Seccomp:\t2", box.Succeed($"cat /proc/{process}/status"), StringComparison.Ordinal);
        Assert.Contains("CapBnd:\t0000000000000000", box.Succeed($"cat /proc/{process}/status"), StringComparison.Ordinal);
        SendAndAnalyse(box);
        box.Succeed("systemctl reload netdump-server && service netdump-server restart");
        Assert.Contains("active (running)", box.Succeed("/etc/init.d/netdump-server status"), StringComparison.Ordinal);
        box.Succeed("service netdump-server stop");
        Assert.Equal("success", box.Succeed("systemctl show -p Result --value netdump-server"));
        Assert.DoesNotContain("listening", box.Run("ls /var/log/netdump-server.log").Output, StringComparison.Ordinal);
        // netdump.service is refused in a container: that is systemd's answer, so systemd was asked.
        Assert.Contains("netdump.service", box.Run("service netdump status").Output, StringComparison.Ordinal);
        // An action that systemd does not know goes to the script all the same.
        Assert.Equal(box.Run("netdump propagate 2>&1").Output, box.Run("service netdump propagate 2>&1").Output);
    }

    private static void SendAndAnalyse(Box box)
    {
        string scratch = Workspace.Scratch();
        Workspace.WriteCore(Path.Combine(scratch, "vmcore"), pages: 200);
        box.Put(Path.Combine(scratch, "vmcore"), "/root/vmcore");
        Directory.Delete(scratch, recursive: true);
        box.Succeed(Dump);
        box.WaitFor(() => box.Run("cat /var/crash/127.0.0.1-*/report.json").ExitCode == 0, "ls -l /var/crash/*; cat /var/log/netdump-server.log || journalctl -u netdump-server");
        Assert.Equal("", box.Succeed("cmp /root/vmcore /var/crash/127.0.0.1-*/vmcore"));
        box.Succeed("cd /root && netdump keygen --key sender --name sender && netdump-server enrol sender.pub");
        box.Put(SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump"), "/root/real");
        box.Succeed("netdump send /root/real --server 127.0.0.1:6667 --key /root/sender --pin $(netdump-server fingerprint)");
        Assert.Matches(@"(?m)^sender  \S+  \S+ \(complete\)", box.Succeed("netdump-server hosts"));
    }

    // Times and process ids differ from call to call.
    private static string Stable(string text) => System.Text.RegularExpressions.Regex.Replace(text, @"[0-9]+(\.[0-9]+)?", "#");
}
