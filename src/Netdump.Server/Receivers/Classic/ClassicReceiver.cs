using System.Runtime.InteropServices;
using Netdump.Protocols.Classic;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <summary>
/// The crashes of classic clients on one engine thread: opens one for each START, hands packets to their sessions, and keeps time.
/// A crash is known by its client's address and the source port of its START, so that several hosts behind one address are told apart.
/// </summary>
public sealed class ClassicReceiver
{
    // Each open crash holds memory and files.
    private const int MaximumOpenPerAddress = 16;
    private const int MaximumNamed = 1024;

    // Our client begins its handshake again after 15 s without a request, perhaps from another port.
    private static readonly TimeSpan SilentAfter = TimeSpan.FromSeconds(10);

    private readonly Dictionary<AddressKey, List<ClassicCrash>> _hosts = [];
    private readonly HashSet<Peer> _opening = [];
    private readonly HashSet<AddressKey> _named = [];
    private readonly CrashQuota _quota = new();
    private readonly WaitingStarts _waiting = new();
    private readonly List<ClassicCrash> _unsaved = [];
    private readonly Queue<Action<TimeSpan>> _arrived = new();
    private readonly Func<Peer, CrashDirectory, CrashLog> _openLog;
    private readonly Lane _lane;
    private TimeSpan _next = TimeSpan.MaxValue;
    private TimeSpan _now;
    private TimeSpan _nextFullLine;

    /// <summary>A receiver for one engine thread.</summary>
    /// <param name="context">What all receivers share.</param>
    /// <param name="sender">Sends from the listening socket.</param>
    /// <param name="lane">The way back to the engine thread.</param>
    /// <param name="openLog">Begins the log of a crash in its directory, with what the host's console said before.</param>
    public ClassicReceiver(ClassicContext context, DatagramSender sender, Lane lane, Func<Peer, CrashDirectory, CrashLog> openLog)
    {
        Context = context;
        Sender = sender;
        _lane = lane;
        _openLog = openLog;
    }

    /// <summary>Whether pages are being received, so that a slow answer costs throughput.</summary>
    public bool IsUrgent { get; private set; }

    /// <summary>Crashes that are open now.</summary>
    public int OpenCrashes { get; private set; }

    /// <summary>Clients that wait for a place, unacknowledged.</summary>
    public int WaitingClients => _waiting.Count;

    internal ClassicContext Context { get; }

    internal DatagramSender Sender { get; }

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
    /// <returns>When it wants to be called again.</returns>
    public TimeSpan Advance(TimeSpan now)
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

        if (now < _next)
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

