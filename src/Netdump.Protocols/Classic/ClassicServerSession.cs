namespace Netdump.Protocols.Classic;

/// <summary>
/// The server's half of one classic dump, pure: it is driven by packets and time, and answers with requests to send and effects to
/// carry out. The caller drains <see cref="TryTakeEffect"/> and <see cref="TryTakeRequest"/> after every other call, in this order, and
/// calls <see cref="Advance"/> at <see cref="NextDeadline"/>. Nothing is allocated per packet in the memory phase.
/// Not thread-safe. docs/classic-protocol.md shows the phases.
/// </summary>
public sealed partial class ClassicServerSession
{
    private readonly ClassicServerOptions _options;
    private readonly ClassicStart _start;
    private readonly RoundTripEstimator _roundTrip;
    private readonly OpenRequests _requests;
    private readonly Queue<ClassicServerEffect> _effects = new(8);
    private HeaderCollector? _header;
    private LeftOutCollector? _leftOut;
    private MemoryCollector? _memory;
    private Func<ulong, ulong>? _nextMissing;
    private byte[] _registers = [];
    private ClassicServerCounters _counters;
    private TimeSpan _now;
    private TimeSpan _lastHeard;
    private TimeSpan _lastLog = TimeSpan.MinValue;
    private TimeSpan _nextKeepAlive;
    private TimeSpan _nextFinal;
    private TimeSpan _stateBegan;
    private TimeSpan? _stateAnswered;
    private int _stateAsked;
    private int _finalsSent;
    private int _windowLimit = int.MaxValue;
    private bool _acknowledge;
    private bool _keepAlive;
    private bool _final;
    private ClassicServerPhase? _interrupted; // the phase in which the session gave up

    /// <summary>Answers a START: the session begins with an acknowledgement ready to be sent.</summary>
    /// <param name="start">What the client said.</param>
    /// <param name="options">Limits and choices.</param>
    /// <param name="firstNumber">Number of the first request; random, so that nobody off the path can guess an open one.</param>
    /// <param name="now">The time.</param>
    public ClassicServerSession(in ClassicStart start, ClassicServerOptions options, uint firstNumber, TimeSpan now)
    {
        _start = start;
        _options = options;
        _roundTrip = new RoundTripEstimator(options.InitialTimeout, options.MinimumTimeout, options.MaximumTimeout);
        _requests = new OpenRequests(
            Math.Max(LeftOutCollector.Window, start.Extension ? options.MaximumExtensionWindow : options.MaximumWindow), firstNumber, _roundTrip);
        Refusal = options.JustReboot ? ClassicRefusal.JustReboot
            : start.Extension || ClassicMachine.IsKnown(start.Machine) ? ClassicRefusal.None
            : ClassicRefusal.UnknownMachine;
        _now = now;
        _lastHeard = now;
        _acknowledge = true;
        _requests.Open(ClassicCommand.Hello, 0);
    }

    /// <summary>
    /// Goes on with a dump whose client was acknowledged by an earlier server process: <see cref="ClassicServerPhase.Prepared"/>, so that the
    /// caller says with <see cref="BeginMemory"/> or <see cref="SkipMemory"/> what is left. A client that meanwhile began its handshake again
    /// is acknowledged when its START comes.
    /// </summary>
    /// <param name="start">What the client said when it was acknowledged.</param>
    /// <param name="options">Limits and choices.</param>
    /// <param name="pageSize">Bytes in a page of the client.</param>
    /// <param name="pageCount">Highest page frame number plus one.</param>
    /// <param name="firstNumber">Number of the first request; random.</param>
    /// <param name="acknowledge">The client said START: it answers nothing before it is acknowledged.</param>
    /// <param name="now">The time.</param>
    public static ClassicServerSession Resume(
        in ClassicStart start, ClassicServerOptions options, uint pageSize, ulong pageCount, uint firstNumber, bool acknowledge, TimeSpan now)
    {
        var session = new ClassicServerSession(start, options, firstNumber, now) { PageSize = pageSize, PageCount = pageCount };
        session._acknowledge = acknowledge;
        session._requests.Clear();
        session.Phase = ClassicServerPhase.Prepared;
        session._nextKeepAlive = now + options.KeepAlive;
        return session;
    }

    /// <summary>What the session does at the moment.</summary>
    public ClassicServerPhase Phase { get; private set; }

    /// <summary>The START that opened the session.</summary>
    public ClassicStart Start => _start;

    /// <summary>ELF machine of the client.</summary>
    public uint Machine => _start.Machine;

