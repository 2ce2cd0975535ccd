using Microsoft.Extensions.Time.Testing;
using Netdump.Client.Host;

namespace Netdump.Client.Tests.Host;

public sealed class WatchLoopTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact]
    public void A_turn_comes_at_once_then_at_each_interval_and_a_stop_ends_it()
    {
        var time = new FakeTimeProvider();
        using var stop = new CancellationTokenSource();
        using var turns = new SemaphoreSlim(0);
        var loop = new Thread(() => WatchLoop.Run(time, TimeSpan.FromSeconds(60), () => turns.Release(), stop.Token));
        loop.Start();
        Assert.True(turns.Wait(Limit), "no turn at once");
        for (int i = 0; i < 3; i++)
        {
            time.Advance(TimeSpan.FromSeconds(59));
            Assert.Equal(0, turns.CurrentCount);
            time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(turns.Wait(Limit), "no turn after a minute");
        }
        stop.Cancel();
        Assert.True(loop.Join(Limit), "the loop did not end");
        Assert.Equal(0, turns.CurrentCount);
    }

    [Fact]
    public void A_long_turn_does_not_pile_up_others()
    {
        var time = new FakeTimeProvider();
        using var stop = new CancellationTokenSource();
        using var begun = new SemaphoreSlim(0);
        using var go = new SemaphoreSlim(0);
        int turns = 0;
        var loop = new Thread(() => WatchLoop.Run(time, TimeSpan.FromSeconds(60), () =>
        {
            Interlocked.Increment(ref turns);
            begun.Release();
            go.Wait(Limit);
        }, stop.Token));
        loop.Start();
        Assert.True(begun.Wait(Limit));
        time.Advance(TimeSpan.FromMinutes(10));
        go.Release();
        Assert.True(begun.Wait(Limit), "the turn that came due meanwhile");
        stop.Cancel();
        go.Release();
        Assert.True(loop.Join(Limit));
        Assert.Equal(2, turns);
    }
}
