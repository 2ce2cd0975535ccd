using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// One engine thread: takes batches of datagrams from its socket, gives them to its handler, runs what was posted, sends what the
/// handler queued, and waits until a datagram, a posted action or the handler's deadline comes. Allocates nothing per datagram.
/// </summary>
internal sealed unsafe class ReceiveThread : IDisposable
{
    private static readonly TimeSpan CountDropsEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan PauseAfterError = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// How long a receive call waits at most: short, as nothing that is posted wakes it. The kernel rounds it up, by no more than a tick or two of
    /// at most 10 ms; a deadline nearer than <see cref="WaitsBefore"/> is waited for in a poll, which is exact.
    /// </summary>
    private static readonly TimeSpan ReceiveWait = TimeSpan.FromMilliseconds(5);

    private static readonly TimeSpan WaitsBefore = ReceiveWait + TimeSpan.FromMilliseconds(20);

    private readonly Socket _socket;
    private readonly int _descriptor;
    private readonly int _event;
    private readonly ReceiveSlots _slots = new();
    private readonly UdpSender _sender;
    private readonly DatagramHandler _handler;
    private readonly ILogger _log;
    private readonly Thread _thread;
    private readonly TimeSpan _nap;
    private volatile bool _stopping;
    private uint _kernelDrops;
    private long _reportedDrops;
    private TimeSpan _nextDropCount;
    private TimeSpan _nextDropReport;
    private TimeSpan _nextErrorReport;

    /// <summary>
    /// A thread for an open socket, which it owns; not started yet. After a batch less than half full it sleeps for <paramref name="nap"/>, unless
    /// its handler is in a hurry.
    /// </summary>
    public ReceiveThread(
        Socket socket, int number, int count, TimeSpan nap, Func<Lane, DatagramSender, DatagramHandler> makeHandler, ILogger log)
    {
        _socket = socket;
        _descriptor = (int)socket.SafeHandle.DangerousGetHandle();
        socket.ReceiveTimeout = (int)ReceiveWait.TotalMilliseconds;
        _event = SocketCalls.MakeEvent();
        _nap = nap;
        _log = log;
        _sender = new UdpSender(_descriptor, socket.AddressFamily == AddressFamily.InterNetworkV6, socket.ReceiveBufferSize, Counters);
        Lane = new Lane(() => SocketCalls.Raise(_event), number, count);
        _handler = makeHandler(Lane, _sender);
        _thread = new Thread(Run) { Name = $"udp-{number}", IsBackground = true };
    }

    /// <summary>What it has counted.</summary>
    public LaneCounters Counters { get; } = new();

    /// <summary>The way to run something on it.</summary>
    public Lane Lane { get; }

    /// <summary>Starts it.</summary>
    public void Start() => _thread.Start();

    /// <summary>Asks it to end; the handler is stopped on its own thread.</summary>
    public void RequestStop()
    {
        _stopping = true;
        SocketCalls.Raise(_event);
    }

    /// <summary>Waits for its end; false if it did not come in time.</summary>
    public bool Join(TimeSpan limit) => _thread.ThreadState.HasFlag(ThreadState.Unstarted) || _thread.Join(limit);

    /// <summary>Closes the socket and frees the memory of a thread that has ended.</summary>
    public void Dispose()
    {
        Lane.Close();
        _socket.Dispose();
        _ = SocketCalls.Close(_event);
        _slots.Dispose();
        _sender.Dispose();
    }

    private void Run()
    {
        TimeSpan now = MonotonicClock.Now;
        TimeSpan deadline = Advance(now);
        // Whether a datagram probably waits already or comes soon: then it is asked for at once, and waited for in the receive call, which costs
        // less than asking, polling, and asking again. Not while a client waits for an answer that what is posted may bring.
        bool flowing = false;
        while (!_stopping)
        {
            int count = flowing ? _slots.Receive(_descriptor, wait: !_handler.IsUrgent && deadline - now > WaitsBefore) : 0;
            if (count is 0 or -SocketCalls.TryAgainError)
            {
                Wait(deadline);
                if (_stopping) break;
                count = _slots.Receive(_descriptor, wait: false);
            }

            if (count < 0 && count != -SocketCalls.TryAgainError) ReportError(-count);
            now = MonotonicClock.Now;
            if (count > 0) Handle(count, now);
            _handler.IsBehind = count == ReceiveSlots.Count;
            deadline = Advance(now);
            flowing = count > 0;
            // Waiting a moment lets datagrams gather: fewer calls, half the processor time (dotnet-hot-paths.md section 2).
            if (count is > 0 and < ReceiveSlots.Count / 2 && _nap > TimeSpan.Zero && !_handler.IsUrgent)
            {
                Counters.Naps++;
                Sleep(_nap);
            }
        }

        End();
    }

