using System.Text.RegularExpressions;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>What the README shows is what happens: each command there is run by a test.</summary>
public partial class DocumentationTests
{
    private const string Server = "netdump-server --store ./crash --listen 127.0.0.1 --port 6666";
    private const string Send = "netdump send vmcore --classic --server 127.0.0.1:6666";

    private const string Keygen = "netdump keygen --key ./web-17 --name web-17";
    private const string Enrol = "netdump-server enrol ./web-17.pub --store ./crash";
    private const string SendSecurely = "netdump send vmcore --server 127.0.0.1:6667 --key ./web-17 --pin \"$(netdump-server fingerprint --store ./crash)\"";
    private const string Hosts = "netdump-server hosts --store ./crash";
    private const string Revoke = "netdump-server revoke web-17 --store ./crash";

    private const string Filter = "netdump filter vmcore vmcore.small";
    private const string Report = "netdump report vmcore | head -n 20";
    private const string Dmesg = "netdump dmesg vmcore.small | grep 'Kernel panic'";

    /// <summary>Commands of the README and the tests that run them.</summary>
    private static readonly Dictionary<string, string> RunBy = new()
    {
        ["make demo"] = nameof(The_demo_ends_with_log_vmcore_and_the_panic),
        ["make test"] = "the run that this test is a part of",
        [Server] = nameof(The_tour_of_server_and_send_works_as_written),
        [Send] = nameof(The_tour_of_server_and_send_works_as_written),
        [Keygen] = nameof(The_tour_of_encrypted_dumps_works_as_written),
        [Enrol] = nameof(The_tour_of_encrypted_dumps_works_as_written),
        [SendSecurely] = nameof(The_tour_of_encrypted_dumps_works_as_written),
        [Hosts] = nameof(The_tour_of_encrypted_dumps_works_as_written),
        [Revoke] = nameof(The_tour_of_encrypted_dumps_works_as_written),
        [Report] = nameof(The_tour_of_report_filter_and_dmesg_works_as_written),
        [Filter] = nameof(The_tour_of_report_filter_and_dmesg_works_as_written),
        [Dmesg] = nameof(The_tour_of_report_filter_and_dmesg_works_as_written),
        // The guest's init shows and runs these.
        ["cat /etc/netdump.conf"] = nameof(KernelCrashTests),
        ["netdump start"] = nameof(KernelCrashTests),
        ["netdump status"] = nameof(KernelCrashTests),
        ["netdump watch"] = nameof(StatusTests),
        ["service netdump propagate"] = nameof(SecureCrashTests),
        ["service netdump restart"] = nameof(SecureCrashTests),
    };

    [Fact]
    public void Every_command_of_the_README_is_run_by_a_test()
    {
        string readme = File.ReadAllText(Path.Combine(Workspace.Root, "README.md"));
        string[] shown = [.. CommandLine().Matches(readme).Select(m => m.Groups["command"].Value)];
        Assert.NotEmpty(shown);
        Assert.All(shown, command => Assert.True(RunBy.ContainsKey(command), $"no test runs `{command}` of the README"));
        Assert.All(RunBy.Keys, command => Assert.Contains(command, shown));
    }

    [Fact]
    public void The_demo_ends_with_log_vmcore_and_the_panic()
    {
        Dictionary<string, string> environment = new() { ["PORT"] = $"{DumpServer.FreePort()}" };
        using Command demo = new(Path.Combine(Workspace.Root, "scripts/demo"), [], environment: environment);
        int exit = demo.WaitForExit(TimeSpan.FromMinutes(3));
        Assert.True(exit == 0, demo.Output);
        Assert.Matches(@"console \| \[ +\d+\.\d+\] Kernel panic - not syncing: sysrq triggered crash", demo.Output);
        Assert.Matches(@"server  \| \[#.* % of [\d.]+ MiB", demo.Output);
        Assert.Matches(@"arrived:\n  \d+K\tdemo/crash/127\.0\.0\.1-[^/]*/log\n  [\d.]+K\tdemo/crash/127\.0\.0\.1-[^/]*/report\.txt\n  \d+M\tdemo/crash/127\.0\.0\.1-[^/]*/vmcore\n", demo.Output);
        Assert.Matches(@"\d+:\[ +\d+\.\d+\] Kernel panic - not syncing: sysrq triggered crash", demo.Output.Split("the panic, from")[1]);
        Assert.Contains("VERDICT   Crashed on purpose: init (PID 1) wrote to /proc/sysrq-trigger.", demo.Output.Split("what happened, from")[1], StringComparison.Ordinal);
    }

