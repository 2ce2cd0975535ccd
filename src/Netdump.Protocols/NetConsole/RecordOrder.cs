namespace Netdump.Protocols.NetConsole;

/// <summary>When a record is delivered.</summary>
internal enum RecordTurn
{
    /// <summary>At once: it is the next one.</summary>
    Now,

    /// <summary>At once: its turn has passed.</summary>
    Late,

    /// <summary>After those before it, or when these have been waited for long enough.</summary>
    Wait,
}

/// <summary>
/// The order of one boot's records in one stream (netconsole.md 4.3): what comes in order passes, what comes early waits, and nothing
/// waits longer than <see cref="GapTimeout"/>, because a host that says its last words sends nothing that could end the waiting.
/// </summary>
internal sealed class RecordOrder(WindowPool pool)
{
    /// <summary>How long a boot's first records wait, so that those they overtook come before them.</summary>
    public static readonly TimeSpan StartTimeout = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The same for the first numbers of a kernel's log: its command line, some lines later, tells a capture kernel from a reboot.
    /// </summary>
    public static readonly TimeSpan BannerTimeout = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a record waits for those before it.</summary>
    public static readonly TimeSpan GapTimeout = TimeSpan.FromMilliseconds(250);

    /// <summary>A number farther away than this from the next one is believed when <see cref="Agreeing"/> records agree.</summary>
    public const ulong Far = 65_536;

    /// <summary>Records that must agree before the count jumps: one forged datagram must not make all later ones late.</summary>
    public const int Agreeing = 3;

    private OrderWindow? _window;
    private bool _started;
    private TimeSpan _startAt = TimeSpan.MaxValue;
    private ulong _next;
    private ulong _jumpedTo;
    private int _jumps;

    /// <summary>Whether nothing waits.</summary>
    public bool IsEmpty => _window is null;

    /// <summary>Whether the boot's first number is still open.</summary>
    public bool IsStarting => !_started;

    /// <summary>When something that waits has waited long enough; <see cref="TimeSpan.MaxValue"/> when nothing waits.</summary>
    public TimeSpan NextDeadline => _window is null ? TimeSpan.MaxValue : _started ? _window.OldestArrival + GapTimeout : _startAt;

    /// <summary>A boot begins; nothing may wait from the one before it.</summary>
    public void Begin(TimeSpan now, bool atBanner)
    {
        _started = false;
        _startAt = now + (atBanner ? BannerTimeout : StartTimeout);
        _jumps = 0;
    }

    /// <summary>Whether a number is the one before the next.</summary>
    public bool HasPassed(ulong sequence) => _started && unchecked(sequence + 1) == _next;

    /// <summary>Whether a number is lower than all that wait.</summary>
    public bool IsBeforeAll(ulong sequence) => _window is null || sequence < _window.FirstSequence;

    /// <summary>When a record's turn is. One whose turn is now must be followed by <see cref="Pass"/>.</summary>
    public RecordTurn Judge(ulong sequence)
    {
        if (!_started) return RecordTurn.Wait;
        if (sequence == _next) return RecordTurn.Now;
        return sequence < _next && _next - sequence <= Far ? RecordTurn.Late : RecordTurn.Wait;
    }

    /// <summary>Keeps a record until its turn comes; false when there is no room: <see cref="TakeFirst"/> makes some.</summary>
    public bool TryHold(in ExtendedRecord record, ReadOnlySpan<byte> datagram, int lost, int linesLength, TimeSpan now)
    {
        if (_window is not null && _window.IsFull(datagram.Length)) return false;
        _window ??= pool.TryRentWindow();
        if (_window is null) return false;
        if (_window.TryAdd(record, datagram, lost, linesLength, now)) return true;
        if (_window.Count == 0) GiveBack();
        return false;
    }

    /// <summary>Whether another copy of a record waits, which may be replaced by this one.</summary>
    public bool TryReplace(in ExtendedRecord record, ReadOnlySpan<byte> datagram, int lost, int linesLength) =>
        _window is not null && _window.TryReplace(record, datagram, lost, linesLength);

    /// <summary>Takes out the record whose turn has come by those that passed; <see cref="Pass"/> must follow.</summary>
    public bool TryTakeNext(out HeldRecord record)
    {
        record = default;
        return _window is not null && _started && _window.TryTake(_next, out record);
    }

    /// <summary>
    /// Takes out the first record if one has waited long enough, and gives up what was before it; <see cref="Pass"/> must follow.
    /// </summary>
    public bool TryTakeExpired(TimeSpan now, out HeldRecord record)
    {
        record = default;
        if (NextDeadline > now || _window is null) return false;
        if (!_started)
        {
            Start(_window.FirstSequence);
            // From here on, what is behind a gap waits as behind any other gap.
            return TryTakeNext(out record);
        }

        record = TakeFirst();
        return true;
    }

    /// <summary>
    /// Takes out the first record that waits, whatever is missing before it; something must wait, and <see cref="Pass"/> must follow.
    /// </summary>
    public HeldRecord TakeFirst()
    {
        if (!_started) Start(_window!.FirstSequence);
        return _window!.TakeFirst();
    }

    /// <summary>Gives back the memory of a record that was taken out.</summary>
    public void Release(in HeldRecord record)
    {
        _window!.Release(record);
        if (_window.Count == 0) GiveBack();
    }

    /// <summary>Goes on behind a record that is delivered.</summary>
    public void Pass(ulong sequence)
    {
        if (!_started) Start(sequence);
        bool ahead = sequence >= _next;
        if ((ahead ? sequence - _next : _next - sequence) <= Far)
        {
            if (ahead) _next = unchecked(sequence + 1);
            return;
        }

        bool agrees = _jumps > 0 && (sequence > _jumpedTo ? sequence - _jumpedTo : _jumpedTo - sequence) <= Far;
        _jumps = agrees ? _jumps + 1 : 1;
        _jumpedTo = sequence;
        if (_jumps + (_window?.CountNear(sequence, Far) ?? 0) < Agreeing) return;
        _next = unchecked(sequence + 1);
        _jumps = 0;
    }

    private void Start(ulong sequence)
    {
        _started = true;
        _next = sequence;
    }

    private void GiveBack()
    {
        pool.Return(_window!);
        _window = null;
    }
}
