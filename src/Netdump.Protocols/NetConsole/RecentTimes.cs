namespace Netdump.Protocols.NetConsole;

/// <summary>
/// The times of the last few record numbers: a number that comes again with another time is another record, whatever the boot rules say.
/// </summary>
internal sealed class RecentTimes
{
    private const int Slots = 32;
    private (ulong Sequence, ulong Microseconds, bool Used)[] _slots = [];

    public void Add(ulong sequence, ulong microseconds)
    {
        if (_slots.Length == 0) _slots = new (ulong, ulong, bool)[Slots];
        _slots[sequence % Slots] = (sequence, microseconds, true);
    }

    /// <summary>Whether this number is remembered with another time.</summary>
    public bool Contradicts(ulong sequence, ulong microseconds)
    {
        if (_slots.Length == 0) return false;
        ref readonly (ulong Sequence, ulong Microseconds, bool Used) slot = ref _slots[sequence % Slots];
        return slot.Used && slot.Sequence == sequence && slot.Microseconds != microseconds;
    }

    public void Clear() => Array.Clear(_slots);
}
