using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>Issue 6, proof 1: what `netdump report` finds without debug information is what drgn and crash find with it.</summary>
public sealed partial class AnalysisJudgeTests(CrashedGuests guests)
{
    private readonly Analysis _analysis = new(guests);

    /// <summary>Two crashes of each kernel: asked for, with a busy machine, and a fault in a module.</summary>
    public static TheoryData<string, string> Crashes => [.. from series in (string[])["6.1", "6.12", "newest"] from crash in (string[])["sysrq", "null"] select (series, crash)];

    [Theory]
    [MemberData(nameof(Crashes))]
    public void Proof1_every_task_and_its_stack_are_what_drgn_finds_with_debug_information(string series, string crash)
    {
        CrashedGuest guest = Of(series, crash);
        JsonElement report = _analysis.Report(guest.Vmcore), drgn = _analysis.Drgn(guest);
        AnalysedTask[] tasks = Analysis.TasksOfReport(report), expected = Analysis.TasksOfDrgn(drgn);
        Assert.InRange(expected.Length, 40, 1000);
        Assert.Equal(expected.Select(task => task.Line), tasks.Select(task => task.Line));
        // A zombie has no stack any more: what drgn shows is what lies there now.
        foreach ((AnalysedTask own, AnalysedTask theirs) in tasks.Zip(expected))
            Assert.True(theirs.State is "Z" or "X" || own.Stack.SequenceEqual(theirs.Stack),
                $"{theirs.Line}\ndrgn:   {string.Join(' ', theirs.Stack)}\nreport: {string.Join(' ', own.Stack)}");
        Assert.InRange(tasks.Sum(task => task.Stack.Length), 200, 100_000);

        Assert.Equal(Names(drgn.GetProperty("modules").EnumerateArray().Select(name => name.GetString()!)),
            Names(report.GetProperty("modules").EnumerateArray().Select(module => module.GetProperty("name").GetString()!)));
        Assert.Equal(drgn.GetProperty("release").GetString(), report.GetProperty("kernel").GetProperty("release").GetString());
        Assert.Equal(drgn.GetProperty("panic").GetProperty("cpu").GetInt32(), report.GetProperty("cpu").GetInt32());
        Assert.Equal(drgn.GetProperty("panic").GetProperty("pid").GetInt32(), report.GetProperty("panic_task").GetProperty("pid").GetInt32());
        Assert.Empty(report.GetProperty("quality").GetProperty("missing").EnumerateArray());
    }

    /// <summary>The commands that people ask of a dump, by the same judge: pid, name, state, program counters in the kernel without those of inlined functions.</summary>
    [Fact]
    public void Proof1_ps_and_bt_of_a_fresh_dump_tell_what_drgn_does()
    {
        CrashedGuest guest = guests.Of("6.12");
        AssertCommandsTell(guest.Vmcore, Analysis.TasksOfDrgn(_analysis.Drgn(guest)));
    }

    [Theory]
    [InlineData("linux-6.1-sysrq-4level", "vmcore.kdump")]
    [InlineData("linux-7.3-sysrq-full", "vmcore.elf.zst")]
    [InlineData("linux-6.12-arm64-sysrq", "vmcore.elf.zst")]
    public void Proof1_ps_and_bt_of_a_shared_dump_tell_what_drgn_did(string folder, string dump)
    {
        using JsonDocument said = JsonDocument.Parse(File.ReadAllBytes(SharedData.File(folder, "tasks.json")));
        AssertCommandsTell(dump.EndsWith(".zst", StringComparison.Ordinal) ? SharedData.UnpackedPath(folder, dump) : SharedData.File(folder, dump), Analysis.TasksOfRecording(said.RootElement));
    }