    /// <summary>Bytes in a page of the client; 0 until known.</summary>
    public uint PageSize { get; private set; }

    /// <summary>Highest page frame number plus one; 0 until known.</summary>
    public ulong PageCount { get; private set; }

    /// <summary>Pages of RAM the client told with its registers (first generation: the number of pages), 0 if it did not.</summary>
    public uint RamPages { get; private set; }

    /// <summary>Registers of the crashing processor in the client's byte order; empty if the client had none of a known size.</summary>
    public ReadOnlySpan<byte> Registers => _registers;

    /// <summary>Bytes of registers that were refused because no such size exists on this machine; 0 if none were.</summary>
    public int RefusedRegisterBytes { get; private set; }

    /// <summary>The ELF header area of a client of our own; empty for others.</summary>
    public ReadOnlySpan<byte> Header => _header is null ? default : _header.Bytes;

    /// <summary>True if the client speaks our extension.</summary>
    public bool Extension => _start.Extension;

    /// <summary>Why no memory is taken, if so.</summary>
    public ClassicRefusal Refusal { get; private set; }

    /// <summary>Why the session ended.</summary>
    public ClassicEndReason EndReason { get; private set; }

    /// <summary>Pages that may be in flight now; 0 before the memory phase.</summary>
    public int Window => _memory?.Window ?? 0;

    /// <summary>
    /// Chunks of 1024 bytes that may be in flight, whatever the options say: the window never exceeds it, but for one page. The caller shares
    /// its socket among sessions by it. May be changed at any time; what is in flight already stays.
    /// </summary>
    public int WindowLimit
    {
        get => _windowLimit;
        set
        {
            _windowLimit = value;
            _memory?.ChunkLimit = _windowLimit;
        }
    }

    /// <summary>Requests that wait for their answer.</summary>
    public int InFlight => _requests.Count;

    /// <summary>Smoothed round trip of a request; zero before the first was measured.</summary>
    public TimeSpan RoundTrip => _roundTrip.Mean;

    /// <summary>Counts so far.</summary>
    public ClassicServerCounters Counters => _counters with { Retransmits = _requests.Retransmits };

    /// <summary>When <see cref="Advance"/> wants to be called next; may be early, is never late.</summary>
    public TimeSpan NextDeadline => Phase switch
    {
        ClassicServerPhase.Ended => TimeSpan.MaxValue,
        ClassicServerPhase.Prepared or ClassicServerPhase.StateComplete => _nextKeepAlive,
        ClassicServerPhase.Finishing => _nextFinal,
        ClassicServerPhase.State => NextStateDeadline,
        _ => Earlier(_requests.NextDeadline, GiveUpAt),
    };

    private TimeSpan GiveUpAt => _lastHeard + _options.GiveUpAfter;

    /// <summary>Takes a reply that came from the session's own address and port.</summary>
    public void Receive(in ClassicReplyHeader reply, ReadOnlySpan<byte> payload, TimeSpan now)
    {
        _now = now;
        if (Phase == ClassicServerPhase.Ended)
            return;
        _counters.Replies++;
        if (reply.Version is < ClassicReplyHeader.BaseVersion or > ClassicReplyHeader.MaximumVersion)
        {
            _counters.Invalid++;
            return;
        }

        switch (reply.Code)
        {
            case ClassicReplyCode.Start:
                ReceiveStart(reply, payload);
                return;
            case ClassicReplyCode.Log:
                NoteLog(now);
                return;
            case ClassicReplyCode.End:
                End(Phase == ClassicServerPhase.Finishing && _interrupted is null ? ClassicEndReason.Exited : ClassicEndReason.ClientLeft);
                return;
        }

        if (Phase == ClassicServerPhase.Finishing)
            return;
        _lastHeard = now;
        if (reply.Code == ClassicReplyCode.Error && reply.Info == (uint)ClassicCommand.AcknowledgeStart)
            return; // an acknowledgement that came after the handshake: to the client an unknown command
        if (!_requests.TryFind(reply.Number, out int index))
            _counters.Stale++;
        else if (!Answer(index, reply, payload))
            _counters.Invalid++;
    }

    /// <summary>Notes that console text of this client came, by whatever port: it lives, and its state is still being printed.</summary>
    public void NoteLog(TimeSpan now)
    {
        _now = now;
        _lastHeard = now;
        _lastLog = now;
    }

