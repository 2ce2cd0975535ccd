using Netdump.Kernel.Facts;

namespace Netdump.Kernel.Tests.Facts;

/// <summary>What RCU, workqueues, watchdogs and memory zones say in the real dumps.</summary>
public class SchedulingFactsTests
{
    [Fact]
    public void A_grace_period_that_has_just_begun_is_seen_with_the_kernels_own_deadline()
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        RcuFacts rcu = kernel.Tasks.Rcu!;
        Assert.True(rcu.IsRunning);
        Assert.Equal([0, 1], rcu.MissingProcessors);
        Assert.Equal(0.004, rcu.Seconds!.Value, 3);
        Assert.Equal(21.0, rcu.Warning!.Value, 3);
        Assert.False(rcu.IsStalled);
        Assert.Empty(rcu.BlockedReaders);
        Assert.Equal([0, 1], rcu.Callbacks.Keys.Order());
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Healthy_kernels_give_no_alarm(string path)
    {
        CrashedKernel kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        Assert.False(kernel.Tasks.Rcu!.IsStalled);
        Assert.InRange(kernel.Tasks.Rcu.ThreadSilent!.Value, 0, 10);
        Assert.All(kernel.Tasks.Rcu.Callbacks.Values, c => Assert.InRange(c, 0, 10_000));
        Assert.Empty(kernel.Tasks.Workqueues!.Stalled);
        WatchdogFacts watchdogs = kernel.Tasks.Watchdogs!;
        Assert.Equal(10, watchdogs.Threshold ?? 10);
        Assert.Equal([0, 1], watchdogs.Processors.Select(p => p.Processor));
        Assert.All(watchdogs.Processors, p => Assert.InRange(p.ClockLag!.Value.TotalSeconds, 0, 5));
        Assert.All(watchdogs.Processors, p => Assert.NotNull(p.Task));
        Assert.Empty(kernel.Gaps.All);
    }

    public static TheoryData<string> Dumps => [Crashes.Linux61FourLevel, Crashes.Linux61, Crashes.Linux73, Crashes.Arm64];

    [Fact]
    public void User9_The_soft_watchdogs_last_touch_and_the_hard_ones_count_are_read()
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        Assert.All(kernel.Tasks.Watchdogs!.Processors, p => Assert.Equal(3, p.SinceTouched));
        Assert.All(kernel.Tasks.Watchdogs.Processors, p => Assert.InRange(p.TimerInterrupts!.Value, 1UL, 4UL));
        Assert.Equal(308, (int)kernel.Tasks.Watchdogs.Processors[0].OnProcessorFor!.Value.TotalMilliseconds);
    }
}
