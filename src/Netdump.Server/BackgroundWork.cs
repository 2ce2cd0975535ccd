namespace Netdump.Server;

/// <summary>
/// Disk work done beside the engine's threads, counted so that the server can wait for it before it ends. Thread-safe.
/// </summary>
public sealed class BackgroundWork
{
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _running = [];

    /// <summary>Runs work on another thread. The task is that of <see cref="Task.Run(Action)"/>.</summary>
    public Task Run(Action work) => Track(Task.Run(work));

    /// <summary>Runs work on another thread. The task is that of <see cref="Task.Run(Func{Task})"/>.</summary>
    public Task Run(Func<Task> work) => Track(Task.Run(work));

    /// <summary>Counts work that runs already.</summary>
    public Task Track(Task task)
    {
        lock (_lock) _running.Add(task);
        _ = task.ContinueWith(Remove, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return task;
    }

    /// <summary>Waits until nothing runs any more; false if that takes longer than the limit.</summary>
    public bool Wait(TimeSpan limit)
    {
        TimeSpan end = MonotonicClock.Now + limit;
        while (true)
        {
            Task[] running;
            lock (_lock) running = [.. _running];
            if (running.Length == 0) return true;
            TimeSpan left = end - MonotonicClock.Now;
            // Failures are told where the work was begun; here only its end counts.
            if (left <= TimeSpan.Zero || !Task.WhenAll(running).ContinueWith(_ => { }, TaskScheduler.Default).Wait(left)) return false;
        }
    }

    private void Remove(Task task)
    {
        lock (_lock) _running.Remove(task);
    }
}
