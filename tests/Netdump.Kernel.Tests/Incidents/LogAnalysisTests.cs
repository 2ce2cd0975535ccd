using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Tests.Incidents;

/// <summary>Logs in the forms of kernels 6.1, 6.12 and 7.x, some with two tales in one.</summary>
public class LogAnalysisTests
{
    private static LogAnalysis Analyse(string log) => LogAnalysis.Of(ConsoleLine.Of(new StringReader(log)));

    private static string Oops(string prefix, string release, string oops, string frame) => $"""
        {prefix}BUG: kernel NULL pointer dereference, address: 0000000000000018
        {prefix}#PF: supervisor read access in kernel mode
        {prefix}#PF: error_code(0x0000) - not-present page
        {prefix}PGD 0 P4D 0
        {prefix}{oops}
        {prefix}CPU: 1 PID: 77 Comm: some name Kdump: loaded Tainted: G        W  OE      {release} #1 Debian
        {prefix}Hardware name: QEMU Standard PC
        {prefix}RIP: 0010:{frame}+0x2c/0x40 [mod]
        {prefix}Code: Unable to access opcode bytes at 0xffffffffc0200fd6.
        {prefix}RSP: 0018:ffffc90000013d80 EFLAGS: 00010246
        {prefix}RAX: 0000000000000000 RBX: 0000000000000001 RCX: 0000000000000002
        {prefix}CR2: ffffffffc0200fd6 CR3: 0000000001234000 CR4: 00000000000006f0
        {prefix}Call Trace:
        {prefix} <TASK>
        {prefix} ? __die_body.cold+0x1a/0x1f
        {prefix} caller+0x10/0x20 [mod]
        {prefix} do_syscall_64+0x5d/0xb0
        {prefix} entry_SYSCALL_64_after_hwframe+0x6e/0xd8
        {prefix}RIP: 0033:0x47b7a0
        {prefix} </TASK>
        {prefix}Modules linked in: mod(OE)
        {prefix}CR2: 0000000000000018
        {prefix}---[ end trace 0000000000000000 ]---

        """;

    [Theory]
    [InlineData("6.1.0-56-amd64", "Oops: 0000 [#1] PREEMPT SMP NOPTI")]
    [InlineData("6.12.117+deb13-amd64", "Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI")]
    public void NetConsole50_a_null_dereference_is_titled_alike_on_all_kernels(string release, string oops)
    {
        LogAnalysis analysis = Analyse(Oops("[   10.000000] ", release, oops, "bad_poll"));
        Incident cause = Assert.Single(analysis.Incidents);
        Assert.Equal("BUG: unable to handle kernel NULL pointer dereference in bad_poll", cause.Title);
        Assert.Equal(("null-deref", 1, 77, "some name", release, "WOE"), (cause.Class, cause.Cpu, cause.Pid, cause.Comm, cause.Release, cause.Taint));
        Assert.Equal("v1|null-deref|mod!bad_poll|mod!caller", cause.Signature.Key);
        Assert.True(cause.IsArmed);
        Assert.Equal(IncidentSeverity.Crash, cause.Severity); // NetConsole52: no panic line is needed
        Assert.Equal(1, cause.OopsNumber);
    }

    [Fact]
    public void What_netdump_itself_says_of_a_crash_behind_its_log_is_no_second_one()
    {
        const string Log = "[    1.000000] sysrq: Trigger a crash\n[    1.000001] Kernel panic - not syncing: sysrq triggered crash\n";
        var alone = LogAnalysis.Of(ConsoleLine.Of(new StringReader(Log)));
        var both = LogAnalysis.Of(ConsoleLine.Of(new StringReader(Log + "netdump: crash: BUG: unable to handle kernel NULL pointer dereference in foo (0123)\n")));
        Assert.Equal(alone.Incidents.Select(i => i.Title), both.Incidents.Select(i => i.Title));
        Assert.Equal(alone.Signature?.Id, both.Signature?.Id);
    }

