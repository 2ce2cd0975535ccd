using System.Net;
using System.Security.Cryptography;
using Netdump.Protocols.Classic;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <summary>
/// One crash of a classic client: drives its session, stores its pages and its log, and sends it away when its files are in place.
/// Owned by one engine thread; what blocks runs elsewhere and comes back through <see cref="ClassicReceiver.Post"/>.
/// </summary>
internal sealed partial class ClassicCrash
{
    private static readonly TimeSpan TickInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SyncInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(3);

    private readonly ClassicReceiver _receiver;
    private readonly ClassicContext _context;
    private readonly ClassicServerSession _session;
    private readonly TimeSpan _began;
    private readonly DateTimeOffset _started;
    private readonly CrashQuota.Place _place;
    private readonly bool _isResumed; // from the disk, in the middle of its dump
    private bool _holdsSlot;
    private bool _stateComplete;
    private bool _finishing;
    private bool _logClosing;
    private bool _logClosed;
    private TimeSpan _nextLog;

    /// <summary>
    /// Opens the crash: acknowledges its START and runs the hook netdump-crash; or goes on with one that is there, and asks at once.
    /// </summary>
    /// <param name="receiver">The receiver that owns it.</param>
    /// <param name="opening">What it begins with.</param>
    /// <param name="now">The time.</param>
    public ClassicCrash(ClassicReceiver receiver, CrashOpening opening, TimeSpan now)
    {
        _place = opening.Place;
        _receiver = receiver;
        _context = receiver.Context;
        Peer = opening.Peer;
        Address = opening.Peer.Address;
        Directory = opening.Directory;
        _began = LastHeard = now;
        _started = opening.Stored?.Header.Started ?? _context.Time.GetLocalNow();
        CrashLog = receiver.OpenLog(opening.Peer, opening.Directory);
        _holdsSlot = opening.HasSlot;
        if (opening.Stored is { Header.State: not SessionState.Opened } stored)
        {
            _place.NoteAnswer();
            _isResumed = true;
            _session = ClassicServerSession.Resume(
                opening.Start, SessionOptions(opening.Magic), stored.Header.PageSize, stored.Header.PageCount, RandomNumber(),
                acknowledge: opening.IsAsked, now);
            JoinDumps();
            Resume(stored, now);
            return;
        }

        _session = new ClassicServerSession(opening.Start, SessionOptions(opening.Magic), RandomNumber(), now);
        JoinDumps();
        if (opening.Stored is null)
        {
            Log.CrashOpened(_context.Log, Address, Directory.Path);
            _ = _context.Hooks.RunAsync(HookName.Crash, Address, Directory.Path);
        }
        else
        {
            Log.Resumed(_context.Log, Address, Directory.Path, 0);
        }

        if (_holdsSlot && _session.Refusal == ClassicRefusal.UnknownMachine)
            Log.UnknownMachine(_context.Log, Address, Start.Machine);
        Drain(now);
    }

    /// <summary>Address and port of the client.</summary>
    public Peer Peer { get; private set; }

    /// <summary>Address of the client.</summary>
    public IPAddress Address { get; }

    /// <summary>Directory of the crash.</summary>
    public CrashDirectory Directory { get; }

    /// <summary>Log of the crash.</summary>
    public CrashLog CrashLog { get; }

    /// <summary>The START that opened it.</summary>
    public ClassicStart Start => _session.Start;

    /// <summary>
    /// Whether a START is about this crash. An original client never begins its handshake again, so one whose magic is no more than a
    /// constant, and that says START where another process left a dump half done, has booted and crashed again.
    /// </summary>
    public bool Takes(in ClassicStart start) => start == Start && (!_isResumed || start.Extension || start.NamesItsBoot);

    /// <summary>When the client was last heard of.</summary>
    public TimeSpan LastHeard { get; private set; }

    /// <summary>Whether pages are being received: then a slow answer costs throughput.</summary>
    public bool IsReceiving => _session.Phase == ClassicServerPhase.Memory;

    /// <summary>Whether its log is still open: what the client says later is not about this crash.</summary>
    public bool TakesText => !_logClosing;

