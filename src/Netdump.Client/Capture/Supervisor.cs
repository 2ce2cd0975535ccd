using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>What pid 1 has to do next.</summary>
public enum SupervisorActionKind
{
    /// <summary>Print <see cref="SupervisorAction.Text"/>.</summary>
    Say,

    /// <summary>Start the child that does the work and answer with <see cref="Supervisor.ChildStarted"/> or <see cref="Supervisor.ChildNotStarted"/>.</summary>
    StartChild,

    /// <summary>Kill the child.</summary>
    KillChild,

    /// <summary>Write to the watchdog.</summary>
    FeedWatchdog,

    /// <summary>The work is over, well or not: do the final action.</summary>
    Finish,
}

/// <summary>One action, with the line to print for <see cref="SupervisorActionKind.Say"/> and the reason for <see cref="SupervisorActionKind.Finish"/>.</summary>
public readonly record struct SupervisorAction(SupervisorActionKind Kind, string Text = "");

/// <summary>
/// Decides for pid 1 of the capture kernel: when the child is started, started again or killed, when the watchdog is fed and
/// when it is over. Events come in, actions are taken out; it reads no clock and makes no system call. It always comes to
/// <see cref="SupervisorActionKind.Finish"/>: a child that fails is started at most <see cref="MaximumStarts"/> times, and a
/// child that moves nothing for the give-up time is killed.
/// </summary>
public sealed class Supervisor
{
    /// <summary>How often the child is started before pid 1 gives up: a child that always fails after moving something must come to an end too.</summary>
    public const int MaximumStarts = 7;

    /// <summary>Time between two feeds; hardware watchdogs run out after 10 s and more.</summary>
    public static readonly TimeSpan FeedInterval = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan KillLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Queue<SupervisorAction> _actions = new();
    private readonly TimeSpan _giveUp;
    private readonly bool _watchdog;
    private Phase _phase = Phase.Waiting;
    private TimeSpan _startAt;
    private TimeSpan _lastMoved;
    private TimeSpan _killedAt;
    private TimeSpan _nextFeed;
    private ulong _moved;
    private int _starts;

    /// <summary>Begins; the child is started by the first <see cref="Advance"/>.</summary>
    /// <param name="giveUp">It is over when nothing moved for so long.</param>
    /// <param name="watchdog">True when a watchdog has to be fed.</param>
    /// <param name="now">Monotonic time.</param>
    public Supervisor(TimeSpan giveUp, bool watchdog, TimeSpan now)
    {
        _giveUp = giveUp;
        _watchdog = watchdog;
        _startAt = _lastMoved = _nextFeed = now;
    }

    private enum Phase
    {
        Waiting,
        Starting,
        Running,
        Killing,
        Finished,
    }

    /// <summary>How often the child was started; the number of the running one, counted from 1.</summary>
    public int Starts => _starts;

    /// <summary>When <see cref="Advance"/> wants to be called, if nothing else happens before.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan next = _phase switch
            {
                Phase.Waiting => Earlier(_startAt, _lastMoved + _giveUp),
                Phase.Running => _lastMoved + _giveUp,
                Phase.Killing => _killedAt + KillLimit,
                _ => TimeSpan.MaxValue,
            };
            return _watchdog ? Earlier(next, _nextFeed) : next;
        }
    }

    /// <summary>Takes the next action; actions come in the order in which they have to be done.</summary>
    public bool TryTakeAction(out SupervisorAction action) => _actions.TryDequeue(out action);

    /// <summary>The child runs.</summary>
    public void ChildStarted()
    {
        if (_phase == Phase.Starting) _phase = Phase.Running;
    }

    /// <summary>The child could not be started.</summary>
    public void ChildNotStarted(string why, TimeSpan now) => Again($"the work cannot be started: {why}", now);

    /// <summary>The child told how much it has moved since it was started; only more than before counts as movement.</summary>
    /// <param name="total">Bytes, or any count that grows with the work.</param>
    /// <param name="now">Monotonic time.</param>
    public void ChildMoved(ulong total, TimeSpan now)
    {
        if (_phase != Phase.Running || total <= _moved) return;
        _moved = total;
        _lastMoved = now;
    }

    /// <summary>The child ended.</summary>
    public void ChildEnded(in ProcessEnd end, TimeSpan now)
    {
        if (_phase == Phase.Finished) return;
        if (_phase == Phase.Killing) Finish(StandstillText);
        else if (end.ExitCode == CaptureExit.Done) Finish("the dump is done");
        else if (end.ExitCode == CaptureExit.Hopeless) Finish("there is nothing to send");
        else Again(end.Signal == Processes.Kill ? "the work was killed" : end.Signal != 0 ? $"the work crashed (signal {end.Signal})" : $"the work failed ({end.ExitCode})", now);
    }

    /// <summary>Lets time pass.</summary>
    public void Advance(TimeSpan now)
    {
        if (_watchdog && now >= _nextFeed)
        {
            _actions.Enqueue(new SupervisorAction(SupervisorActionKind.FeedWatchdog));
            _nextFeed = now + FeedInterval;
        }
        switch (_phase)
        {
            case Phase.Waiting when now >= _lastMoved + _giveUp:
                Finish(StandstillText);
                break;
            case Phase.Waiting when now >= _startAt:
                _phase = Phase.Starting;
                _starts++;
                _moved = 0;
                _actions.Enqueue(new SupervisorAction(SupervisorActionKind.StartChild));
                break;
            case Phase.Running when now >= _lastMoved + _giveUp:
                _phase = Phase.Killing;
                _killedAt = now;
                _actions.Enqueue(new SupervisorAction(SupervisorActionKind.KillChild));
                break;
            case Phase.Killing when now >= _killedAt + KillLimit:
                Finish(StandstillText); // it hangs in the kernel and cannot even be killed
                break;
            default:
                break;
        }
    }

    private string StandstillText => $"nothing moved for {_giveUp.TotalSeconds:0} s";

    private static TimeSpan Earlier(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private void Again(string what, TimeSpan now)
    {
        if (_phase is not (Phase.Starting or Phase.Running)) return;
        if (_starts >= MaximumStarts)
        {
            Finish($"{what}, {_starts} times");
            return;
        }
        TimeSpan pause = Earlier(TimeSpan.FromSeconds(1 << (_starts - 1)), LongestPause);
        _phase = Phase.Waiting;
        _startAt = now + pause;
        _actions.Enqueue(new SupervisorAction(SupervisorActionKind.Say, $"{what}; it is started again in {pause.TotalSeconds:0} s"));
    }

    private void Finish(string reason)
    {
        _phase = Phase.Finished;
        _actions.Enqueue(new SupervisorAction(SupervisorActionKind.Finish, reason));
    }
}
