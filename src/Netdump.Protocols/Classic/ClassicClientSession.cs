namespace Netdump.Protocols.Classic;

/// <summary>
/// The crashed kernel's half of one classic dump, pure: it is driven by requests and time, and answers with replies to send and effects
/// to carry out. It can be each of the original's four clients or our own. The caller drains <see cref="TryTakeEffect"/> and
/// <see cref="TryTakeReply"/> after every other call, and calls <see cref="Advance"/> at <see cref="NextDeadline"/>. Nothing is allocated
/// per packet. What is not drained is dropped beyond a bound, as a network would: servers ask again. Not thread-safe.
/// </summary>
public sealed class ClassicClientSession
{
    /// <summary>Replies and effects kept until they are drained, each.</summary>
    public const int MaximumPending = 1024;

    /// <summary>No datagram of a session is longer but LOG: the register text and the longest block behind the header.</summary>
    public const int MaximumReply = ClassicReplyHeader.Size + ClassicMachine.RegisterTextLength + ClassicMachine.MaximumRegisters;

    private readonly ClassicClientOptions _options;
    private readonly ClassicStart _start;
    private readonly ClassicReplies _replies;
    private readonly Queue<ClassicClientEffect> _effects = new(MaximumPending);
    private readonly uint _pageCount;
    private TimeSpan _nextStart;
    private TimeSpan _lastRequest;
    private TimeSpan _leaveAt;
    private uint _stateNumber;
    private uint _logOffset;
    private bool _refused;

