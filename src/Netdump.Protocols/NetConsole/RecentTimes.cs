namespace Netdump.Protocols.NetConsole;

/// <summary>
/// The times of the last few record numbers: a number that comes again with another time is another record, whatever the boot rules say.
/// Also how much the lines of each said: of two targets' copies the one with userdata is worth more.
/// </summary>
internal sealed class RecentTimes
{
    private const int Slots = 32;
    private (ulong Sequence, ulong Microseconds, int LinesLength, bool Used)[] _slots = [];

    public void Add(ulong sequence, ulong microseconds, int linesLength)
    {
        if (_slots.Length == 0) _slots = new (ulong, ulong, int, bool)[Slots];
        _slots[sequence % Slots] = (sequence, microseconds, linesLength, true);
    }

    /// <summary>Whether this number is remembered with another time.</summary>
    public bool Contradicts(ulong sequence, ulong microseconds)
    {
        if (_slots.Length == 0) return false;
        ref readonly (ulong Sequence, ulong Microseconds, int LinesLength, bool Used) slot = ref _slots[sequence % Slots];
        return slot.Used && slot.Sequence == sequence && slot.Microseconds != microseconds;
    }

    /// <summary>Whether this number is remembered with this very time.</summary>
    public bool Confirms(ulong sequence, ulong microseconds)
    {
        if (_slots.Length == 0) return false;
        ref readonly (ulong Sequence, ulong Microseconds, int LinesLength, bool Used) slot = ref _slots[sequence % Slots];
        return slot.Used && slot.Sequence == sequence && slot.Microseconds == microseconds;
    }

    /// <summary>Whether a copy of a remembered record says more than what came before; it is then what is remembered.</summary>
    public bool Improves(ulong sequence, ulong microseconds, int linesLength)
    {
        if (!Confirms(sequence, microseconds) || linesLength <= _slots[sequence % Slots].LinesLength) return false;
        _slots[sequence % Slots].LinesLength = linesLength;
        return true;
    }

    public void Clear() => Array.Clear(_slots);
}
