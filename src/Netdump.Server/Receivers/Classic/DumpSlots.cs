namespace Netdump.Server.Receivers.Classic;

/// <summary>How many dumps are being received at this moment, over all engine threads. Thread-safe.</summary>
public sealed class DumpSlots
{
    private int _taken;

    /// <summary>Dumps that hold a slot.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>Takes a slot.</summary>
    /// <param name="limit">Most slots that may be taken (the setting may change between calls).</param>
    /// <returns>False when that many are taken.</returns>
    public bool TryTake(int limit)
    {
        for (int taken = Taken; taken < limit; taken = Taken)
        {
            if (Interlocked.CompareExchange(ref _taken, taken + 1, taken) == taken)
                return true;
        }

        return false;
    }

    /// <summary>Takes a slot whatever the limit: a dump that an earlier process had begun.</summary>
    public void Take() => Interlocked.Increment(ref _taken);

    /// <summary>Gives a slot back.</summary>
    public void Release() => Interlocked.Decrement(ref _taken);
}
