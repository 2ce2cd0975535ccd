using System.Text;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Log;

namespace Netdump.Vmcore.Tests;

public class PanickingProcessorTests
{
    private const uint Cpu1 = 0x80000001;

    [Fact]
    public void The_note_of_the_task_that_panicked() => Assert.Equal(1, Find([(7, true), (42, true), (0, true)],
        (42, "sysrq: Trigger a crash"), (42, "Kernel panic - not syncing: sysrq triggered crash"), (42, "CPU: 5 PID: 42 Comm: sh Not tainted")));

    [Fact]
    public void A_report_printed_outside_of_threads_names_its_task() => Assert.Equal(2, Find([(7, true), (8, true), (9, true)],
        (Cpu1, "BUG: kernel NULL pointer dereference, address: 0"), (8, "CPU: 0 PID: 8 Comm: bystander"), (Cpu1, "CPU: 1 UID: 0 PID: 9 Comm: victim")));

    [Fact]
    public void The_last_report_counts() => Assert.Equal(0, Find([(7, true), (8, true)],
        (8, "BUG: unable to handle page fault"), (8, "CPU: 1 PID: 8 Comm: a"), (7, "Kernel panic - not syncing: hung"), (7, "CPU: 0 PID: 7 Comm: b")));

    [Fact]
    public void Idle_CPUs_are_told_apart_by_number_or_by_privilege()
    {
        Assert.Equal(1, Find([(0, true), (0, true)], (Cpu1, "Kernel panic - not syncing: x"), (Cpu1, "CPU: 1 PID: 0 Comm: swapper/1")));
        Assert.Equal(1, Find([(0, false), (0, true)], (Cpu1, "Kernel panic - not syncing: x"), (Cpu1, "CPU: 6 PID: 0 Comm: swapper/6")));
    }

    [Fact]
    public void Without_a_log_the_first_in_the_kernel_else_the_first()
    {
        Assert.Equal(1, Find([(5, false), (6, true)]));
        Assert.Equal(0, Find([(5, false), (6, false)]));
        Assert.Equal(1, Find([(5, false), (6, true)], (99, "Kernel panic - not syncing: gone")));
        Assert.Equal(-1, Find([]));
    }

    private static int Find((int Pid, bool InKernel)[] notes, params (uint Caller, string Text)[] log) => PanickingProcessor.Find(
        ProcessorStatus.From(notes.Select(n => new ElfNote("CORE", 1, SyntheticCore.Status(n.Pid, codeSegment: n.InKernel ? 0x10UL : 0x33UL), 0)), Machines.X64),
        [.. log.Select((l, i) => new LogRecord((ulong)i, 0, 0, 0, 0, l.Caller, Encoding.ASCII.GetBytes(l.Text), null, null))]);
}