    /// <summary>Begins a handshake: the first START lies ready to be sent.</summary>
    /// <exception cref="ArgumentException">The options do not make a machine the protocol can carry.</exception>
    public ClassicClientSession(ClassicClientOptions options, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.PageSize is < 1024 or > 65536 || !uint.IsPow2(options.PageSize))
            throw new ArgumentException($"page size {options.PageSize} is no power of two from 1024 to 65536", nameof(options));
        if (options.HeaderLength < 0 || options.HeaderLength % ClassicReplyHeader.ChunkSize != 0)
            throw new ArgumentException($"header length {options.HeaderLength} is no multiple of 1024", nameof(options));
        _options = options;
        _pageCount = options.PageCount ?? options.Memory.PageCount;
        bool old = options.Profile == ClassicClientProfile.A;
        _start = old
            ? new ClassicStart(ClassicMachine.I386, 0, 0, 0, null, false)
            : new ClassicStart(
                options.Machine, ClassicReplyHeader.MaximumVersion, options.TaskStruct, options.PageOffset, options.Magic,
                options.Profile == ClassicClientProfile.Netdump);
        _replies = new ClassicReplies(options, _start, _pageCount, MaximumPending);
        _nextStart = now;
        Advance(now);
    }

    /// <summary>What the session does at the moment.</summary>
    public ClassicClientPhase Phase { get; private set; }

    /// <summary>The negotiated version; 4 until then.</summary>
    public byte Version { get; private set; } = ClassicReplyHeader.BaseVersion;

    /// <summary>True if the server is one of ours: it may ask for the ELF header area, and takes extended console records from this socket.</summary>
    public bool Extension { get; private set; }

    /// <summary>The highest page frame number plus one.</summary>
    public uint PageCount => _pageCount;

    /// <summary>Requests received, counting those that were ignored.</summary>
    public long Requests { get; private set; }

    /// <summary>Longest text of one LOG packet of this profile.</summary>
    public int LogPieceSize => _options.Profile is ClassicClientProfile.A or ClassicClientProfile.B ? 1447 : 1000;

    /// <summary>
    /// True if console text goes out now. Originals are silent from the handshake on but for their state; ours may send the log once it
    /// is connected.
    /// </summary>
    public bool MayLog => Phase == ClassicClientPhase.ShowingState
        || (_options.Profile == ClassicClientProfile.Netdump && Phase == ClassicClientPhase.Serving);

    /// <summary>When <see cref="Advance"/> wants to be called next.</summary>
    public TimeSpan NextDeadline => Phase switch
    {
        ClassicClientPhase.Handshake => _nextStart,
        ClassicClientPhase.Leaving => _leaveAt,
        ClassicClientPhase.Ended => TimeSpan.MaxValue,
        _ => RestartAt,
    };

    private TimeSpan RestartAt =>
        _options.Profile == ClassicClientProfile.Netdump && _options.RestartHandshakeAfter is { } after ? _lastRequest + after : TimeSpan.MaxValue;

    private byte ReplyVersion =>
        _options.Profile is ClassicClientProfile.A or ClassicClientProfile.B ? ClassicReplyHeader.BaseVersion : Version;

    /// <summary>Takes a datagram from the server. Only packets from the server's address to the session's own port belong here.</summary>
    public void Receive(ReadOnlySpan<byte> datagram, TimeSpan now)
    {
        if (!ClassicRequest.TryRead(datagram, out ClassicRequest request))
            return;
        Requests++;
        if (_options.StrictMagic && request.Magic != _options.Magic)
            return;
        switch (Phase)
        {
            case ClassicClientPhase.Handshake when request.Command == ClassicCommand.AcknowledgeStart:
                _lastRequest = now;
                Acknowledge(request, now);
                break;
            case ClassicClientPhase.Handshake when request.Command == ClassicCommand.None && _options.Profile == ClassicClientProfile.Netdump:
                break; // a server of ours that has no place for this dump yet: it lives, and START is repeated in its time
            case ClassicClientPhase.Handshake:
                SendStart(now); // a server that believes the handshake over: tell it at once
                break;
            case ClassicClientPhase.ShowingState when _options.Profile != ClassicClientProfile.Netdump:
                break; // originals print their state with the network to themselves
            case ClassicClientPhase.Serving or ClassicClientPhase.ShowingState:
                _lastRequest = now;
                Answer(request, now);
                break;
        }
    }

    /// <summary>Carries out what is due: another START, a new handshake, the restart.</summary>
    public void Advance(TimeSpan now)
    {
        if (now < NextDeadline)
            return;
        switch (Phase)
        {
            case ClassicClientPhase.Handshake:
                SendStart(now);
                break;
            case ClassicClientPhase.Leaving:
                Phase = ClassicClientPhase.Ended;
                Add(new ClassicClientEffect(_refused ? ClassicClientEffectKind.Refused : ClassicClientEffectKind.Reboot));
                break;
            case ClassicClientPhase.Serving:
                Phase = ClassicClientPhase.Handshake;
                SendStart(now);
                break;
            case ClassicClientPhase.ShowingState:
                _lastRequest = now; // a server asks for nothing while the lines come
                break;
        }
    }

    /// <summary>Takes the next thing the caller has to do.</summary>
    public bool TryTakeEffect(out ClassicClientEffect effect) => _effects.TryDequeue(out effect);

    /// <summary>Writes the next reply that needs no help of the caller.</summary>
    /// <param name="destination">At least <see cref="MaximumReply"/> bytes.</param>
    /// <param name="length">Bytes of the datagram.</param>
    public bool TryTakeReply(Span<byte> destination, out int length) => _replies.TryTake(destination, out length);

    /// <summary>Writes one MEM datagram: 13 bytes of header and the chunk.</summary>
    /// <param name="destination">13 bytes more than the chunk.</param>
    /// <param name="number">Number of the request.</param>
    /// <param name="offset">Byte offset of the chunk in its page or area.</param>
    /// <param name="chunk">1024 bytes.</param>
    /// <returns>Bytes written.</returns>
    public int WriteMemoryReply(Span<byte> destination, uint number, uint offset, ReadOnlySpan<byte> chunk)
    {
        new ClassicReplyHeader(ReplyVersion, number, ClassicReplyCode.Memory, offset).Write(destination);
        chunk.CopyTo(destination[ClassicReplyHeader.Size..]);
        return ClassicReplyHeader.Size + chunk.Length;
    }

    /// <summary>
    /// Writes all MEM datagrams of a page one behind the other, in ascending order, each of 1037 bytes: one message for UDP_SEGMENT, or
    /// to be cut by the caller.
    /// </summary>
    /// <param name="destination">1037 bytes for each 1024 of the page.</param>
    /// <param name="number">Number of the request.</param>
    /// <param name="page">The whole page, or a header chunk of 1024 bytes with its offset given.</param>
    /// <param name="offset">Offset of the first byte.</param>
    /// <returns>Bytes written.</returns>
    public int WritePage(Span<byte> destination, uint number, ReadOnlySpan<byte> page, uint offset = 0)
    {
        int written = 0;
        for (int at = 0; at < page.Length; at += ClassicReplyHeader.ChunkSize)
            written += WriteMemoryReply(destination[written..], number, offset + (uint)at, page.Slice(at, ClassicReplyHeader.ChunkSize));
        return written;
    }

    /// <summary>Writes the ERROR that stands for a page (or header chunk) that could not be read: a server goes on without it.</summary>
    /// <returns>Bytes written.</returns>
    public int WriteUnreadable(Span<byte> destination, uint number)
    {
        new ClassicReplyHeader(ReplyVersion, number, ClassicReplyCode.Error, 0).Write(destination);
        ReadOnlySpan<byte> text = "this page could not be read\n"u8;
        text.CopyTo(destination[ClassicReplyHeader.Size..]);
        return ClassicReplyHeader.Size + text.Length;
    }

    /// <summary>Writes the RESERVED that stands for a page which is RAM and is left out, or zero: a server goes on with the next page of RAM.</summary>
    /// <param name="destination">At least <see cref="MaximumReply"/> bytes.</param>
    /// <param name="number">Number of the request.</param>
    /// <param name="pfn">The page.</param>
    /// <returns>Bytes written.</returns>
    public int WriteLeftOut(Span<byte> destination, uint number, uint pfn)
    {
        uint next = _options.Memory.NextRam(pfn);
        new ClassicReplyHeader(ReplyVersion, number, ClassicReplyCode.Reserved, next < _pageCount ? next : 0).Write(destination);
        return ClassicReplyHeader.Size;
    }

    /// <summary>
    /// Writes one LOG datagram with the beginning of <paramref name="text"/>, at most <see cref="LogPieceSize"/> bytes of it. While
    /// <see cref="MayLog"/> is false the text is swallowed, as originals do.
    /// </summary>
    /// <param name="destination">13 bytes more than a piece.</param>
    /// <param name="text">Console text.</param>
    /// <param name="consumed">How much of the text is done; the rest goes into the next call.</param>
    /// <returns>Bytes of the datagram, 0 for none.</returns>
    public int WriteLog(Span<byte> destination, ReadOnlySpan<byte> text, out int consumed)
    {
        consumed = text.Length;
        if (!MayLog || text.IsEmpty)
            return 0;
        consumed = Math.Min(text.Length, LogPieceSize);
        new ClassicReplyHeader(ClassicReplyHeader.BaseVersion, 0, ClassicReplyCode.Log, _logOffset).Write(destination);
        text[..consumed].CopyTo(destination[ClassicReplyHeader.Size..]);
        _logOffset += (uint)consumed;
        return ClassicReplyHeader.Size + consumed;
    }

    /// <summary>The last line of the state was sent.</summary>
    public void CompleteState()
    {
        if (Phase != ClassicClientPhase.ShowingState)
            return;
        Phase = ClassicClientPhase.Serving;
        if (!AnswersStateFirst)
            _replies.Add(ClassicReplyCode.ShowState, ReplyVersion, _stateNumber, 0);
    }

    private bool AnswersStateFirst => _options.Profile is ClassicClientProfile.B or ClassicClientProfile.C;

    private void SendStart(TimeSpan now)
    {
        _nextStart = now + _options.StartInterval;
        _replies.Add(ClassicReplyCode.Start, ClassicReplyHeader.BaseVersion, 0, 0);
    }

    private void Acknowledge(in ClassicRequest request, TimeSpan now)
    {
        byte offered = (byte)request.From; // originals keep 8 bits: 256 counts as 0
        if (offered == 0 && _start.Machine != ClassicMachine.I386)
        {
            _refused = true;
            Leave(now);
            return;
        }

        Version = offered == 0 ? ClassicReplyHeader.BaseVersion : Math.Min(offered, ClassicReplyHeader.MaximumVersion);
        Extension = _start.Extension && request.To == 1;
        Phase = ClassicClientPhase.Serving;
        Add(new ClassicClientEffect(ClassicClientEffectKind.Connected));
    }

    private void Answer(in ClassicRequest request, TimeSpan now)
    {
        uint number = request.Number;
        switch (request.Command)
        {
            case ClassicCommand.None:
                break;
            case ClassicCommand.SendMemory:
                AnswerMemory(number, request.From);
                break;
            case ClassicCommand.Exit:
                _replies.Add(ClassicReplyCode.End, ReplyVersion, 0, 0);
                Phase = ClassicClientPhase.Ended;
                Add(new ClassicClientEffect(ClassicClientEffectKind.Exit));
                break;
            case ClassicCommand.Reboot:
                Leave(now);
                break;
            case ClassicCommand.Hello:
                _replies.Add(ClassicReplyCode.Hello, ReplyVersion, number, 4);
                break;
            case ClassicCommand.GetPageCount:
                _replies.Add(ClassicReplyCode.PageCount, ReplyVersion, number, _pageCount);
                break;
            case ClassicCommand.GetPageSize:
                _replies.Add(ClassicReplyCode.PageSize, ReplyVersion, number, _options.PageSize);
                break;
            case ClassicCommand.GetRegisters:
                uint ram = (uint)Math.Min(_options.Memory.RamPages, uint.MaxValue);
                _replies.Add(ClassicReplyCode.Registers, ReplyVersion, number, _start.IsOld ? _pageCount : ram);
                break;
            case ClassicCommand.ShowState:
                ShowState(number);
                break;
            case ClassicCommand.GetHeader when Extension:
                if ((long)request.From * ClassicReplyHeader.ChunkSize < _options.HeaderLength)
                    Add(new ClassicClientEffect(ClassicClientEffectKind.SendHeader, number, request.From));
                else
                    _replies.Add(ClassicReplyCode.Error, ReplyVersion, number, 0, ClassicReplies.NoSuchChunk);
                break;
            case ClassicCommand.GetBitmap when Extension:
                if ((ulong)request.From * ClassicReplyHeader.ChunkSize >= (_pageCount + 7UL) / 8)
                    _replies.Add(ClassicReplyCode.Error, ReplyVersion, number, 0, ClassicReplies.NoSuchChunk);
                else if (_options.LeavesOut)
                    Add(new ClassicClientEffect(ClassicClientEffectKind.SendBitmap, number, request.From));
                else
                    _replies.Add(ClassicReplyCode.Memory, ReplyVersion, number, request.From * ClassicReplyHeader.ChunkSize);
                break;
            default:
                _replies.Add(ClassicReplyCode.Error, ReplyVersion, number, (uint)request.Command);
                break;
        }
    }

    private void AnswerMemory(uint number, uint pfn)
    {
        if (pfn >= _pageCount)
            _replies.Add(ClassicReplyCode.Error, ReplyVersion, number, 0, pfn);
        else if (_options.Memory.IsRam(pfn))
            Add(new ClassicClientEffect(ClassicClientEffectKind.SendPage, number, pfn));
        else if (_start.IsOld)
            Add(new ClassicClientEffect(ClassicClientEffectKind.SendZeroPage, number, pfn));
        else
        {
            uint next = _options.Memory.NextRam(pfn);
            _replies.Add(ClassicReplyCode.Reserved, ReplyVersion, number, next < _pageCount ? next : 0);
        }
    }

    private void ShowState(uint number)
    {
        if (Phase == ClassicClientPhase.ShowingState)
        {
            _stateNumber = number;
            return;
        }

        Phase = ClassicClientPhase.ShowingState;
        _stateNumber = number;
        if (AnswersStateFirst)
            _replies.Add(ClassicReplyCode.ShowState, ReplyVersion, number, 0);
        Add(new ClassicClientEffect(ClassicClientEffectKind.ShowState, number));
    }

    private void Leave(TimeSpan now)
    {
        Phase = ClassicClientPhase.Leaving;
        _leaveAt = now + _options.RebootDelay;
    }

    private void Add(in ClassicClientEffect effect)
    {
        if (_effects.Count < MaximumPending)
            _effects.Enqueue(effect);
    }
}
