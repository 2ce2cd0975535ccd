using Netdump.Kernel.Tasks;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Tasks;

/// <summary>The judge is crash 9.0.2 with full debugging information.</summary>
public class CrashTaskTextTests
{
    private const string Folder = "linux-6.1-sysrq-4level";

    [Fact]
    public void User13_The_table_of_tasks_equals_crashs_ps_byte_for_byte() =>
        AssertSame("ps.txt", (k, o) => CrashTaskText.WritePs(CrashTaskText.Ordered(k.Tasks), k.Tasks.PresentPages, o));

    [Fact]
    public void User14_Item33_Times_since_the_last_run_equal_crashs_ps_m_byte_for_byte() =>
        AssertSame("ps_-m.txt", (k, o) => CrashTaskText.WriteAges(CrashTaskText.ByArrival(CrashTaskText.Ordered(k.Tasks)), o));

    [Fact]
    public void User15_The_tasks_on_processors_equal_crashs_ps_A() =>
        AssertSame("ps_-A.txt", (k, o) => CrashTaskText.WritePs(CrashTaskText.Ordered(k.Tasks).Where(t => t.IsOnProcessor), k.Tasks.PresentPages, o));

    [Fact]
    public void User24_Item45_Run_queues_equal_crashs_runq_byte_for_byte() =>
        AssertSame("runq.txt", (k, o) => CrashTaskText.WriteRunQueues(k.Tasks.RunQueues, o));

    [Fact]
    public void User6_States_are_counted_as_crash_counts_them()
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        Assert.Equal([new('I', 37), new('S', 19), new('R', 5)], kernel.Tasks.CountStates());
        Assert.Empty(kernel.Tasks.Waits.Blocked);
    }

    private static void AssertSame(string golden, Action<CrashedKernel, TextWriter> write)
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        using var text = new StringWriter();
        write(kernel, text);
        Assert.Equal(File.ReadAllText(SharedData.File(Folder, Path.Combine("golden", golden))), text.ToString());
        Assert.Empty(kernel.Gaps.All);
    }
}