    /// <summary>Carries out what is due: requests sent again, signs of life, giving up.</summary>
    public void Advance(TimeSpan now)
    {
        _now = now;
        switch (Phase)
        {
            case ClassicServerPhase.Ended:
                break;
            case ClassicServerPhase.Prepared:
            case ClassicServerPhase.StateComplete:
                if (now >= _nextKeepAlive)
                {
                    _keepAlive = true;
                    _nextKeepAlive = now + _options.KeepAlive;
                }

                break;
            case ClassicServerPhase.State:
                AdvanceState();
                break;
            case ClassicServerPhase.Finishing:
                if (now >= _nextFinal)
                    RepeatFinal();
                break;
            default:
                if (_requests.Count == 0)
                    _lastHeard = now; // the caller holds requests back: nothing is owed
                else if (now >= GiveUpAt)
                    GiveUp();
                else if (_requests.Expire(now))
                {
                    _acknowledge |= Phase == ClassicServerPhase.Handshake;
                    _memory?.Lost();
                }

                break;
        }
    }

    /// <summary>Takes the next packet to send to the client.</summary>
    public bool TryTakeRequest(out ClassicRequest request)
    {
        if (_acknowledge)
        {
            _acknowledge = false;
            request = Request(_requests.TakeNumber(), ClassicCommand.AcknowledgeStart, AcknowledgedVersion, _start.Extension ? 1u : 0);
            return true;
        }

        if (_final)
        {
            _final = false;
            bool exit = _options.ExitInsteadOfReboot && _interrupted is null;
            request = Request(_requests.TakeNumber(), exit ? ClassicCommand.Exit : ClassicCommand.Reboot, 0);
            return true;
        }

        if (_keepAlive)
        {
            _keepAlive = false;
            request = Request(_requests.TakeNumber(), ClassicCommand.None, 0);
            return true;
        }

        request = default;
        if (Phase is ClassicServerPhase.Ended or ClassicServerPhase.Finishing)
            return false;
        // Also what seems lost is asked again within the window: should its answers only be slow, they would come twice, and more than fits.
        if (Phase == ClassicServerPhase.Memory && _requests.OnWire >= _memory!.Window)
            return false;
        if (!_requests.TryTake(_now, out int index))
        {
            if (!AskMore() || !_requests.TryTake(_now, out index))
                return false;
        }

        ref OpenRequests.Slot slot = ref _requests[index];
        request = Request(slot.Number, slot.Command, slot.Argument);
        return true;
    }

    /// <summary>Takes the next thing the caller has to do.</summary>
    public bool TryTakeEffect(out ClassicServerEffect effect) => _effects.TryDequeue(out effect);

    /// <summary>The bytes of a <see cref="ClassicServerEffectKind.Page"/> effect, valid until the next <see cref="Receive"/>.</summary>
    public ReadOnlySpan<byte> Page(in ClassicServerEffect effect) =>
        effect.Kind == ClassicServerEffectKind.Page && _memory is not null ? _memory.Page(effect.Slot) : default;

    /// <summary>The bits of a <see cref="ClassicServerEffectKind.LeftOut"/> effect: page <c>FirstPfn</c> + n is bit n &amp; 7 of byte n / 8.</summary>
    public ReadOnlySpan<byte> LeftOutMap => _leftOut is null ? default : _leftOut.Map;

    private uint AcknowledgedVersion =>
        _start.IsOld ? ClassicReplyHeader.BaseVersion : Math.Clamp(_start.Version, 1, ClassicReplyHeader.MaximumVersion);

    private ClassicRequest Request(uint number, ClassicCommand command, uint from, uint to = 0) =>
        new(_start.Magic ?? _options.Magic ?? 0, number, command, from, to);

    private void ReceiveStart(in ClassicReplyHeader reply, ReadOnlySpan<byte> payload)
    {
        if (!ClassicStart.TryParse(reply, payload, out ClassicStart start) || start != _start)
        {
            _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.OtherCrash));
            return;
        }

        _lastHeard = _now;
        _acknowledge = true;
        if (Phase == ClassicServerPhase.Handshake)
            _requests.SendAgain();
        else if (Phase == ClassicServerPhase.Finishing && _interrupted is not null)
            GoOn();
        else if (Phase == ClassicServerPhase.Finishing)
        {
            _finalsSent = 0; // it began its handshake again and missed them
            RepeatFinal();
        }
    }

    private void End(ClassicEndReason reason)
    {
        _requests.Clear();
        Phase = ClassicServerPhase.Ended;
        EndReason = reason;
        _acknowledge = _keepAlive = _final = false;
        _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.Ended, Reason: reason));
    }

    private static TimeSpan Earlier(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