    private static void AssertCommandsTell(string vmcore, AnalysedTask[] expected)
    {
        using JsonDocument ps = JsonDocument.Parse(Command.Succeed(Workspace.Client, "ps", "--json", vmcore));
        using JsonDocument bt = JsonDocument.Parse(Command.Succeed(Workspace.Client, "bt", "--all-tasks", "--json", vmcore));
        Assert.InRange(expected.Length, 40, 1000);
        Assert.Equal(expected.Select(task => $"{task.Pid} {task.Comm} {task.State} {task.Address}"), Lines(ps));
        Assert.Equal(Lines(ps), Lines(bt));
        Dictionary<int, string> stacks = bt.RootElement.EnumerateArray().Where(task => task.GetProperty("pid").GetInt32() != 0).ToDictionary(
            task => task.GetProperty("pid").GetInt32(), task => InKernel(task.GetProperty("frames").EnumerateArray().Select(frame => frame.GetProperty("pc").GetString()!)));
        // A zombie has no stack any more: what drgn shows is what lies there now.
        Assert.All(expected.Where(task => task.State is not ("Z" or "X")), task => Assert.Equal(InKernel(task.Stack), stacks[task.Pid]));
    }

    // Of arm64 drgn does not show where a process was in user mode.
    private static string InKernel(IEnumerable<string> stack) => string.Join(' ', stack.Where(pc => pc.StartsWith("0xffff", StringComparison.Ordinal)));

    private static string[] Lines(JsonDocument tasks) =>
        [.. tasks.RootElement.EnumerateArray().Where(task => task.GetProperty("pid").GetInt32() != 0).OrderBy(task => task.GetProperty("pid").GetInt32())
            .Select(task => $"{task.GetProperty("pid").GetInt32()} {task.GetProperty("comm").GetString()} {task.GetProperty("state").GetString()} {task.GetProperty("address").GetString()}")];

    [Theory]
    [InlineData("6.1", "sysrq")]
    [InlineData("6.1", "null")]
    [InlineData("6.12", "sysrq")]
    [InlineData("6.12", "null")]
    public void Proof1_the_backtrace_of_the_crash_is_the_one_that_crash_finds(string series, string crash)
    {
        CrashedGuest guest = Of(series, crash);
        JsonElement report = _analysis.Report(guest.Vmcore);
        string bt = CrashUtility.Run(guest.Kernel, guest.Vmcore, "bt");
        Match head = HeadLine().Match(bt);
        Assert.True(head.Success, bt);
        Assert.Equal(head.Groups["pid"].Value, report.GetProperty("panic_task").GetProperty("pid").GetInt32().ToString(CultureInfo.InvariantCulture));
        Assert.Equal(head.Groups["cpu"].Value, report.GetProperty("cpu").GetInt32().ToString(CultureInfo.InvariantCulture));
        // crash begins inside the jump to the capture kernel, which the registers of the crash lie before: from the first caller on they agree.
        string[] theirs = [.. FrameLine().Matches(bt).Select(frame => $"0x{frame.Groups["pc"].Value} {frame.Groups["name"].Value}")];
        string[] own = [.. report.GetProperty("panic").GetProperty("stack").EnumerateArray().Skip(1).Where(frame => frame.GetProperty("trust").GetString() != "user")
            .Select(frame => $"{frame.GetProperty("pc").GetString()} {frame.GetProperty("symbol").GetString()}")];
        Assert.InRange(own.Length, 5, theirs.Length);
        Assert.Equal(theirs[^own.Length..], own);
    }

    private static string[] Names(IEnumerable<string> names) => [.. names.Order(StringComparer.Ordinal)];

    private CrashedGuest Of(string series, string crash) => crash == "sysrq" ? guests.Of(series) : guests.Of(CrashCause.Of(series, crash));

    [GeneratedRegex(@"PID: (?<pid>\d+) .* CPU: (?<cpu>\d+) ")]
    private static partial Regex HeadLine();

    [GeneratedRegex(@"^ *#\d+ \[[0-9a-f]{16}\] (?<name>\S+) at (?<pc>[0-9a-f]{16})", RegexOptions.Multiline)]
    private static partial Regex FrameLine();
}
