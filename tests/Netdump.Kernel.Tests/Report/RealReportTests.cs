using System.Text.Json;
using System.Text.RegularExpressions;
using Netdump.Kernel.Incidents;
using Netdump.Kernel.Report;

namespace Netdump.Kernel.Tests.Report;

public partial class RealReportTests
{
    public static TheoryData<string> Folders => ["linux-6.1-sysrq-4level", "linux-6.1-sysrq", "linux-7.3-sysrq-full", "linux-6.12-arm64-sysrq"];

    [Fact]
    public void User02_the_first_line_says_that_it_was_deliberate_who_did_it_and_how()
    {
        var first = RealReports.FourLevel.Verdict;
        Assert.Equal(("sysrq", true, "certain"), (first.Kind, first.Deliberate, first.Confidence));
        Assert.StartsWith("Crashed on purpose: init (PID 1) wrote to /proc/sysrq-trigger.", first.Text, StringComparison.Ordinal);
        Assert.StartsWith("VERDICT   Crashed on purpose: init (PID 1) wrote to /proc/sysrq-trigger.", RealReports.Text(RealReports.FourLevel), StringComparison.Ordinal);
    }

    [Fact]
    public void User03_host_release_time_uptime_and_cpu()
    {
        CrashReport report = RealReports.FourLevel;
        Assert.Equal("crashguest", report.Host.Name);
        Assert.Equal("6dd9eff0-47df-44d4-964c-0a066a754abd", report.Host.BootId);
        Assert.Equal("6.1.0-56-amd64", report.Kernel.Release);
        Assert.Contains("Debian 6.1.192-2", report.Kernel.Version, StringComparison.Ordinal);
        Assert.Equal("2026-11-23 02:41:53", report.Time.Crash?.ToString("yyyy-MM-dd HH:mm:ss", null));
        Assert.InRange(report.Time.UptimeS!.Value, 7.5, 7.9);
        Assert.Equal((2, 1), (report.Cpus.Online, report.Cpu));
        Assert.Equal(["E"], report.Kernel.Taint);
        Assert.Contains("QEMU Standard PC (i440FX + PIIX, 1996)", report.Host.Hardware, StringComparison.Ordinal);
        Assert.Equal(("write", "/proc/sysrq-trigger"), (report.PanicTask?.Syscall?.Name, report.PanicTask?.Syscall?.File));
    }

    [Fact]
    public void User04_taint_is_said_in_words_and_an_unsigned_module_alone_is_no_finding()
    {
        Assert.Equal(["unsigned module (E)"], RealReports.FourLevel.Kernel.TaintWords);
        Assert.DoesNotContain(RealReports.FourLevel.Findings, f => f.Id == "module-on-stack");
    }

    [Fact]
    public void User05_the_stack_has_the_functions_of_crash_with_their_offsets()
    {
        string[] golden = [.. BacktraceLine().Matches(RealReports.Golden("linux-6.1-sysrq-4level", "golden/bt.txt")).Select(m => m.Groups["name"].Value)];
        string[] ours = [.. RealReports.FourLevel.Panic.Stack.Where(f => f.Symbol is not null).Select(f => f.Symbol!)];
        Assert.Equal(golden[^9..], ours[^9..]);
        Assert.Contains(RealReports.FourLevel.Stack, f => f is { Symbol: "sysrq_handle_crash", Offset: 0x16 });
        Assert.Contains(RealReports.FourLevel.Stack, f => f is { Symbol: "ksys_write", Offset: 0x6b });
    }

    [Fact]
    public void User06_counts_of_tasks()
    {
        ReportTaskSummary tasks = RealReports.FourLevel.TaskSummary;
        Assert.Equal((61, 61), (tasks.Total, tasks.Expected));
        Assert.Equal((5, 19, 37), (tasks.ByState["R"], tasks.ByState["S"], tasks.ByState["I"]));
        Assert.False(tasks.ByState.ContainsKey("D"));
        Assert.Empty(tasks.DGroups);
    }

