namespace Netdump.Server.Tests.Whole;

public sealed class BackgroundWorkTests
{
    [Fact]
    public async Task Waiting_ends_with_the_last_work_also_with_one_that_fails_and_one_begun_meanwhile()
    {
        BackgroundWork work = new();
        Assert.True(work.Wait(TimeSpan.Zero));
        TaskCompletionSource first = new(), second = new();
        _ = work.Track(first.Task);
        Task failed = work.Run((Action)(() => throw new InvalidOperationException("asked to fail")));
        Assert.False(work.Wait(TimeSpan.FromMilliseconds(50)));
        Task<bool> waiting = Task.Run(() => work.Wait(TimeSpan.FromSeconds(60)));
        _ = work.Track(second.Task);
        first.SetResult();
        await Task.Delay(50);
        Assert.False(waiting.IsCompleted);
        second.SetResult();
        Assert.True(await waiting);
        await Assert.ThrowsAsync<InvalidOperationException>(() => failed);
    }
}
