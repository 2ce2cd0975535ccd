using System.Text;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Kernel.Incidents;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>Text of a console or of dmesg: lines, reports, titles, traces, registers, signatures.</summary>
public sealed class KernelLogTexts : FuzzTarget
{
    public override double Share => 0.3;

    public override IReadOnlyList<byte[]> Tokens =>
    [
        .. new[]
        {
            "\n", "[    1.000000] ", "[    1.000000][   T1] ", "[    1.0][    C1] ", "6,1,2,-,caller=T1;", "<4>", "BUG: ", "WARNING: ", "INFO: ", "KASAN: ", "Kernel panic - not syncing: ",
            "RIP: 0010:f+0x1/0x2", "Call Trace:", " f+0x1/0x2 [m]", " ? g+0x1/0x2", " <IRQ>", "RAX: 0000000000000000 ", "CR2: ", "Code: ", "at: [<f>] ", "---[ end trace", "INFO: task a:1 blocked for more than ",
            "rcu_sched detected stall", "apic_timer_interrupt+0x1/0x2", "soft lockup - CPU#1", "kernel BUG at a.c:1!", "general protection fault", "invoked oom-killer: ", "Killed process 1 (a)",
        }.Select(Encoding.ASCII.GetBytes),
    ];

    public override IEnumerable<byte[]> Seeds =>
    [
        Encoding.ASCII.GetBytes("""
            [    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000018
            [    1.000000] #PF: error_code(0x0002) - not-present page
            [    1.000000] Oops: 0002 [#1] PREEMPT SMP NOPTI
            [    1.000000] CPU: 1 PID: 2 Comm: a b Kdump: loaded Tainted: G        W  OE      6.1.0 #1
            [    1.000000] RIP: 0010:f+0x2c/0x40 [m]
            [    1.000000] RAX: 0000000000000000 RBX: 6b6b6b6b6b6b6b6b
            [    1.000000] Call Trace:
            [    1.000000]  <TASK>
            [    1.000000]  g+0x1/0x2
            [    1.000000] CR2: 0000000000000018
            [    1.000000] ---[ end trace 0000000000000000 ]---
            """),
        "6,1,2,-,caller=T1;INFO: task a:1 blocked for more than 120 seconds.\n6,2,3,-,caller=T1;Call Trace:\n6,3,4,-,caller=T1; schedule+0x1/0x2\n"u8.ToArray(),
        "<1>[    1.000000][    C1] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [a:1]\n<1>[    1.000000][    C1] RIP: 0010:f+0x1/0x2\n"u8.ToArray(),
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        string text = Encoding.UTF8.GetString(input);
        LogAnalysis log = LogAnalysis.Of(ConsoleLine.Of(new StringReader(text)));
        Require(log.Incidents.Count <= IncidentFinder.MostIncidents, "incidents are bounded");
        foreach (Incident incident in log.Incidents)
        {
            Require(incident.FirstLine >= 1 && incident.FirstLine <= incident.LastLine && incident.LastLine <= log.Lines, "a report is made of the log's lines");
            Require(incident.Title.Length <= 120 && !incident.Title.Contains('\n'), "a title is one line");
            Require(incident.Signature.Frames.Count <= SignatureFrames.Maximum && incident.Signature.Id.Length == 16, "a signature has a fixed form");
        }
        Require(log.Cause is null || log.Incidents.Contains(log.Cause), "the cause is one of the incidents");
    }
}
