using System.Collections.Concurrent;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// The way back to an engine thread: results of hooks, of disk work and of timers elsewhere are posted here and run on
/// the thread that owns the state they touch, between two batches.
/// </summary>
public sealed class Lane
{
    private readonly ConcurrentQueue<Action> _posted = new();
    private readonly Lock _lock = new();
    private readonly int _index;
    private readonly int _count;
    private Action? _wake;

    /// <summary>A lane whose thread is woken by <paramref name="wake"/> (any thread calls it); null when somebody polls.</summary>
    /// <param name="wake">Wakes the thread.</param>
    /// <param name="index">Number of the thread among those of the port.</param>
    /// <param name="count">How many there are.</param>
    public Lane(Action? wake = null, int index = 0, int count = 1) => (_wake, _index, _count) = (wake, index, count);

    /// <summary>Whether datagrams of an address come to this lane's thread.</summary>
    public bool Owns(in AddressKey source) => _count == 1 || SourceSteering.SocketOf(source, _count) == _index;

    /// <summary>Runs <paramref name="action"/> soon on the lane's thread. From any thread.</summary>
    public void Post(Action action)
    {
        _posted.Enqueue(action);
        lock (_lock) _wake?.Invoke();
    }

    /// <summary>
    /// The thread has ended: nobody is woken any more, and what is posted from now on never runs. Work elsewhere may outlast the thread, and
    /// must not touch a descriptor that is closed, or another's by then.
    /// </summary>
    public void Close()
    {
        lock (_lock) _wake = null;
    }

    /// <summary>Runs what has been posted up to now; returns how many. Only on the lane's thread.</summary>
    public int RunPosted()
    {
        int ran = 0;
        if (_posted.IsEmpty) return 0;
        // Actions that post again are run in the next round, so that a loop of them cannot keep datagrams waiting.
        for (int left = _posted.Count; left > 0 && _posted.TryDequeue(out Action? action); left--, ran++)
            action();
        return ran;
    }
}
