using System.Runtime.CompilerServices;

namespace Netdump.Protocols.NetConsole;

/// <summary>A record that waits for those before it.</summary>
internal struct HeldRecord
{
    public ulong Sequence;
    public ulong Microseconds;
    public TimeSpan ArrivedAt;
    public byte[] Buffer;
    public int Length;

    /// <summary>Bytes that markers stand for.</summary>
    public int Lost;

    /// <summary>Length of dictionary, userdata and sysdata.</summary>
    public int LinesLength;

    /// <summary>The record as one datagram.</summary>
    public readonly ReadOnlySpan<byte> Datagram => Buffer.AsSpan(0, Length);
}

/// <summary>Records of one stream that wait, by number; equal numbers in order of arrival. Belongs to a stream only while something waits.</summary>
internal sealed class OrderWindow(WindowPool pool)
{
    /// <summary>Most records that wait.</summary>
    public const int MaximumRecords = 1024;

    /// <summary>Most bytes that wait.</summary>
    public const int MaximumBytes = 256 * 1024;

    private HeldRecord[] _slots = new HeldRecord[4];
    private int _head;
    private int _count;
    private int _bytes;

    /// <summary>Records that wait.</summary>
    public int Count => _count;

    /// <summary>When the longest waiting record came.</summary>
    public TimeSpan OldestArrival { get; private set; } = TimeSpan.MaxValue;

    /// <summary>Bytes of bookkeeping.</summary>
    public int OwnBytes => _slots.Length * Unsafe.SizeOf<HeldRecord>();

    /// <summary>Lowest number that waits; there must be one.</summary>
    public ulong FirstSequence => _slots[_head].Sequence;

    /// <summary>Whether the window takes no more by its own bounds.</summary>
    public bool IsFull(int length) => _count >= MaximumRecords || _bytes + length > MaximumBytes;

    /// <summary>Takes a copy of a record; false when there is no memory for it.</summary>
    public bool TryAdd(in ExtendedRecord record, ReadOnlySpan<byte> datagram, int lost, int linesLength, TimeSpan now)
    {
        if (!Reserve() || pool.TryRent(datagram.Length) is not byte[] buffer) return false;
        datagram.CopyTo(buffer);
        int at = UpperBound(record.Sequence);
        Array.Copy(_slots, at, _slots, at + 1, _head + _count - at);
        _slots[at] = new HeldRecord
        {
            Sequence = record.Sequence,
            Microseconds = record.Microseconds,
            ArrivedAt = now,
            Buffer = buffer,
            Length = datagram.Length,
            Lost = lost,
            LinesLength = linesLength,
        };
        _count++;
        _bytes += buffer.Length;
        if (now < OldestArrival) OldestArrival = now;
        return true;
    }

    /// <summary>Whether a record waits of which this is another copy; it is replaced when the new one is whole or says more.</summary>
    public bool TryReplace(in ExtendedRecord record, ReadOnlySpan<byte> datagram, int lost, int linesLength)
    {
        for (int at = UpperBound(record.Sequence) - 1; at >= _head && _slots[at].Sequence == record.Sequence; at--)
        {
            ref HeldRecord held = ref _slots[at];
            if (held.Microseconds != record.Microseconds) continue;
            bool better = lost == 0 && (held.Lost > 0 || linesLength > held.LinesLength);
            if (!better || pool.TryRent(datagram.Length) is not byte[] buffer) return true;
            datagram.CopyTo(buffer);
            _bytes += buffer.Length - held.Buffer.Length;
            pool.Return(held.Buffer);
            held.Buffer = buffer;
            held.Length = datagram.Length;
            held.Lost = 0;
            held.LinesLength = linesLength;
            return true;
        }

        return false;
    }

    /// <summary>Takes the lowest number out. Its buffer goes back by <see cref="Release"/>.</summary>
    public HeldRecord TakeFirst() => TakeAt(_head);

    /// <summary>Takes one number out, if it waits.</summary>
    public bool TryTake(ulong sequence, out HeldRecord record)
    {
        record = default;
        int at = UpperBound(sequence) - 1;
        if (at < _head || _slots[at].Sequence != sequence) return false;
        while (at > _head && _slots[at - 1].Sequence == sequence) at--;
        record = TakeAt(at);
        return true;
    }

    /// <summary>Gives back the memory of a record that was taken out.</summary>
    public void Release(in HeldRecord record) => pool.Return(record.Buffer);

    /// <summary>How many waiting numbers are at most <paramref name="distance"/> away from one.</summary>
    public int CountNear(ulong sequence, ulong distance)
    {
        ulong low = sequence > distance ? sequence - distance : 0;
        ulong high = sequence < ulong.MaxValue - distance ? sequence + distance : ulong.MaxValue;
        return UpperBound(high) - (low == 0 ? _head : UpperBound(low - 1));
    }

    private HeldRecord TakeAt(int at)
    {
        HeldRecord record = _slots[at];
        if (at == _head) _head++;
        else Array.Copy(_slots, at + 1, _slots, at, _head + _count - at - 1);
        _count--;
        _slots[at == _head - 1 ? at : _head + _count] = default;
        _bytes -= record.Buffer.Length;
        if (_count == 0) _head = 0;
        if (record.ArrivedAt == OldestArrival) FindOldest();
        return record;
    }

    private void FindOldest()
    {
        TimeSpan oldest = TimeSpan.MaxValue;
        for (int i = _head; i < _head + _count; i++)
            if (_slots[i].ArrivedAt < oldest) oldest = _slots[i].ArrivedAt;
        OldestArrival = oldest;
    }

    /// <summary>Makes room for one more slot behind the last.</summary>
    private bool Reserve()
    {
        if (_head + _count < _slots.Length) return true;
        if (_head > _slots.Length / 2)
        {
            Array.Copy(_slots, _head, _slots, 0, _count);
            Array.Clear(_slots, _count, _slots.Length - _count);
            _head = 0;
            return true;
        }

        if (!pool.TryCharge(OwnBytes)) return false;
        Array.Resize(ref _slots, _slots.Length * 2);
        return true;
    }

    /// <summary>Slot behind the last number that is not above one.</summary>
    private int UpperBound(ulong sequence)
    {
        int low = _head;
        int high = _head + _count;
        if (high > low && _slots[high - 1].Sequence <= sequence) return high;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_slots[middle].Sequence <= sequence) low = middle + 1;
            else high = middle;
        }

        return low;
    }
}