    [Fact]
    public void Item49_the_fault_address_is_the_heads_or_the_closing_cr2_never_that_of_registers_after_code_that_cannot_be_read()
    {
        string log = Oops("[   10.000000] ", "6.1.0", "Oops: 0000 [#1] SMP", "bad_poll");
        Assert.Equal(0x18u, Analyse(log).Cause!.FaultAddress);
        string headless = log[(log.IndexOf("[   10.000000] Oops", StringComparison.Ordinal))..];
        Assert.Equal(0x18u, Analyse(headless).Cause!.FaultAddress);
        Assert.Null(Analyse(headless.Replace("CR2: 0000000000000018", "", StringComparison.Ordinal)).Cause!.FaultAddress);
        string readable = headless.Replace("Code: Unable to access opcode bytes at 0xffffffffc0200fd6.", "Code: 00 <48> 00", StringComparison.Ordinal);
        Assert.Equal(0xffffffffc0200fd6, Analyse(readable.Replace("CR2: 0000000000000018", "", StringComparison.Ordinal)).Cause!.FaultAddress);
    }

    [Fact]
    public void NetConsole52_oops_and_fatal_exception_are_one_incident()
    {
        LogAnalysis analysis = Analyse(Oops("[   10.000000] ", "6.1.0", "Oops: 0000 [#1] SMP", "bad_poll")
            + "[   10.100000] Kernel panic - not syncing: Fatal exception\n[   10.100000] Kernel Offset: disabled\n"
            + "[   10.200000] ---[ end Kernel panic - not syncing: Fatal exception ]---\n");
        Assert.Equal("Fatal exception", Assert.Single(analysis.Incidents).PanicText);
    }

