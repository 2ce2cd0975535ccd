using Netdump.Kernel.Incidents;
using Netdump.Kernel.Report;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tests.Report;

public class VerdictTests
{
    private static CrashFacts OfLog(string log)
    {
        LogAnalysis analysis = LogAnalysis.Of(ConsoleLine.Of(new StringReader(log)));
        return CrashFactsReader.Read(null, analysis, null);
    }

    [Fact]
    public void User43_an_oops_in_an_interrupt_names_the_process_as_interrupted()
    {
        var facts = OfLog("""
            [   10.000000] BUG: kernel NULL pointer dereference, address: 0000000000000018
            [   10.000001] #PF: supervisor read access in kernel mode
            [   10.000002] #PF: error_code(0x0000) - not-present page
            [   10.000003] Oops: 0000 [#1] PREEMPT SMP NOPTI
            [   10.000004] CPU: 1 PID: 130 Comm: yes Not tainted 6.1.0 #1
            [   10.000005] RIP: 0010:foo_timer+0x10/0x20 [foo]
            [   10.000006] Call Trace:
            [   10.000007]  <IRQ>
            [   10.000008]  call_timer_fn+0x24/0x130
            [   10.000009]  __run_timers+0x21d/0x2a0
            [   10.000010]  </IRQ>
            [   10.000011] Kernel panic - not syncing: Fatal exception in interrupt
            """.Replace("            ", "", StringComparison.Ordinal));
        var verdict = Verdicts.Of(facts);
        Assert.Contains("in an interrupt that came while yes (PID 130) ran, which has nothing to do with it", verdict.Text, StringComparison.Ordinal);
        Assert.Contains("foo_timer [foo]", verdict.Text, StringComparison.Ordinal);
        Assert.Equal("null-deref", verdict.Kind);
        Assert.Contains("0x18 bytes into a null pointer", verdict.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void User42_a_machine_check_is_hardware_and_the_task_innocent()
    {
        var verdict = Verdicts.Of(OfLog("""
            [   10.000000] mce: [Hardware Error]: CPU 2: Machine Check Exception: 5 Bank 4: b200000000070f0f
            [   10.000001] mce: [Hardware Error]: TSC 0
            [   10.000002] mce: [Hardware Error]: Machine check: Processor context corrupt
            [   10.000003] Kernel panic - not syncing: Fatal machine check
            """.Replace("            ", "", StringComparison.Ordinal)));
        Assert.Equal("hardware", verdict.Kind);
        Assert.Contains("no fault of the software", verdict.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exitcode=0x0000000b", "signal 11 ended it")]
    [InlineData("exitcode=0x00000100", "it exited with status 1")]
    public void The_way_init_ended_is_said(string code, string words)
    {
        var verdict = Verdicts.Of(OfLog($"[   10.000000] Kernel panic - not syncing: Attempted to kill init! {code}\n"));
        Assert.Equal("init-died", verdict.Kind);
        Assert.Contains(words, verdict.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void User67_memory_of_a_machine_that_ran_is_no_crash()
    {
        CrashedKernel real = Crashes.Open(Crashes.Linux73);
        using VmcoreFile dump = real.Dump;
        var memory = new ChangedMemory(dump);
        foreach (var name in new[] { "panic_cpu", "crashing_cpu" })
        {
            Assert.True(real.Symbols!.TryFind(name, out var address));
            memory.Write(address & ~7UL, memory.Read(address & ~7UL) | (0xffff_ffffUL << (int)(address % 8 * 8)));
        }
        CrashedKernel kernel = memory.Open();
        var tasks = new TaskReport(kernel, new StackReport(kernel));
        var facts = CrashFactsReader.Read(kernel, LogAnalysis.Of([]), tasks);
        Assert.False(facts.HasCrashed);
        Assert.Contains("had not panicked", Verdicts.Of(facts).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void User69_without_the_note_the_report_is_the_same_and_says_that_it_searched()
    {
        string copy = Path.GetTempFileName();
        try
        {
            File.Copy(Crashes.Linux73, copy, overwrite: true);
            using (FileStream file = new(copy, FileMode.Open, FileAccess.ReadWrite))
            {
                var start = new byte[1 << 16];
                file.ReadExactly(start);
                int note = start.AsSpan().IndexOf("VMCOREINFO\0"u8);
                Assert.True(note > 0);
                file.Position = note;
                file.Write("XMCOREINFO"u8);
            }
            CrashReport report = RealReports.Of(copy);
            Assert.Contains(report.Quality.Missing, m => m.What.Contains("VMCOREINFO", StringComparison.Ordinal));
            Assert.Equal(
                RealReports.Json(RealReports.Linux73 with { Quality = report.Quality }), RealReports.Json(report));
        }
        finally
        {
            File.Delete(copy);
        }
    }

    [Fact]
    public void User71_taint_suppresses_nothing_and_G_is_none()
    {
        Assert.Equal(["O", "E"], RealReports.Linux73.Kernel.Taint);
        Assert.NotEmpty(RealReports.Linux73.Signature.Id);
        Assert.All(new[] { RealReports.Linux61, RealReports.FourLevel, RealReports.Linux73, RealReports.Arm64 }, r => Assert.DoesNotContain("G", r.Kernel.Taint));
    }
}
