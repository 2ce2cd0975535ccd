using System.Text.Json;
using System.Text.RegularExpressions;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>The server has finished dumps analysed by the client's program, which confines itself before it opens them.</summary>
public partial class AnalysisTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private static readonly string RealDump = SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");

    private static string Crash(string store, string dump = "vmcore")
    {
        string crash = Path.Combine(store, "127.0.0.1-2026-11-23-02:41");
        Directory.CreateDirectory(crash, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.Copy(RealDump, Path.Combine(crash, dump));
        return crash;
    }

    [Fact]
    public void A_dump_that_lay_there_without_a_report_gets_one_when_the_server_starts()
    {
        string scratch = Workspace.Scratch();
        string crash = Crash(Path.Combine(scratch, "crash"));
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        Assert.Contains("(c387c617f6670a05)", server.WaitForLine(@"\[350\]", Limit), StringComparison.Ordinal);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(Path.Combine(crash, "report.json")));
        Assert.Equal("c387c617f6670a05", report.RootElement.GetProperty("signature").GetProperty("id").GetString());
        Assert.Equal(61, report.RootElement.GetProperty("tasks").GetArrayLength());
        Assert.Contains("VERDICT", File.ReadAllText(Path.Combine(crash, "report.txt")), StringComparison.Ordinal);
        Assert.All(["report.json", "report.txt"], name =>
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(crash, name))));
        Assert.Equal(0, server.Stop());
        Directory.Delete(scratch, recursive: true);
    }

    /// <summary>Item 1 of the users' checklist and item 58 of the introspection's; what it takes is bench/report's matter, this is the promise.</summary>
    [Fact]
    public void User01_Item58_a_report_ends_within_5_seconds_and_opens_no_socket()
    {
        string trace = Path.Combine(Workspace.Scratch(), "trace");
        System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        Command.Succeed(Workspace.Client, "report", RealDump);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
        Command.Succeed("strace", "-f", "-o", trace, "-e", "trace=socket,connect,execve,openat,open", Workspace.Client, "report", RealDump);
        string[] calls = File.ReadAllLines(trace);
        Assert.DoesNotContain(calls, c => c.Contains("socket(", StringComparison.Ordinal));
        Assert.DoesNotContain(calls, c => c.Contains("O_WRONLY", StringComparison.Ordinal) || c.Contains("O_RDWR|O_CREAT", StringComparison.Ordinal));
        Directory.Delete(Path.GetDirectoryName(trace)!, recursive: true);
    }

    [Fact]
    public void What_no_analysis_can_read_costs_one_line()
    {
        string scratch = Workspace.Scratch();
        string crash = Path.Combine(scratch, "crash", "127.0.0.1-2026-11-23-02:41");
        Directory.CreateDirectory(crash);
        File.WriteAllBytes(Path.Combine(crash, "vmcore"), "KDUMP   "u8.ToArray().Concat(new byte[100_000]).ToArray());
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        server.WaitForLine(@"\[351\].*not analysed", Limit);
        Assert.Single(server.Output.Split('\n'), l => l.Contains("not analysed", StringComparison.Ordinal));
        Assert.False(File.Exists(Path.Combine(crash, "report.json")));
        Assert.Equal(0, server.Stop());
        Directory.Delete(scratch, recursive: true);
    }

    /// <summary>strace is the judge: every limit is in force before the dump is opened, and nothing else is opened after.</summary>
    [Fact]
    public void The_analysis_confines_itself_before_it_opens_the_dump()
    {
        string scratch = Workspace.Scratch();
        string crash = Crash(scratch);
        string trace = Path.Combine(scratch, "trace");
        Command.Succeed(
            "strace", "-f", "-o", trace, "-e", "trace=open,openat,execve,socket,connect,prctl,prlimit64,setrlimit,seccomp,landlock_restrict_self",
            Workspace.Client, "analyse", crash);
        List<string> calls = [.. File.ReadAllLines(trace)];
        int dump = calls.FindIndex(c => c.Contains("/vmcore\"", StringComparison.Ordinal) && c.Contains("O_RDONLY", StringComparison.Ordinal) && !c.Contains("O_PATH", StringComparison.Ordinal));
        Assert.True(dump > 0, string.Join('\n', calls));
        foreach (string call in new[] { "RLIMIT_DATA", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE", "PR_SET_NO_NEW_PRIVS", "landlock_restrict_self", "SECCOMP_SET_MODE_FILTER" })
            Assert.Contains(calls.Take(dump), c => c.Contains(call, StringComparison.Ordinal) && Succeeded().IsMatch(c));
        Assert.Contains(calls.Take(dump), c => c.Contains("SECCOMP_FILTER_FLAG_TSYNC", StringComparison.Ordinal));
        int confined = calls.FindIndex(c => c.Contains("SECCOMP_SET_MODE_FILTER", StringComparison.Ordinal));
        Assert.All(calls.Skip(confined).Where(c => Opened().IsMatch(c)), c => Assert.Contains(crash, c, StringComparison.Ordinal));
        Directory.Delete(scratch, recursive: true);
    }

    [Fact]
    public void A_dump_that_broke_off_is_analysed_as_far_as_it_goes()
    {
        string scratch = Workspace.Scratch();
        string crash = Crash(scratch, "vmcore-incomplete");
        using (FileStream file = File.OpenWrite(Path.Combine(crash, "vmcore-incomplete"))) file.SetLength(file.Length * 6 / 10);
        File.WriteAllText(Path.Combine(crash, "log"), File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", "dmesg.txt")));
        Assert.Contains("(c387c617f6670a05)", Command.Succeed(Workspace.Client, "analyse", crash), StringComparison.Ordinal);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(Path.Combine(crash, "report.json")));
        JsonElement quality = report.RootElement.GetProperty("quality");
        Assert.False(quality.GetProperty("complete").GetBoolean());
        Assert.InRange(quality.GetProperty("percent").GetInt32(), 50, 70);
        Directory.Delete(scratch, recursive: true);
    }

    [GeneratedRegex(@"= 0\b", RegexOptions.NonBacktracking)]
    private static partial Regex Succeeded();

    [GeneratedRegex(@"\bopena?t?\(.*= \d", RegexOptions.NonBacktracking)]
    private static partial Regex Opened();
}