    private void ReceiveStart(in ClassicReplyHeader header, ReadOnlySpan<byte> payload, in Peer peer, TimeSpan now)
    {
        if (!ClassicStart.TryParse(header, payload, out ClassicStart start))
            return;
        ClassicCrash? crash = Find(peer);
        if (crash is null && FindSilent(peer, start, now) is { } silent)
        {
            silent.Rebind(peer);
            crash = silent;
        }

        if (crash is not null && crash.Takes(start))
            Deliver(crash, header, payload, now);
        else
            Open(peer, start, now);
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

    /// <summary>A crash of the same kernel whose client fell silent. A START that names neither task nor magic could be anybody's.</summary>
    private ClassicCrash? FindSilent(in Peer peer, in ClassicStart start, TimeSpan now)
    {
        if (start is { TaskStruct: 0, Magic: null or 0 } || !_hosts.TryGetValue(peer.Key, out List<ClassicCrash>? crashes))
            return null;
        foreach (ClassicCrash crash in crashes)
        {
            if (crash.Takes(start) && now - crash.LastHeard >= SilentAfter)
                return crash;
        }

        return null;
    }

    /// <summary>
    /// Opens a crash if there is a place for it. While there is none its START is not acknowledged, so that the client repeats it; after
    /// <see cref="WaitingStarts.Patience"/> only its log and state are taken.
    /// </summary>
    private void Open(in Peer peer, in ClassicStart start, TimeSpan now)
    {
        if (_opening.Contains(peer) || !HasRoom(peer, now))
            return;
        int limit = Context.Options.Current.MaxConcurrentDumps;
        if (limit == 0)
        {
            Log.TooManyDumps(Context.Log, peer.Address, limit);
            Open(peer, start, hasSlot: false, now);
        }
        else if (_waiting.IsNext(peer, limit - Context.Dumps.Taken, now) && Context.Dumps.TryTake(limit))
        {
            Open(peer, start, hasSlot: true, now);
        }
        else
        {
            Wait(peer, start, limit, now);
        }
    }

    private void Wait(in Peer peer, in ClassicStart start, int limit, TimeSpan now)
    {
        switch (_waiting.Wait(peer, start, now, out bool owesSign))
        {
            case WaitingVerdict.First:
                Log.DumpWaits(Context.Log, peer.Address, limit);
                break;
            case WaitingVerdict.WaitedEnough:
                Log.TooManyDumps(Context.Log, peer.Address, limit);
                Open(peer, start, hasSlot: false, now);
                break;
            case WaitingVerdict.Refused when IsFirst(peer):
                Log.TooManyWaiting(Context.Log, peer.Address, _waiting.Count);
                break;
        }

        if (!owesSign || !start.Extension)
            return;
        // Originals would answer with another START at once; ours waits on as long as it hears of us.
        Span<byte> sign = stackalloc byte[ClassicRequest.Size];
        new ClassicRequest(start.Magic ?? 0, 0, ClassicCommand.None, 0, 0).Write(sign);
        Sender.Send(peer, sign);
    }

    /// <summary>Checks the client's magic and makes its directory elsewhere; the client repeats its START until it is acknowledged.</summary>
    private void Open(in Peer peer, in ClassicStart start, bool hasSlot, TimeSpan now)
    {
        Peer from = peer;
        ClassicStart said = start;
        CrashQuota.Place place = _quota.Take(peer.Key, now);
        _waiting.Remove(peer);
        _opening.Add(peer);
        _ = Context.Work.Run(() =>
        {
            MagicVerdict verdict = MagicVerdict.NoFile;
            CrashOpening? opening = null;
            string? failure = null;
            try
            {
                verdict = Context.Magics.Check(from.Address, said.Magic, Context.Options.Current.Secure, out ulong magic);
                if (verdict == MagicVerdict.Accepted)
                    opening = CrashOpening.Make(Context, from, said, magic, hasSlot, place);
            }
            catch (Exception error)
            {
                failure = error.Message;
            }

            Post(later => Opened(from, opening, place, hasSlot, verdict, failure, later));
        });
    }

    private bool HasRoom(in Peer peer, TimeSpan now)
    {
        _quota.Expire(now);
        int open = _hosts.TryGetValue(peer.Key, out List<ClassicCrash>? crashes) ? crashes.Count : 0;
        foreach (Peer opening in _opening)
            open += opening.Key == peer.Key ? 1 : 0;
        if (open >= MaximumOpenPerAddress || _quota.Of(peer.Key) >= CrashQuota.MaximumPerAddress)
        {
            if (IsFirst(peer))
                Log.TooManySessions(Context.Log, peer.Address, Math.Max(open, _quota.Of(peer.Key)));
            return false;
        }

        // A host that exchanged a magic is no invention.
        if (_quota.Unanswered < CrashQuota.MaximumUnanswered || Context.Magics.IsKnown(peer.Address, SecurePolicy.Always))
            return true;
        if (now >= _nextFullLine)
            Log.TooManyUnanswered(Context.Log, peer.Address, _quota.Unanswered);
        _nextFullLine = now + CrashQuota.Window;
        return false;
    }

    private void Opened(
        in Peer peer, CrashOpening? opening, CrashQuota.Place place, bool hasSlot, MagicVerdict verdict, string? failure, TimeSpan now)
    {
        _opening.Remove(peer);
        if (failure is not null)
            Log.CrashError(Context.Log, peer.Address, failure);
        else if (opening is null)
            NameOnce(peer, verdict);
        if (opening is null)
        {
            place.GiveBack();
            if (hasSlot)
                Context.Dumps.Release();
            return;
        }

        if (Find(peer) is { } former)
        {
            former.Abandon(now);
            Remove(former);
        }

        Add(new ClassicCrash(this, opening, now));
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

    /// <summary>One line for a host that is refused, not one for each START a second.</summary>
    private bool IsFirst(in Peer peer) => _named.Count < MaximumNamed && _named.Add(peer.Key);

    private void NameOnce(in Peer peer, MagicVerdict verdict)
    {
        if (!IsFirst(peer))
            return;
        string file = Path.Combine(Context.Store.MagicDirectory, CrashStore.NameOf(peer.Address));
        switch (verdict)
        {
            case MagicVerdict.NoFile:
                Log.NoMagicFile(Context.Log, peer.Address, file);
                break;
            case MagicVerdict.BadFile:
                Log.BadMagicFile(Context.Log, peer.Address, file);
                break;
            default:
                Log.MagicMismatch(Context.Log, peer.Address, file);
                break;
        }
    }
}
