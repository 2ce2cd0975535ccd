using System.Runtime.InteropServices;
using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <summary>
/// The crashes of classic clients on one engine thread: opens one for each START, hands packets to their sessions, and keeps time.
/// A crash is known by its client's address and the source port of its START, so that several hosts behind one address are told apart.
/// </summary>
public sealed partial class ClassicReceiver
{
    // Junk that comes faster than it is taken must not stop all clocks.
    private static readonly TimeSpan LongestBehind = TimeSpan.FromSeconds(1);

    private readonly Dictionary<AddressKey, List<ClassicCrash>> _hosts = [];
    private readonly List<ClassicCrash> _unsaved = [];
    private readonly Queue<Action<TimeSpan>> _arrived = new();
    private readonly Func<Peer, CrashDirectory, CrashLog> _openLog;
    private readonly Lane _lane;
    private TimeSpan _next = TimeSpan.MaxValue;
    private TimeSpan _now;
    private TimeSpan _takenAt; // when nothing waited in the socket

    /// <summary>A receiver for one engine thread.</summary>
    /// <param name="context">What all receivers share.</param>
    /// <param name="sender">Sends from the listening socket.</param>
    /// <param name="lane">The way back to the engine thread.</param>
    /// <param name="openLog">Begins the log of a crash in its directory, with what the host's console said before.</param>
    public ClassicReceiver(ClassicContext context, DatagramSender sender, Lane lane, Func<Peer, CrashDirectory, CrashLog> openLog)
    {
        Context = context;
        Sender = sender;
        Room = new AnswerRoom(sender.AnswerRoom);
        _lane = lane;
        _openLog = openLog;
    }

    /// <summary>Whether pages are being received, so that a slow answer costs throughput.</summary>
    public bool IsUrgent { get; private set; }

    /// <summary>Crashes that are open now.</summary>
    public int OpenCrashes { get; private set; }

    internal ClassicContext Context { get; }

    internal DatagramSender Sender { get; }

    /// <summary>What its dumps may have in flight.</summary>
    internal AnswerRoom Room { get; }

    /// <summary>
    /// Takes a classic reply. False only for console text (LOG) that belongs to no open crash: it is the host's console's.
    /// </summary>
    /// <param name="datagram">The datagram, of any content.</param>
    /// <param name="peer">Who sent it.</param>
    /// <param name="now">The time.</param>
    public bool Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
    {
        if (!ClassicReplyHeader.TryRead(datagram, out ClassicReplyHeader header))
            return true;
        ReadOnlySpan<byte> payload = datagram[ClassicReplyHeader.Size..];
        switch (header.Code)
        {
            case ClassicReplyCode.Log:
                return ReceiveLog(header, payload, peer, now);
            case ClassicReplyCode.Start:
                ReceiveStart(header, payload, peer, now);
                break;
            default:
                if (Find(peer) is { } crash)
                    Deliver(crash, header, payload, now);
                break;
        }

        return true;
    }

    /// <summary>
    /// The log that extended records from this address and port belong to: that of an open crash of a client of our own.
    /// Counts as a sign of life of that client.
    /// </summary>
    public bool TryFindLog(in Peer peer, TimeSpan now, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CrashLog? log)
    {
        ClassicCrash? crash = Find(peer);
        log = crash is { Start.Extension: true, TakesText: true } ? crash.CrashLog : null;
        if (log is null)
            return false;
        crash!.NoteLog(now);
        Expect(crash);
        return true;
    }

    /// <summary>How far the dump from this address and port is; null when there is none.</summary>
    public DumpProgress? Progress(in Peer peer) => Find(peer)?.Progress;

    /// <summary>Timers and results from elsewhere.</summary>
    /// <param name="now">The time.</param>
    /// <param name="isBehind">More datagrams probably wait: no answer counts as late before they were taken, for a second at most.</param>
    /// <returns>When it wants to be called again.</returns>
    public TimeSpan Advance(TimeSpan now, bool isBehind = false)
    {
        _now = now;
        // What came with this batch is on record before the requests that it let out are sent.
        foreach (ClassicCrash crash in _unsaved)
            crash.SaveMap(now);
        _unsaved.Clear();
        while (_arrived.TryDequeue(out Action<TimeSpan>? action))
        {
            action(now);
            _next = TimeSpan.Zero;
        }

        if (!isBehind)
            _takenAt = now;
        if (now < _next || (isBehind && now - _takenAt < LongestBehind))
            return _next;
        _next = TimeSpan.MaxValue;
        IsUrgent = false;
        List<ClassicCrash>? over = null;
        foreach (List<ClassicCrash> crashes in _hosts.Values)
        {
            foreach (ClassicCrash crash in crashes)
            {
                if (now >= crash.NextDeadline)
                    crash.Advance(now);
                IsUrgent |= crash.IsReceiving;
                if (crash.IsOver)
                    (over ??= []).Add(crash);
                else if (crash.NextDeadline < _next)
                    _next = crash.NextDeadline;
            }
        }

        foreach (ClassicCrash crash in over ?? [])
            Remove(crash);
        return _next;
    }