    [Fact]
    public void The_tour_of_server_and_send_works_as_written()
    {
        string scratch = Workspace.Scratch();
        Workspace.WriteCore(Path.Combine(scratch, "vmcore"), pages: 500);
        string port = $"{DumpServer.FreePort()}";
        using Command server = Shell(Server.Replace("6666", port, StringComparison.Ordinal), scratch);
        server.WaitForLine("listening on 127.0.0.1", TimeSpan.FromSeconds(30));
        using Command send = Shell(Send.Replace("6666", port, StringComparison.Ordinal), scratch);
        int exit = send.WaitForExit(TimeSpan.FromMinutes(1));
        Assert.True(exit == 0, send.Output + server.Output);
        server.WaitForLine("log complete", TimeSpan.FromSeconds(10));
        string crash = Assert.Single(Directory.GetDirectories(Path.Combine(scratch, "crash"), "127.0.0.1-*"));
        Assert.Equal(File.ReadAllBytes(Path.Combine(scratch, "vmcore")), File.ReadAllBytes(Path.Combine(crash, "vmcore")));
        server.Signal(15);
        Assert.Equal(0, server.WaitForExit(TimeSpan.FromSeconds(30)));
        Directory.Delete(scratch, true);
    }

    [Fact]
    public void The_tour_of_encrypted_dumps_works_as_written()
    {
        string scratch = Workspace.Scratch();
        Workspace.WriteCore(Path.Combine(scratch, "vmcore"), pages: 500);
        string port = $"{DumpServer.FreePort()}", secure = $"{DumpServer.FreePort()}";
        Run(Keygen);
        Assert.StartsWith("SHA256:", Run(Enrol).Split('\n').Last(l => l.Length > 0), StringComparison.Ordinal);
        using Command server = Shell($"{Server.Replace("6666", port, StringComparison.Ordinal)} --secure-port {secure}", scratch);
        server.WaitForLine("listening on 127.0.0.1", TimeSpan.FromSeconds(30));
        Run(SendSecurely.Replace("6667", secure, StringComparison.Ordinal));
        string crash = Assert.Single(Directory.GetDirectories(Path.Combine(scratch, "crash"), "127.0.0.1-*"));
        Assert.True(File.Exists(Path.Combine(crash, "vmcore")));
        Assert.Matches($@"NAME    SINCE       LAST DUMP +KEY\nweb-17  \d{{4}}-\d\d-\d\d  {Regex.Escape(Path.GetFileName(crash))} \(complete\)  SHA256:", Run(Hosts));
        Assert.Matches(@"web-17 is not enrolled any more \(key SHA256:", Run(Revoke));
        using Command refused = Shell(SendSecurely.Replace("6667", secure, StringComparison.Ordinal), scratch);
        Assert.NotEqual(0, refused.WaitForExit(TimeSpan.FromMinutes(1)));
        server.Signal(15);
        Assert.Equal(0, server.WaitForExit(TimeSpan.FromSeconds(30)));
        Directory.Delete(scratch, true);

        string Run(string line)
        {
            using Command command = Shell(line, scratch);
            int exit = command.WaitForExit(TimeSpan.FromMinutes(1));
            Assert.True(exit == 0, $"{line}:\n{command.Output}");
            return command.Output;
        }
    }

    [Fact]
    public void The_tour_of_report_filter_and_dmesg_works_as_written()
    {
        string scratch = Workspace.Scratch();
        File.CreateSymbolicLink(Path.Combine(scratch, "vmcore"), SharedData.FullCore);
        string readme = File.ReadAllText(Path.Combine(Workspace.Root, "README.md"));
        foreach (string line in (string[])[Report, Filter, Dmesg])
        {
            using Command command = new("sh", ["-c", line], scratch, Environment);
            int exit = command.WaitForExit(TimeSpan.FromMinutes(2));
            Assert.True(exit == 0, command.Output);
            // All that is printed stands in the README, but for the time it took.
            foreach (string printed in command.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
                Assert.Contains(Seconds().Replace(printed.Trim(), ""), Seconds().Replace(readme, ""), StringComparison.Ordinal);
        }
        Directory.Delete(scratch, true);
    }

    private static Dictionary<string, string> Environment => new()
    {
        ["PATH"] = $"{Path.GetDirectoryName(Workspace.Client)}:{Path.GetDirectoryName(Workspace.Server)}:{System.Environment.GetEnvironmentVariable("PATH")}",
    };

    private static Command Shell(string line, string directory) => new("sh", ["-c", "exec " + line], directory, Environment);

    [GeneratedRegex(", [0-9.]+ s\\b")]
    private static partial Regex Seconds();

    [GeneratedRegex(@"^\$ (?<command>.+)$", RegexOptions.Multiline)]
    private static partial Regex CommandLine();
}