    /// <summary>Whether nothing is left to do: the client is gone and the files are in their final state.</summary>
    public bool IsOver { get; private set; }

    /// <summary>When <see cref="Advance"/> wants to be called.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan next = _nextLog < _session.NextDeadline ? _nextLog : _session.NextDeadline;
            return _vmcore is not null && _nextTick < next ? _nextTick : next;
        }
    }

    /// <summary>Takes a reply of the client.</summary>
    public void Receive(in ClassicReplyHeader reply, ReadOnlySpan<byte> payload, TimeSpan now)
    {
        LastHeard = now;
        _session.Receive(reply, payload, now);
        if (_session.Phase is > ClassicServerPhase.Handshake and < ClassicServerPhase.Finishing)
            _place.NoteAnswer();
        Drain(now);
    }

    /// <summary>Notes that console text of this client came: it lives, and may still print its state.</summary>
    public void NoteLog(TimeSpan now)
    {
        LastHeard = now;
        _nextLog = now; // the log is about to take that text: it says afterwards when it wants to write
        _session.NoteLog(now);
    }

    /// <summary>Carries out what is due.</summary>
    public void Advance(TimeSpan now)
    {
        _session.Advance(now);
        Drain(now);
        AdvanceFiles(now);
        if (now >= _nextLog)
            _nextLog = _logClosing ? TimeSpan.MaxValue : CrashLog.Advance(now);
    }

    /// <summary>Asks for no more at once than answers have room in the socket.</summary>
    /// <param name="chunks">Answers of 1024 bytes.</param>
    public void Share(int chunks) => _session.WindowLimit = chunks;

    /// <summary>The client goes on from another port.</summary>
    public void Rebind(in Peer peer)
    {
        Peer = peer;
        Log.PortChanged(_context.Log, Address, peer.Port, Directory.Path);
    }

    /// <summary>The same peer reports another crash: what came of this one is kept as it is.</summary>
    public void Abandon(TimeSpan now)
    {
        if (_vmcore is not null)
            Log.OtherCrash(_context.Log, Address, Directory.Path);
        CloseFiles();
        ReleaseSlot();
        if (!_logClosing)
        {
            Task<Exception?> closing = CrashLog.CompleteAsync(now);
            _ = _context.Work.Run(async () =>
            {
                if (await closing is { } failure)
                    Log.CrashError(_context.Log, Address, failure.Message);
                EndSession();
            });
        }

        IsOver = _logClosing = true;
    }

    /// <summary>The server ends: closes the files as they are and waits for a dump that is being completed.</summary>
    public void Stop(TimeSpan now)
    {
        StopFiles();
        ReleaseSlot();
        CrashLog.Flush(now);
        // Only the disk is waited for; what it does not manage in this time stays under its incomplete name.
        _completion?.Wait(TimeSpan.FromSeconds(10));
        IsOver = true;
    }

    private ClassicServerOptions SessionOptions(ulong magic) => new()
    {
        Magic = magic,
        JustReboot = !_holdsSlot,
        AsksLeftOut = true,
        ExitInsteadOfReboot = _context.Options.Current.Ending == DumpEnding.Exit,
    };

    private static uint RandomNumber() => BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(4));

    private void Drain(TimeSpan now)
    {
        while (_session.TryTakeEffect(out ClassicServerEffect effect))
            Carry(effect, now);
        Span<byte> datagram = stackalloc byte[ClassicRequest.Size];
        while (_session.TryTakeRequest(out ClassicRequest request))
        {
            request.Write(datagram);
            _receiver.Sender.Send(Peer, datagram);
        }

        // Nothing is left to ask, and that is known only now: every page was left out, or had come before.
        while (_session.TryTakeEffect(out ClassicServerEffect effect))
            Carry(effect, now);
    }

    private void Carry(in ClassicServerEffect effect, TimeSpan now)
    {
        switch (effect.Kind)
        {
            case ClassicServerEffectKind.Prepared:
                PrepareFiles();
                break;
            case ClassicServerEffectKind.Page:
                StorePage(effect, now);
                break;
            case ClassicServerEffectKind.Hole:
            case ClassicServerEffectKind.Unreadable:
                StoreHole(effect, now);
                break;
            case ClassicServerEffectKind.LeftOut:
                StoreLeftOut(effect, now);
                break;
            case ClassicServerEffectKind.MemoryComplete:
                CompleteFiles(now);
                break;
            case ClassicServerEffectKind.StateComplete:
                _stateComplete = true;
                if (_session.Refusal is not (ClassicRefusal.None or ClassicRefusal.JustReboot or ClassicRefusal.UnknownMachine))
                    Log.CrashError(_context.Log, Address, $"no vmcore: {Reason(_session.Refusal)}");
                Finish(now);
                break;
            case ClassicServerEffectKind.Ended:
                End(effect.Reason, now);
                break;
        }
    }

    /// <summary>Sends the client away once its state is printed and its file has its final name.</summary>
    private void Finish(TimeSpan now)
    {
        if (!_stateComplete || _completing || _finishing)
            return;
        _finishing = true;
        _session.Finish(now);
        Log.RebootSent(_context.Log, Address);
        CloseLog(now);
    }

    private void End(ClassicEndReason reason, TimeSpan now)
    {
        if (reason is ClassicEndReason.TimedOut or ClassicEndReason.ClientLeft && !_finishing)
            Log.SessionLost(_context.Log, Address, Directory.Path);
        CloseFiles();
        ReleaseSlot();
        CloseLog(now);
        UpdateOver();
    }

    /// <summary>
    /// When the client is sent away and nothing more is read from the vmcore: writes the log out for good, ends what the next process would
    /// go on with, then runs the hook netdump-reboot.
    /// </summary>
    private void CloseLog(TimeSpan now)
    {
        if (_logClosing || _completing || _reading || !(_finishing || _session.Phase == ClassicServerPhase.Ended))
            return;
        _logClosing = true;
        bool mayComeBack = _session.EndReason == ClassicEndReason.TimedOut;
        Task<Exception?> closing = CrashLog.CompleteAsync(now, mayComeBack);
        _ = _context.Work.Run(async () =>
        {
            Exception? failure;
            try
            {
                failure = await closing;
            }
            catch (Exception error)
            {
                failure = error;
            }

            EndSession();
            _receiver.Post(_ => LogClosed(failure));
        });
    }

    /// <summary>Blocks on the disk.</summary>
    private void EndSession()
    {
        try
        {
            SessionFile.End(Directory);
        }
        catch (Exception error)
        {
            Log.CrashError(_context.Log, Address, error.Message);
        }
    }

    private void LogClosed(Exception? failure)
    {
        _logClosed = true;
        if (failure is null)
            Log.LogComplete(_context.Log, Address, Directory.Path);
        else
            Log.CrashError(_context.Log, Address, failure.Message);
        _ = AnalyseAsync();
        UpdateOver();
    }

    // The hook comes last: it finds the report, and may do with the dump as it likes.
    private async Task AnalyseAsync()
    {
        await _context.Analyse(Directory);
        await _context.Hooks.RunAsync(HookName.Reboot, Address, Directory.Path);
    }

    private void UpdateOver() => IsOver |= _logClosed && !_preparing && _session.Phase == ClassicServerPhase.Ended;

    private void JoinDumps()
    {
        if (_holdsSlot)
            _receiver.Room.Join(this);
    }

    private void ReleaseSlot()
    {
        if (!_holdsSlot)
            return;
        _holdsSlot = false;
        _context.Dumps.Release();
        _receiver.Room.Leave(this);
    }

    private string Reason(ClassicRefusal refusal) => refusal switch
    {
        ClassicRefusal.BadPageSize => $"its page size of {_session.PageSize} bytes is not supported",
        ClassicRefusal.BadPageCount => $"its number of pages, {_session.PageCount}, is not supported",
        ClassicRefusal.HeaderTooLong => "the header of its /proc/vmcore is longer than any kernel makes it",
        _ => "its memory was not asked",
    };
}