    [Fact]
    public void User07_memory()
    {
        ReportMemory memory = RealReports.FourLevel.Memory!;
        Assert.Equal((43_826L, 35_223L, 4_308L, 1_672L), (memory.Total / 4096, memory.Free / 4096, memory.Slab / 4096, memory.Cached / 4096));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void User08_09_each_report_is_short_plain_and_valid(string folder)
    {
        CrashReport report = RealReports.ByFolder(folder);
        Assert.Equal("", ReportSchema.Complaints(RealReports.Json(report)));
        var lines = RealReports.Text(report).TrimEnd('\n').Split('\n');
        Assert.InRange(lines.Length, 40, 100);
        Assert.All(lines, line =>
        {
            Assert.InRange(line.Length, 0, 100);
            Assert.Equal(line.TrimEnd(), line);
            Assert.DoesNotContain(line, char.IsControl);
        });
    }

    [Fact]
    public void User46_47_no_false_alarm_and_each_finding_with_its_evidence()
    {
        Assert.All(RealReports.FourLevel.Findings, f => Assert.Equal("note", f.Severity));
        Assert.All(RealReports.Linux61.Findings, f => Assert.Equal("note", f.Severity));
        foreach (CrashReport report in new[] { RealReports.FourLevel, RealReports.Linux61, RealReports.Linux73, RealReports.Arm64 })
            Assert.All(report.Findings, f =>
            {
                Assert.NotEmpty(f.Evidence);
                Assert.Contains(f.Severity, (string[])["critical", "warning", "note"]);
                Assert.Matches("^[a-z-]+$", f.Id);
            });
    }

    [Fact]
    public void Every_finding_is_in_the_documentation()
    {
        var page = File.ReadAllText(Path.Combine(Path.GetDirectoryName(ReportSchema.Path)!, "report.md"));
        var report = Path.Combine(Path.GetDirectoryName(ReportSchema.Path)!, "../src/Netdump.Kernel/Report");
        string[] sources = [.. Directory.GetFiles(Path.Combine(report, "Findings"), "*.cs"), Path.Combine(report, "BadAddress.cs")];
        var ids = sources.SelectMany(s => FindingId().Matches(File.ReadAllText(s)).Select(m => m.Groups["id"].Value)).Distinct().Except(["taint"]).ToList(); // a name in the evidence
        Assert.InRange(ids.Count, 20, 100);
        Assert.All(ids, id => Assert.Contains($"`{id}`", page, StringComparison.Ordinal));
    }

    /// <summary>Proof 1: every task with its state, and every frame of its stack but inlined ones, as drgn with debuginfo says.</summary>
    [Theory]
    [InlineData("linux-6.1-sysrq-4level", 0)]
    [InlineData("linux-6.1-sysrq", 1)]
    [InlineData("linux-7.3-sysrq-full", 1)]
    [InlineData("linux-6.12-arm64-sysrq", 0)]
    public void Tasks_states_and_stacks_equal_drgns(string folder, int zombies)
    {
        using var golden = JsonDocument.Parse(RealReports.Golden(folder, "tasks.json"));
        var ours = RealReports.ByFolder(folder).Tasks.Where(t => t.Pid != 0).ToDictionary(t => t.Pid);
        var theirs = golden.RootElement.GetProperty("tasks").EnumerateArray().ToList();
        Assert.Equal(theirs.Count, ours.Count);
        var different = new List<string>();
        foreach (JsonElement task in theirs)
        {
            ReportTask own = ours[task.GetProperty("pid").GetInt32()];
            Assert.Equal(task.GetProperty("comm").GetString(), own.Comm);
            Assert.Equal(task.GetProperty("state").GetString(), own.State);
            Assert.Equal(task.GetProperty("addr").GetString(), own.Address);
            var expected = Collapse(task.GetProperty("stack").EnumerateArray().Select(f => f[1].GetString()!));
            if (!expected.SequenceEqual(Collapse(own.Stack.Where(f => folder != "linux-6.12-arm64-sysrq" || f.Trust != "user").Select(f => f.Pc!))))
                different.Add($"{own.Comm}:{own.Pid} {own.State}");
        }
        // A zombie's stack is freed and reused: drgn shows what lies there now, or nothing, we nothing.
        Assert.Equal(zombies, different.Count);
        Assert.All(different, d => Assert.EndsWith(" Z", d, StringComparison.Ordinal));
    }

    [Fact]
    public void Item55_the_signature_is_the_same_from_memory_from_the_log_and_for_other_kernels()
    {
        foreach (var folder in Folders)
        {
            CrashReport report = RealReports.ByFolder(folder.Data);
            Assert.Equal("c387c617f6670a05", report.Signature.Id);
            Assert.Equal("v1|sysrq|sysrq_handle_crash|__handle_sysrq|write_sysrq_trigger", report.Signature.Key);
            var logged = LogAnalysis.Of(ConsoleLine.Of(new StringReader(RealReports.Golden(folder.Data, "dmesg.txt"))));
            Assert.Equal(report.Signature.Id, logged.Signature?.Id);
            Assert.Equal(report.Title, logged.Title);
        }
    }

    [Fact]
    public void Modules_mounts_devices_and_cpus_are_there()
    {
        CrashReport report = RealReports.FourLevel;
        Assert.Equal(11, report.Modules.Count);
        Assert.Equal(6, report.Mounts.Count);
        Assert.Equal(["lo", "eth0", "eth1"], report.Network.Select(d => d.Name));
        Assert.Equal(["user", "crash"], report.CpuList.OrderBy(c => c.Cpu).Select(c => c.State));
        Assert.Equal("yes", report.CpuList.Single(c => c.Cpu == 0).Comm);
        Assert.Equal("sysrq: Trigger a crash", report.Log.Tail[^2].Split("s  ")[1]);
    }

    private static List<string> Collapse(IEnumerable<string> pcs)
    {
        var result = new List<string>();
        foreach (var pc in pcs)
            if (result.Count == 0 || result[^1] != pc)
                result.Add(pc);
        return result;
    }

    [GeneratedRegex(@"^ *#\d+ \[[0-9a-f]+\] (?<name>\S+) at", RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex BacktraceLine();

    [GeneratedRegex(@"(Finding\.Of\(\s*|\(|return \()""(?<id>[a-z]+(-[a-z]+)*)"", (Finding\.|IncidentKind\.|\$?"")", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex FindingId();
}