    /// <summary>The server ends: every file is closed as it is. Clients go on asking, for the server that starts next.</summary>
    public void Stop()
    {
        foreach (List<ClassicCrash> crashes in _hosts.Values)
        {
            foreach (ClassicCrash crash in crashes)
                crash.Stop(_now);
        }

        _hosts.Clear();
        OpenCrashes = 0;
    }

    /// <summary>Whether datagrams of an address come to this receiver.</summary>
    public bool Owns(in AddressKey address) => _lane.Owns(address);

    /// <summary>
    /// Goes on with a crash that an earlier process left. Before the engine starts, or on its thread; the client may never notice.
    /// </summary>
    /// <param name="stored">The crash; becomes the receiver's.</param>
    /// <param name="peer">Its client.</param>
    /// <param name="magic">Magic of requests to it.</param>
    /// <param name="now">The time.</param>
    public void Resume(StoredCrash stored, in Peer peer, ulong magic, TimeSpan now)
    {
        bool hasSlot = stored.Header.State != SessionState.Stored;
        if (hasSlot)
            Context.Dumps.Take();
        CrashOpening opening = new(
            peer, stored.Header.Start, magic, stored.Directory, stored, hasSlot, IsAsked: false, _quota.Take(peer.Key, now));
        Add(new ClassicCrash(this, opening, now));
    }

    /// <summary>Pages came: their crash wants to save its map when the batch is done.</summary>
    internal void NoteUnsaved(ClassicCrash crash) => _unsaved.Add(crash);

    /// <summary>Runs an action on the engine thread, with the time it is then. From any thread.</summary>
    internal void Post(Action<TimeSpan> action) => _lane.Post(() => _arrived.Enqueue(action));

    /// <summary>Begins the log of a crash.</summary>
    internal CrashLog OpenLog(in Peer peer, CrashDirectory directory) => _openLog(peer, directory);

    private bool ReceiveLog(in ClassicReplyHeader header, ReadOnlySpan<byte> text, in Peer peer, TimeSpan now)
    {
        // RHEL 4 sends console text from a port of its own.
        ClassicCrash? crash = Find(peer);
        if (crash is null && _hosts.TryGetValue(peer.Key, out List<ClassicCrash>? crashes) && crashes.Count == 1)
            crash = crashes[0];
        if (crash is not { TakesText: true })
            return false;
        crash.NoteLog(now);
        crash.CrashLog.ReceiveLog(header.Info, text, peer.Port, now);
        Expect(crash);
        return true;
    }

    private void Deliver(ClassicCrash crash, in ClassicReplyHeader header, ReadOnlySpan<byte> payload, TimeSpan now)
    {
        crash.Receive(header, payload, now);
        Expect(crash);
    }

    /// <summary>The crash may want to be called earlier than was known.</summary>
    private void Expect(ClassicCrash crash)
    {
        TimeSpan deadline = crash.IsOver ? TimeSpan.Zero : crash.NextDeadline;
        if (deadline < _next)
            _next = deadline;
        IsUrgent |= crash.IsReceiving;
    }

    private ClassicCrash? Find(in Peer peer)
    {
        if (!_hosts.TryGetValue(peer.Key, out List<ClassicCrash>? crashes))
            return null;
        foreach (ClassicCrash crash in CollectionsMarshal.AsSpan(crashes))
        {
            if (crash.Peer.Port == peer.Port)
                return crash;
        }

        return null;
    }

    private void Add(ClassicCrash crash)
    {
        ref List<ClassicCrash>? crashes = ref CollectionsMarshal.GetValueRefOrAddDefault(_hosts, crash.Peer.Key, out _);
        (crashes ??= []).Add(crash);
        OpenCrashes++;
        _next = TimeSpan.Zero;
    }

    private void Remove(ClassicCrash crash)
    {
        List<ClassicCrash> crashes = _hosts[crash.Peer.Key];
        crashes.Remove(crash);
        OpenCrashes--;
        if (crashes.Count == 0)
            _hosts.Remove(crash.Peer.Key);
    }
}
