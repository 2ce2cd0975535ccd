namespace Netdump.Client.Host;

/// <summary>Does something at once and then at each interval, in the calling thread, until it is told to stop.</summary>
public static class WatchLoop
{
    /// <summary>Runs the loop. A turn that takes longer than the interval delays the next, it does not pile them up.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="interval">Between two turns.</param>
    /// <param name="turn">What is done.</param>
    /// <param name="stop">Ends the loop.</param>
    public static void Run(TimeProvider time, TimeSpan interval, Action turn, CancellationToken stop)
    {
        using var due = new ManualResetEventSlim(initialState: true);
        using ITimer timer = time.CreateTimer(_ => due.Set(), null, interval, interval);
        while (true)
        {
            try
            {
                due.Wait(stop);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            due.Reset();
            turn();
        }
    }
}
