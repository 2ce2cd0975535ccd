using Netdump.Client.Send;

namespace Netdump.Client.Capture;

/// <summary>
/// Follows the sender: tells pid 1 what moved and the console how it goes, and lets a rehearsed failure happen.
/// </summary>
internal sealed class SendWatch(CaptureConsole console, MovementWriter pipe, Rehearsal rehearsal, int start)
{
    /// <summary>How often the sender reports: as exact as the times of the first and last page are told.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(5);

    private readonly Movement _movement = new();
    private readonly Movement _told = new();
    private TimeSpan _nextLine;
    private ulong _moved;
    private bool _firstPage;
    private bool _lastPage;

    /// <summary>Which start of the child this is, from 1.</summary>
    public int Start => start;

    /// <summary>Bytes that were moved so far.</summary>
    public ulong Total => _moved;

    /// <summary>Adds bytes that were moved.</summary>
    public void Moved(ulong bytes)
    {
        _moved += bytes;
        pipe.Add(bytes, Uptime.Now);
        if (rehearsal.IsDue(start, _moved)) RehearsedEnd.Happen(rehearsal.Failure, console);
    }

    /// <summary>Follows the state as it is told: of very many tasks that takes minutes, in which no page moves.</summary>
    public IEnumerable<string> Told(IEnumerable<string> pieces)
    {
        ulong told = 0;
        foreach (string piece in pieces)
        {
            told += (ulong)piece.Length;
            Moved(_told.Advance(told));
            yield return piece;
        }
    }

    /// <summary>Takes a report of the sender.</summary>
    public void Report(SendProgress progress)
    {
        switch (progress.Stage)
        {
            case SendStage.Connecting:
                console.Say($"dumping to {progress.Target.Name} ({progress.Target.Address})");
                break;
            case SendStage.Connected:
                _nextLine = Uptime.Now + LineInterval;
                console.Reached($"{progress.Target.Name} answers{(progress.IsOurs ? "" : ", a server of the original protocol")}");
                break;
            case SendStage.LogSent:
                console.Reached("log sent");
                break;
            case SendStage.GivenUp:
                console.Say($"{progress.Target.Name}: {progress.Reason ?? Reason(progress.Outcome)}");
                break;
            case SendStage.Sending when Uptime.Now >= _nextLine:
                _nextLine = Uptime.Now + LineInterval;
                console.Show(ProgressText.Of(progress));
                break;
            default:
                break;
        }
        Milestones(progress);
        Moved(_movement.Advance(progress.BytesSent));
    }

    private void Milestones(in SendProgress progress)
    {
        if (!_firstPage && progress.PagesSent > 0)
        {
            _firstPage = true;
            console.Reached("first page sent");
        }
        if (!_lastPage && progress.PagesSent == progress.PagesTotal)
        {
            _lastPage = true;
            console.Reached($"last page sent, {progress.PagesSent} pages");
        }
        if (progress.Stage == SendStage.Ended) console.Reached($"{progress.Target.Name} has the dump, {progress.PagesSent} pages sent");
    }

    private static string Reason(SendOutcome outcome) => outcome switch
    {
        SendOutcome.NoAnswer => "no answer",
        SendOutcome.PortClosed => "nothing listens on that port",
        SendOutcome.Unreachable => "cannot be reached",
        SendOutcome.Silent => "it stopped asking",
        SendOutcome.NotEnrolled => "it does not know the key that certified this arming's; enrol the host again: netdump propagate",
        SendOutcome.WrongServerKey => "it has another key than the pinned one: nothing was sent",
        SendOutcome.NoSpace => "it has no room for the vmcore",
        SendOutcome.Refused => "it cannot take dumps of this machine",
        _ => outcome.ToString(),
    };
}
