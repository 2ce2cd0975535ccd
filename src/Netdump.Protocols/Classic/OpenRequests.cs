namespace Netdump.Protocols.Classic;

/// <summary>
/// The requests of a server session that wait for their answers: found by number in constant time, sent again when late, in fixed
/// memory. A request keeps its number when it is sent again, so an answer that was only slow still counts; a number that is not open
/// is stale.
/// </summary>
internal sealed class OpenRequests
{
    private readonly Slot[] _slots;
    private readonly int[] _free;
    private readonly int[] _ring;     // number & mask → slot, -1 when unused
    private readonly int[] _queue;    // slots to be sent, each at most once
    private readonly RoundTripEstimator _roundTrip;
    private int _freeCount;
    private int _queueHead;
    private int _queueCount;
    private uint _nextNumber;
    private TimeSpan _lastLoss = TimeSpan.MinValue;
    private int _oldest = -1; // of the requests on the wire
    private int _newest = -1;

    public OpenRequests(int capacity, uint firstNumber, RoundTripEstimator roundTrip)
    {
        _slots = new Slot[capacity];
        _free = new int[capacity];
        _queue = new int[capacity];
        _ring = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)capacity * 4)];
        _ring.AsSpan().Fill(-1);
        _nextNumber = firstNumber;
        _roundTrip = roundTrip;
        Clear();
    }

    public struct Slot
    {
        public uint Number;
        public ClassicCommand Command;
        public uint Argument;
        public ulong Chunks;          // bit per 1024 bytes that arrived
        public TimeSpan SentAt;       // last time on the wire
        public TimeSpan Timeout;
        public TimeSpan Deadline;
        public bool Open;
        public bool Due;              // to be sent
        public bool Queued;           // has its place in the queue, even if closed since
        public bool Repeated;
        public int Older;             // neighbours among the requests on the wire, by time of sending; -1 at the ends
        public int Newer;
    }

    /// <summary>Requests that are open.</summary>
    public int Count => _slots.Length - _freeCount;

    /// <summary>Requests that were sent and wait for their answer: all that are open but those to be sent, or sent again.</summary>
    public int OnWire { get; private set; }

    /// <summary>No open request is late before this; may be too early, never too late.</summary>
    public TimeSpan NextDeadline { get; private set; } = TimeSpan.MaxValue;

    /// <summary>Requests sent again so far.</summary>
    public long Retransmits { get; private set; }

    public ref Slot this[int slot] => ref _slots[slot];

    /// <summary>A number for a request that will not be answered.</summary>
    public uint TakeNumber() => _nextNumber++;

    /// <summary>Opens a request and queues it to be sent. There must be room: <see cref="Count"/> below the capacity.</summary>
    public void Open(ClassicCommand command, uint argument, TimeSpan? timeout = null)
    {
        int mask = _ring.Length - 1;
        while (_ring[_nextNumber & (uint)mask] >= 0) // an old request still sits here: its neighbours are free, the ring is four times too large
            _nextNumber++;

        int index = _free[--_freeCount];
        ref Slot slot = ref _slots[index];
        slot.Number = _nextNumber++;
        slot.Command = command;
        slot.Argument = argument;
        slot.Chunks = 0;
        slot.SentAt = default;
        slot.Timeout = timeout ?? TimeSpan.Zero;
        slot.Deadline = TimeSpan.MaxValue;
        slot.Open = true;
        slot.Repeated = false;
        _ring[slot.Number & (uint)mask] = index;
        Enqueue(index);
    }

    /// <summary>Finds an open request by its number.</summary>
    public bool TryFind(uint number, out int index)
    {
        index = _ring[number & (uint)(_ring.Length - 1)];
        return index >= 0 && _slots[index].Number == number;
    }

    /// <summary>
    /// Closes a request that was answered, and learns from the time it took. Clients answer in the order of asking: what was asked
    /// clearly before it and is still open is lost, and queued to be sent again without waiting for its timeout.
    /// </summary>
    /// <returns>As <see cref="Expire"/>: true when something was lost, once per flight.</returns>
    public bool Answer(int index, TimeSpan now)
    {
        ref Slot slot = ref _slots[index];
        bool sample = !slot.Repeated && !slot.Due;
        TimeSpan sent = slot.SentAt;
        Close(index);
        if (!sample)
            return false;
        _roundTrip.Add(now - sent);
        bool fresh = false;
        TimeSpan before = sent - _roundTrip.Reordering;
        while (_oldest >= 0 && _slots[_oldest].SentAt < before)
            fresh |= Lose(_oldest);
        if (fresh)
            _lastLoss = now;
        return fresh;
    }

    public void Close(int index)
    {
        ref Slot slot = ref _slots[index];
        if (!slot.Due)
            Unlink(index);
        _ring[slot.Number & (uint)(_ring.Length - 1)] = -1;
        slot.Open = false;
        slot.Due = false;
        _free[_freeCount++] = index;
        if (Count == 0)
            NextDeadline = TimeSpan.MaxValue;
    }

    /// <summary>Closes every request. The slots used next are the lowest: n open requests never use a slot above n - 1.</summary>
    public void Clear()
    {
        for (int i = 0; i < _slots.Length; i++)
        {
            if (_slots[i].Open)
                Close(i);
        }

        for (int i = 0; i < _free.Length; i++)
            _free[i] = _free.Length - 1 - i;
        _freeCount = _free.Length;
    }

    /// <summary>Gives the open requests time up to <paramref name="until"/>.</summary>
    /// <returns>False, and nothing changes, if that is over already.</returns>
    public bool Postpone(TimeSpan until, TimeSpan now)
    {
        if (until <= now)
            return false;
        for (int i = 0; i < _slots.Length; i++)
        {
            if (_slots[i].Open && _slots[i].Deadline < until)
                _slots[i].Deadline = until;
        }

        NextDeadline = until;
        return true;
    }

    /// <summary>Queues an open request to be sent again at once, without counting it as a timeout.</summary>
    public void SendAgain()
    {
        for (int i = 0; i < _slots.Length; i++)
        {
            if (_slots[i].Open && !_slots[i].Due)
            {
                Unlink(i);
                _slots[i].Repeated = true;
                Enqueue(i);
            }
        }
    }

    /// <summary>Takes the next request to be put on the wire, which happens now.</summary>
    public bool TryTake(TimeSpan now, out int index)
    {
        while (_queueCount > 0)
        {
            index = _queue[_queueHead];
            _queueHead = _queueHead + 1 == _queue.Length ? 0 : _queueHead + 1;
            _queueCount--;
            ref Slot slot = ref _slots[index];
            slot.Queued = false;
            if (!slot.Due)
                continue;
            slot.Due = false;
            slot.SentAt = now;
            Link(index);
            if (slot.Timeout < _roundTrip.Timeout)
                slot.Timeout = _roundTrip.Timeout;
            slot.Deadline = now + slot.Timeout;
            if (slot.Deadline < NextDeadline)
                NextDeadline = slot.Deadline;
            return true;
        }

        index = -1;
        return false;
    }

    /// <summary>Queues the late requests to be sent again.</summary>
    /// <returns>True once per flight: when one of them was sent after the last time this was true, so that one burst of losses counts once.</returns>
    public bool Expire(TimeSpan now)
    {
        if (now < NextDeadline)
            return false;
        TimeSpan next = TimeSpan.MaxValue;
        bool fresh = false;
        for (int i = 0; i < _slots.Length; i++)
        {
            ref Slot slot = ref _slots[i];
            if (!slot.Open || slot.Due)
                continue;
            if (now < slot.Deadline)
            {
                if (slot.Deadline < next)
                    next = slot.Deadline;
                continue;
            }

            slot.Timeout = _roundTrip.Longer(slot.Timeout);
            fresh |= Lose(i);
        }

        NextDeadline = next;
        if (fresh)
        {
            _lastLoss = now;
            _roundTrip.BackOff();
        }

        return fresh;
    }

    private bool Lose(int index)
    {
        ref Slot slot = ref _slots[index];
        Unlink(index);
        slot.Repeated = true;
        Retransmits++;
        Enqueue(index);
        return slot.SentAt >= _lastLoss;
    }

    private void Link(int index)
    {
        OnWire++;
        _slots[index].Older = _newest;
        _slots[index].Newer = -1;
        if (_newest >= 0)
            _slots[_newest].Newer = index;
        else
            _oldest = index;
        _newest = index;
    }

    private void Unlink(int index)
    {
        OnWire--;
        (int older, int newer) = (_slots[index].Older, _slots[index].Newer);
        if (older >= 0)
            _slots[older].Newer = newer;
        else
            _oldest = newer;
        if (newer >= 0)
            _slots[newer].Older = older;
        else
            _newest = older;
    }

    private void Enqueue(int index)
    {
        ref Slot slot = ref _slots[index];
        slot.Due = true;
        if (slot.Queued)
            return;
        slot.Queued = true;
        int tail = _queueHead + _queueCount;
        _queue[tail >= _queue.Length ? tail - _queue.Length : tail] = index;
        _queueCount++;
    }
}
