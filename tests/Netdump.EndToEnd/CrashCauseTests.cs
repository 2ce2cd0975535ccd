using System.Text.Json;
using Netdump.Kernel.Incidents;
using Netdump.Vmcore;

namespace Netdump.EndToEnd;

/// <summary>Issue 6, proof 2: causes of a crash made for real, and what the analysis says of each.</summary>
public sealed class CrashCauseTests(CrashedGuests guests)
{
    private readonly Analysis _analysis = new(guests);

    public static TheoryData<string, string> Causes => [.. CrashCause.All.Select(cause => (cause.Series, cause.Name))];

    [Theory]
    [MemberData(nameof(Causes))]
    public void Each_cause_leaves_a_whole_dump_and_a_log_that_names_it(string series, string name)
    {
        CrashCause cause = CrashCause.Of(series, name);
        CrashedGuest guest = guests.Of(cause);
        string log = KernelCrashTests.AssertLog(guest.Console, guest.Crash, cause.Says);
        Assert.Contains(cause.Function, log, StringComparison.Ordinal);
        using VmcoreFile stored = VmcoreFile.Open(guest.Vmcore);
        Assert.True(stored.IsComplete);
        Assert.Equal(cause.Level == 0, stored.Kdump is null);
    }

    [Theory]
    [MemberData(nameof(Causes))]
    public void Proof2_the_report_tells_class_title_and_culprit_and_the_log_alone_the_same_signature(string series, string name)
    {
        CrashCause cause = CrashCause.Of(series, name);
        CrashedGuest guest = guests.Of(cause);
        JsonElement report = _analysis.Report(guest.Vmcore), signature = report.GetProperty("signature"), verdict = report.GetProperty("verdict");
        Assert.Equal((cause.Class, cause.Title), (signature.GetProperty("class").GetString(), report.GetProperty("title").GetString()));
        Assert.Equal(cause.Class, verdict.GetProperty("kind").GetString());
        string frame = signature.GetProperty("frames")[0].GetString()!;
        // Who asked for the last page is not always the same: only that it is not the allocator is.
        if (name == "oom") Assert.DoesNotMatch("out_of_memory|^__alloc|^alloc", frame);
        else Assert.Equal($"netdump_lab!{cause.Function}", frame);
        string culprit = verdict.GetProperty("culprit").GetString()!;
        Assert.StartsWith(cause.Culprit ?? cause.Function, culprit, StringComparison.Ordinal);
        Assert.False(verdict.GetProperty("deliberate").GetBoolean());
        Assert.Contains(cause.Culprit ?? cause.Function, verdict.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Equal("memory", report.GetProperty("panic").GetProperty("source").GetString());
        string[] stack = [.. report.GetProperty("stack").EnumerateArray().Select(frame => frame.GetProperty("symbol").GetString()!)];
        if (cause.Culprit is null) Assert.StartsWith(cause.Function, stack[0], StringComparison.Ordinal);

        using StreamReader log = new(guest.Log);
        LogAnalysis said = LogAnalysis.Of(ConsoleLine.Of(log));
        Assert.Equal((cause.Title, signature.GetProperty("key").GetString(), signature.GetProperty("id").GetString()), (said.Title, said.Signature?.Key, said.Signature?.Id));
    }

    [Fact]
    public void User41_the_verdict_of_an_oom_panic_names_who_took_the_memory()
    {
        JsonElement verdict = _analysis.Report(guests.Of(CrashCause.Of("6.12", "oom")).Vmcore).GetProperty("verdict");
        Assert.Equal("oom", verdict.GetProperty("kind").GetString());
        Assert.Matches(@"^dd\b", verdict.GetProperty("culprit").GetString());
    }

    /// <summary>Verdict and culprit are the root of the chain; the signature is one for log and dump, of what the log complains of (docs/signature.md).</summary>
    [Theory]
    [InlineData("mutex")]
    [InlineData("rwsem")]
    public void User39_a_hung_tasks_culprit_is_the_root_of_the_chain_and_log_and_dump_have_one_signature(string name)
    {
        CrashedGuest guest = guests.Of(CrashCause.Of("6.12", name));
        JsonElement report = _analysis.Report(guest.Vmcore), verdict = report.GetProperty("verdict");
        Assert.StartsWith("lab_holder", verdict.GetProperty("culprit").GetString(), StringComparison.Ordinal);
        Assert.Matches(@"^(?!khungtaskd).*khungtaskd \(PID \d+\) only noticed it, and is innocent\.", verdict.GetProperty("text").GetString());
        using StreamReader log = new(guest.Log);
        Assert.Equal(report.GetProperty("signature").GetProperty("key").GetString(), LogAnalysis.Of(ConsoleLine.Of(log)).Signature?.Key);
    }

    [Theory]
    [InlineData("mutex", "mutex netdump_lab_first_mutex")]
    [InlineData("rwsem", "rwsem netdump_lab_first_rwsem")]
    public void Proof2_the_root_of_a_chain_of_locks_is_named_with_all_who_wait_behind_it(string name, string lockName)
    {
        JsonElement report = _analysis.Report(guests.Of(CrashCause.Of("6.12", name)).Vmcore);
        JsonElement finding = report.GetProperty("findings").EnumerateArray().Single(f => f.GetProperty("id").GetString() == "lock-owner");
        string text = finding.GetProperty("text").GetString()!;
        Assert.Matches(@"^3 tasks wait behind lab_holder:\d+ \(lab_middle:\d+, lab_waiter:\d+, lab_waiter:\d+\)", text);
        Assert.Contains(lockName, report.GetProperty("verdict").GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Equal(["lab_middle", "lab_waiter", "lab_waiter"], report.GetProperty("tasks").EnumerateArray()
            .Where(task => task.GetProperty("state").GetString() == "D").Select(task => task.GetProperty("comm").GetString()).Where(comm => comm!.StartsWith("lab_", StringComparison.Ordinal)));
        Assert.Contains("netdump_lab_sleep", report.GetProperty("stack").EnumerateArray().Select(frame => frame.GetProperty("symbol").GetString()));
    }

    [Fact]
    public void Proof2_the_same_cause_has_one_signature_in_every_boot_and_on_every_kernel_and_each_cause_its_own()
    {
        CrashCause cause = CrashCause.Of("6.12", "null");
        CrashedGuest first = guests.Of(cause), second = guests.Again(cause);
        Assert.NotEqual(CrashedGuests.KernelOffset(first), CrashedGuests.KernelOffset(second));
        Assert.Equal(Signature(first), Signature(second));
        Assert.Single(CrashCause.All.Where(other => other.Name == "null").Select(other => Signature(guests.Of(other))).Distinct());
        string[] all = [.. CrashCause.All.Where(other => other.Series == "6.12").Select(other => Signature(guests.Of(other))), .. (string[])[Signature(guests.Linux61), Signature(guests.Newest)]];
        Assert.Equal(CrashCause.All.Count(other => other.Series == "6.12") + 1, all.Distinct().Count());   // and one for sysrq on both kernels
    }

    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    [InlineData("newest")]
    public void Proof3_a_dump_filtered_at_level_31_gives_the_same_report(string series)
    {
        CrashedGuest guest = guests.Of(CrashCause.Of(series, "null"));
        string filtered = Path.Combine(Workspace.Scratch(), "vmcore");
        Command.Succeed(Workspace.Client, "filter", "-d", "31", guest.Vmcore, filtered);
        Assert.InRange(new FileInfo(filtered).Length, 1 << 20, new FileInfo(guest.Vmcore).Length / 2);
        Assert.Equal(WithoutQuality(_analysis.Report(guest.Vmcore)), WithoutQuality(_analysis.Report(filtered)));
        Directory.Delete(Path.GetDirectoryName(filtered)!, recursive: true);
    }

    // What it says of the dump itself, not of the kernel.
    private static string[] WithoutQuality(JsonElement report) =>
        [.. report.EnumerateObject().Where(part => part.Name != "quality").SelectMany(part => $"{part.Name}: {part.Value.GetRawText()}".Split('\n'))];

    private string Signature(CrashedGuest guest) => _analysis.Report(guest.Vmcore).GetProperty("signature").GetProperty("id").GetString()!;
}