    private void Handle(int count, TimeSpan now)
    {
        Counters.Batches++;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> message = _slots.Message(i);
            Counters.Bytes += message.Length;
            bool known = _slots.TryGetPeer(i, out Peer peer, out int segment);
            if (_slots.IsTruncated(i))
            {
                Counters.Datagrams++;
                Counters.Truncated++;
                continue;
            }

            while (segment > 0 && message.Length > segment)
            {
                Counters.Datagrams++;
                if (known) Handle(message[..segment], peer, now);
                message = message[segment..];
            }

            Counters.Datagrams++;
            if (known) Handle(message, peer, now);
        }

        if (now < _nextDropCount) return;
        _nextDropCount = now + CountDropsEvery;
        CountDrops();
        if (Counters.Dropped != _reportedDrops && now >= _nextDropReport)
        {
            Log.KernelDrops(_log, Counters.Dropped - _reportedDrops, Counters.Dropped);
            _reportedDrops = Counters.Dropped;
            _nextDropReport = now + ReportEvery;
        }
    }

    /// <summary>
    /// Asks the socket how many datagrams found no room. (SO_RXQ_OVFL tells it with each datagram, at a price for each, and never of the last.)
    /// </summary>
    private void CountDrops()
    {
        Span<byte> counters = stackalloc byte[sizeof(uint) * (SocketCalls.MemoryInfoDrops + 1)];
        try
        {
            if (_socket.GetRawSocketOption(SocketCalls.SocketLevel, SocketCalls.MemoryInfo, counters) < counters.Length) return;
            uint drops = MemoryMarshal.Read<uint>(counters[^sizeof(uint)..]);
            Counters.Dropped += drops - _kernelDrops; // 32 bits, which wrap
            _kernelDrops = drops;
        }
        catch (SocketException)
        {
            // Kernels before 4.12 do not tell.
        }
    }

    private void Handle(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
    {
        try
        {
            _handler.Receive(datagram, peer, now);
        }
        catch (Exception e)
        {
            // One bad datagram must not end the reception of all others.
            Counters.Failed++;
            if (now < _nextErrorReport) return;
            _nextErrorReport = now + ReportEvery;
            Log.HandlerFailed(_log, e, peer.ToString());
        }
    }

    private TimeSpan Advance(TimeSpan now)
    {
        TimeSpan next;
        try
        {
            Lane.RunPosted();
            next = _handler.Advance(now);
        }
        catch (Exception e)
        {
            Log.LaneFailed(_log, e);
            next = now + PauseAfterError;
        }

        _sender.Flush();
        return next;
    }

    private void Wait(TimeSpan deadline)
    {
        PollEntry* entries = stackalloc PollEntry[2];
        entries[0] = new PollEntry { Descriptor = _descriptor, Events = SocketCalls.PollIn };
        entries[1] = new PollEntry { Descriptor = _event, Events = SocketCalls.PollIn };
        TimeSpec limit = default;
        if (deadline != TimeSpan.MaxValue)
        {
            TimeSpan left = deadline - MonotonicClock.Now;
            limit = TimeSpec.From(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }

        // An interrupted call looks like an early deadline, which does no harm.
        int ready = SocketCalls.Poll(entries, 2, deadline == TimeSpan.MaxValue ? null : &limit, null);
        if (ready > 0 && entries[1].Returned != 0) SocketCalls.Lower(_event);
    }

    private static void Sleep(TimeSpan time)
    {
        TimeSpec spec = TimeSpec.From(time);
        _ = SocketCalls.Nap(&spec, null);
    }

    private void ReportError(int error)
    {
        TimeSpan now = MonotonicClock.Now;
        if (now >= _nextErrorReport)
        {
            _nextErrorReport = now + ReportEvery;
            Log.ReceiveFailed(_log, Marshal.GetPInvokeErrorMessage(error));
        }

        Sleep(PauseAfterError);
    }

    private void End()
    {
        // What waits in the socket has arrived: it is not lost because the server stops.
        TimeSpan limit = MonotonicClock.Now + DrainLimit;
        for (int count; MonotonicClock.Now < limit && (count = _slots.Receive(_descriptor, wait: false)) > 0;) Handle(count, MonotonicClock.Now);
        Advance(MonotonicClock.Now);
        try
        {
            _handler.Stop();
        }
        catch (Exception e)
        {
            Log.LaneFailed(_log, e);
        }

        _sender.Flush();
        CountDrops();
    }
}