    [Fact]
    public void NetConsole53_reports_of_two_callers_are_two_incidents_with_their_own_lines()
    {
        string[] one = Oops("[   10.000000][   T77] ", "6.1.0", "Oops: 0000 [#1] SMP", "first_one").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] two = Oops("[   10.000000][    C3] ", "6.1.0", "Oops: 0000 [#2] SMP", "second_one").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        LogAnalysis analysis = Analyse(string.Join('\n', one.Zip(two).SelectMany(p => new[] { p.First, p.Second })));
        Assert.Equal(["first_one", "second_one"], analysis.Incidents.Select(i => i.Function));
        Assert.Equal("first_one", analysis.Cause!.Function); // User45: the first oops is the title
        Assert.Equal("second_one", Assert.Single(analysis.OtherCrashes).Function);
    }

    [Theory]
    [InlineData("WARNING: net/core/dev.c:12 at napi_poll+0x2c/0x40, CPU#1: name/12", "WARNING in napi_poll", "napi_poll")]
    [InlineData("WARNING: lib/refcount.c:28 at refcount_warn_saturate+0x2c/0x40, CPU#1: name/12", "WARNING: refcount bug in user_of_it", "refcount_warn_saturate")]
    public void NetConsole54_warnings_of_7_x_are_titled(string head, string title, string place)
    {
        LogAnalysis analysis = Analyse($"""
            [    1.000000] ------------[ cut here ]------------
            [    1.000000] {head}
            [    1.000000] CPU: 1 UID: 0 PID: 12 Comm: name Not tainted 7.3.4 #1 PREEMPT(lazy)
            [    1.000000] RIP: 0010:{place}+0x2c/0x40
            [    1.000000] Call Trace:
            [    1.000000]  <TASK>
            [    1.000000]  user_of_it+0x1/0x2
            [    1.000000]  </TASK>
            [    1.000000] ---[ end trace 0000000000000000 ]---
            """);
        Incident incident = Assert.Single(analysis.Incidents);
        Assert.Equal(title, incident.Title);
        Assert.Equal((1L, 9L, 1), (incident.FirstLine, incident.LastLine, incident.Cpu)); // from "cut here" to "end trace"
        Assert.Null(analysis.Cause); // the kernel went on
    }

    [Fact]
    public void NetConsole55_what_operators_expect_raises_one_incident_a_burst()
    {
        string[] lines =
        [
            "Out of memory: Killed process 12 (java) total-vm:1kB", "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: be00000000800400",
            "EDAC MC0: 1 UE memory read error on CPU_SrcID#0", "I/O error, dev sda, sector 123 op 0x0:(READ)", "EXT4-fs error (device sdb1): ext4_find_entry:1: x",
            "nvme nvme0: I/O tag 12 (100c) QID 3 timeout, aborting",
        ];
        LogAnalysis analysis = Analyse(string.Join('\n', lines.SelectMany(l => Enumerable.Repeat($"[    1.000000] {l}", 5))));
        Assert.Equal(
            ["OOM kill of java", "machine check", "EDAC uncorrected memory error on MC0", "I/O error on sda", "EXT4 error on sdb1", "NVMe timeout on nvme0"],
            analysis.Incidents.Select(i => i.Title));
        Assert.All(analysis.Incidents, i => Assert.Equal(5, i.Count));
        Assert.Single(analysis.OomKills);
    }

    [Fact]
    public void An_error_of_a_disk_among_a_reports_lines_is_an_incident_of_its_own()
    {
        string log = Oops("[   10.000000] ", "6.1.0", "Oops: 0000 [#1] SMP", "bad_poll")
            .Replace("[   10.000000] PGD 0", "[   10.000000] I/O error, dev sda, sector 1 op 0x0\n[   10.000000] PGD 0", StringComparison.Ordinal);
        Assert.Equal([IncidentKind.NullDereference, IncidentKind.Storage], Analyse(log).Incidents.Select(i => i.Kind));
    }

    [Theory]
    [InlineData("12,1,1000000,-;Kernel panic - not syncing: said a program")] // NetConsole56: facility 1
    [InlineData("<12>[    1.000000] Kernel panic - not syncing: said a program")]
    [InlineData("[    1.000000] cat[12]: segfault at 0 ip 00007f sp 00007f error 4 in libc.so")] // NetConsole57
    [InlineData("[    1.000000] traps: cat[12] general protection fault ip:7f sp:7f error:0 in libc.so")]
    [InlineData("[    1.000000] sysrq: Show State")]
    public void Lines_that_programs_write_or_cause_are_no_incidents(string line) => Assert.Empty(Analyse(line).Incidents);

    [Fact]
    public void User39_a_hung_tasks_cause_is_the_root_of_the_chain_not_the_watchdog()
    {
        LogAnalysis analysis = Analyse(Hung(1, "waiter", 11, "wait_for_it", 10) + Hung(2, "holder", 10, "read_from_disk", null)
            + "[    3.000000] Kernel panic - not syncing: hung_task: blocked tasks\n[    3.000000] CPU: 0 PID: 30 Comm: khungtaskd Not tainted 6.18.0 #1\n");
        Assert.Equal(("hung-task", 10, "holder"), (analysis.Class, analysis.Cause!.Pid, analysis.Cause.Comm));
        Assert.Equal("INFO: task hung in read_from_disk", analysis.Title);
        Assert.Equal("v1|hung-task|read_from_disk|ksys_read", analysis.Signature!.Key);
        Assert.Equal("hung_task: blocked tasks", analysis.PanicText);
    }

    private static string Hung(int second, string comm, int pid, string function, int? owner) => $"""
        [    {second}.000000] INFO: task {comm}:{pid} blocked for more than 120 seconds.
        [    {second}.000000]       Not tainted 6.18.0 #1
        [    {second}.000000] task:{comm} state:D stack:0 pid:{pid}
        [    {second}.000000] Call Trace:
        [    {second}.000000]  <TASK>
        [    {second}.000000]  __schedule+0x1/0x2
        [    {second}.000000]  schedule+0x1/0x2
        [    {second}.000000]  __mutex_lock.constprop.0+0x1/0x2
        [    {second}.000000]  {function}+0x1/0x2
        [    {second}.000000]  ksys_read+0x1/0x2
        [    {second}.000000]  do_syscall_64+0x1/0x2
        [    {second}.000000]  </TASK>
        {(owner is null ? "" : $"[    {second}.000000] INFO: task {comm}:{pid} is blocked on a mutex likely owned by task holder:{owner}.")}

        """;

    [Fact]
    public void User40_a_soft_lockups_culprit_is_what_the_timer_interrupted()
    {
        LogAnalysis analysis = Analyse("""
            [   30.000000] watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [spinner:99]
            [   30.000000] CPU: 3 PID: 99 Comm: spinner Not tainted 6.1.0 #1
            [   30.000000] RIP: 0010:spin_for_ever+0x3/0x10 [mod]
            [   30.000000] Call Trace:
            [   30.000000]  <TASK>
            [   30.000000]  start_it+0x1/0x2 [mod]
            [   30.000000]  do_syscall_64+0x1/0x2
            [   30.000000]  </TASK>
            [   30.100000] Kernel panic - not syncing: softlockup: hung tasks
            [   30.100000] Call Trace:
            [   30.100000]  <IRQ>
            [   30.100000]  panic+0x1/0x2
            [   30.100000]  watchdog_timer_fn.cold+0x1/0x2
            """);
        Assert.Equal("v1|soft-lockup|mod!spin_for_ever|mod!start_it", analysis.Signature!.Key);
        Assert.Equal((3, 99), (analysis.Cause!.Cpu, analysis.Cause.Pid));
    }

    [Fact]
    public void Item57_addresses_pids_cpus_and_releases_do_not_change_the_id_and_functions_do()
    {
        string log = Oops("[   10.000000] ", "6.1.0", "Oops: 0000 [#1] SMP", "bad_poll");
        string other = log.Replace("CPU: 1 PID: 77", "CPU: 7 PID: 8", StringComparison.Ordinal).Replace("6.1.0", "6.12.5", StringComparison.Ordinal)
            .Replace("RBX: 0000000000000001", "RBX: 0000000000000abc", StringComparison.Ordinal).Replace("+0x2c/0x40", "+0x30/0x48", StringComparison.Ordinal)
            .Replace("address: 0000000000000018", "address: 0000000000000028", StringComparison.Ordinal);
        Assert.Equal(Analyse(log).Signature!.Id, Analyse(other).Signature!.Id);
        Assert.NotEqual(Analyse(log).Signature!.Id, Analyse(log.Replace("bad_poll", "other_poll", StringComparison.Ordinal)).Signature!.Id);
    }

    [Fact]
    public void Lines_of_other_callers_between_a_reports_lines_change_nothing()
    {
        string[] report = Oops("[   10.000000][   T77] ", "6.1.0", "Oops: 0000 [#1] SMP", "bad_poll").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        IEnumerable<string> mixed = report.SelectMany((l, i) => new[] { l, $"[   10.000000][   T{1000 + i}]  other_{i}+0x1/0x2" });
        Incident alone = Analyse(string.Join('\n', report)).Cause!, among = Analyse(string.Join('\n', mixed)).Cause!;
        Assert.Equal(alone with { LastLine = 0, Trace = [], Registers = [], OtherTitles = [], Signature = among.Signature },
            among with { LastLine = 0, Trace = [], Registers = [], OtherTitles = [] });
        Assert.Equal(alone.Trace, among.Trace);
        Assert.Equal(alone.Registers, among.Registers);
    }

    [Fact]
    public void Last_words_end_with_the_head_and_tell_how_silent_the_log_was()
    {
        LogAnalysis analysis = Analyse(string.Concat(Enumerable.Range(0, 40).Select(i => $"[    1.{i:000000}] line {i}\n"))
            + "[   91.000000] sysrq: Trigger a crash\n[   91.000100] Kernel panic - not syncing: sysrq triggered crash\n");
        Assert.Equal(["line 39", "sysrq: Trigger a crash", "Kernel panic - not syncing: sysrq triggered crash"], analysis.LastWords.Select(l => l.Text).TakeLast(3));
        Assert.Equal(90, (int)Math.Round(analysis.Silence!.Value.TotalSeconds));
        Assert.Equal(2, analysis.LinesInLastSecond);
        Assert.True(analysis.IsDeliberate);
    }
}
