using CsCheck;
using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Tests.Incidents;

public class HostileLogTests
{
    private static Gen<string> Const(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);

    private static readonly Gen<string> Line = Gen.OneOf(
        Gen.String,
        Const(
            "BUG: KASAN: ", "RIP: 0010:", " ? f+0x", "Call Trace:", " f+0x1/0x2 [", "---[ end trace", "Kernel panic - not syncing: ", "[<", " from ", "at: [<",
            "INFO: task ", "INFO: rcu_sched detected stall", "RAX: 0000000000000000", "CR2: ", "WARNING: CPU: 1 PID: 2 at a.c:1 ", "#PF: error_code(0x", "(",
            "x29: ffff000000000000 x28", "Comm: ", "Tainted: ", "CPU#", "apic_timer_interrupt+0x1/0x2", "Sending NMI from CPU 1 to CPUs 0:", "UBSAN: ",
            "12,3,4,-,caller=T1;\\x0", "[    1.000000][  T1", "<IRQ>", "watchdog: BUG: soft lockup - CPU#", "invoked oom-killer: ", "Killed process 1 ("));

    private static readonly Gen<string> Prefix = Const("", "[    1.000000] ", "[    1.000000][   T1] ", "[    2.000000][    C0] ", "<4>[    3.000000] ", "6,1,2,-;");

    [Fact]
    public void Any_text_is_analysed_without_an_exception() =>
        Gen.Select(Prefix, Line.Array[0, 4]).Array[0, 40].Sample(lines =>
        {
            string log = string.Join('\n', lines.Select(l => l.Item1 + string.Concat(l.Item2)));
            LogAnalysis analysis = LogAnalysis.Of(ConsoleLine.Of(new StringReader(log)));
            Assert.All(analysis.Incidents, i => Assert.InRange(i.Title.Length, 0, 120));
            Assert.All(analysis.Incidents, i => Assert.InRange(i.LastLine, i.FirstLine, analysis.Lines));
        });

    [Fact]
    public void Cleaning_a_title_again_changes_nothing() =>
        Gen.Char[' ', '~'].Array[0, 60].Select(c => new string(c)).Sample(text => Assert.Equal(TitleText.Clean(text), TitleText.Clean(TitleText.Clean(text))));

    [Fact]
    public void Incidents_without_end_are_kept_within_bounds_and_counted()
    {
        var finder = new IncidentFinder();
        for (int i = 0; i < 100_000; i++)
            finder.Add(new($"BUG: number {(char)('a' + (i % 26))}{(char)('a' + (i / 26 % 26))} of many", TimeSpan.FromSeconds(i * 10.0), 0, 0, $"T{i % 1000}"));
        IReadOnlyList<Incident> incidents = finder.Finish();
        Assert.InRange(incidents.Count, 1, IncidentFinder.MostIncidents);
        Assert.Equal(100_000, finder.Dropped + incidents.Sum(i => (long)i.Count));
    }

    [Fact]
    public void A_report_without_end_and_a_line_without_end_cost_bounded_memory()
    {
        IEnumerable<ConsoleLine> lines = Enumerable.Range(0, 300_000).Select(i => new ConsoleLine($" f{i}+0x1/0x2", null, 0, 0, "-"))
            .Prepend(new("BUG: unable to handle kernel paging request at 1", null, 0, 0, "-"));
        Assert.InRange(Assert.Single(LogAnalysis.Of(lines).Incidents).LastLine, 2, 3000);
        ConsoleLine line = Assert.Single(ConsoleLine.Of(new StringReader(new string('x', 10_000_000))));
        Assert.Equal(ConsoleLine.MaximumLength, line.Text.Length);
    }
}
