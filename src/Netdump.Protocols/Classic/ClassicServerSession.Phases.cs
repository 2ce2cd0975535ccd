namespace Netdump.Protocols.Classic;

/// <content>The order of the phases, and what each makes of an answer.</content>
public sealed partial class ClassicServerSession
{
    private TimeSpan NextStateDeadline
    {
        get
        {
            TimeSpan limit = _stateBegan + _options.StateLimit;
            return Earlier(limit, _stateAnswered is null ? _requests.NextDeadline : StateQuietAt);
        }
    }

    private TimeSpan StateQuietAt =>
        (_lastLog > _stateAnswered.GetValueOrDefault() ? _lastLog : _stateAnswered.GetValueOrDefault()) + _options.StateQuiet;

    /// <summary>The file is made: ask for memory. Does nothing if the session has ended meanwhile.</summary>
    /// <param name="now">The time.</param>
    /// <param name="nextMissing">
    /// For a dump that is gone on with: gives the first page, from a page on, that was not accounted for before (the number of pages if
    /// none). Only those are asked. Null asks for all.
    /// </param>
    /// <exception cref="InvalidOperationException">The session is not <see cref="ClassicServerPhase.Prepared"/>.</exception>
    public void BeginMemory(TimeSpan now, Func<ulong, ulong>? nextMissing = null)
    {
        _now = now;
        if (Phase == ClassicServerPhase.Ended)
            return;
        if (Phase != ClassicServerPhase.Prepared)
            throw new InvalidOperationException($"memory cannot begin in phase {Phase}");
        _lastHeard = now;
        _requests.Clear();
        _nextMissing = nextMissing;
        if (Extension && _options.AsksLeftOut && _leftOut is null)
        {
            _leftOut = new LeftOutCollector(PageCount);
            Phase = ClassicServerPhase.LeftOut;
        }
        else
            TakeMemory();
    }

    private void TakeMemory()
    {
        Phase = ClassicServerPhase.Memory;
        int window = Extension ? _options.MaximumExtensionWindow : _options.MaximumWindow;
        _memory = new MemoryCollector(PageSize, PageCount, window, _options, _nextMissing) { ChunkLimit = _windowLimit };
        if (_memory.NextPfn >= PageCount)
            CompleteMemory();
    }

    /// <summary>
    /// Asks for no more memory until <see cref="BeginMemory"/> is called again with what is missing by then: back to
    /// <see cref="ClassicServerPhase.Prepared"/>, without its effect. What is in flight is forgotten, its answers are stale. Does nothing
    /// outside the memory phase.
    /// </summary>
    public void HoldMemory(TimeSpan now)
    {
        _now = now;
        if (Phase is not (ClassicServerPhase.Memory or ClassicServerPhase.LeftOut))
            return;
        if (Phase == ClassicServerPhase.LeftOut)
            _leftOut = null;
        _requests.Clear();
        Phase = ClassicServerPhase.Prepared;
        _keepAlive = true;
        _nextKeepAlive = now + _options.KeepAlive;
    }

    /// <summary>
    /// No memory, or no more of it (no space, a failed disk): go straight to the client's state. Open requests are dropped. Does nothing
    /// once the state was asked.
    /// </summary>
    public void SkipMemory(TimeSpan now)
    {
        _now = now;
        if (Phase < ClassicServerPhase.State)
            BeginState();
    }

    /// <summary>After StateComplete: the files are in place, send the client away. Does nothing if the session has ended meanwhile.</summary>
    /// <exception cref="InvalidOperationException">The session is not in <see cref="ClassicServerPhase.StateComplete"/>.</exception>
    public void Finish(TimeSpan now)
    {
        _now = now;
        if (Phase == ClassicServerPhase.Ended)
            return;
        if (Phase != ClassicServerPhase.StateComplete)
            throw new InvalidOperationException($"a session cannot finish in phase {Phase}");
        BeginFinal();
    }

    private bool AskMore()
    {
        uint argument;
        // Not before the caller has carried out what the last chunk of the map brought: what is missing is asked from here on.
        if (Phase == ClassicServerPhase.LeftOut && _leftOut!.IsAsked && _requests.Count == 0)
            TakeMemory();
        if (Phase == ClassicServerPhase.LeftOut && _leftOut!.TryTakeNext(_requests.Count, out argument))
            _requests.Open(ClassicCommand.GetBitmap, argument);
        else if (Phase == ClassicServerPhase.Memory && _memory!.TryTakeNext(_requests.Count, out argument))
            _requests.Open(ClassicCommand.SendMemory, argument);
        else if (Phase == ClassicServerPhase.Header && _header!.TryTakeNext(_requests.Count, out argument))
            _requests.Open(ClassicCommand.GetHeader, argument);
        else
            return false;
        return true;
    }

    private bool Answer(int index, in ClassicReplyHeader reply, ReadOnlySpan<byte> payload)
    {
        ref OpenRequests.Slot slot = ref _requests[index];
        bool error = reply.Code == ClassicReplyCode.Error;
        switch (slot.Command)
        {
            case ClassicCommand.SendMemory:
                return AnswerMemory(index, reply, payload);
            case ClassicCommand.GetHeader:
                return AnswerHeader(index, reply, payload);
            case ClassicCommand.GetBitmap:
                return AnswerLeftOut(index, reply, payload);
            case ClassicCommand.Hello when error || reply.Code == ClassicReplyCode.Hello:
                _requests.Answer(index, _now);
                if (Refusal != ClassicRefusal.None)
                    BeginState();
                else
                    Ask(ClassicCommand.GetPageSize);
                return true;
            case ClassicCommand.GetPageSize when error || reply.Code == ClassicReplyCode.PageSize:
                _requests.Answer(index, _now);
                PageSize = error ? 0 : reply.Info;
                if (PageSize is >= 1024 and <= 65536 && uint.IsPow2(PageSize))
                    Ask(ClassicCommand.GetPageCount);
                else
                    Refuse(ClassicRefusal.BadPageSize);
                return true;
            case ClassicCommand.GetPageCount when error || reply.Code == ClassicReplyCode.PageCount:
                _requests.Answer(index, _now);
                PageCount = error ? 0 : reply.Info;
                if (PageCount != 0 && PageCount <= _options.MaximumPageCount)
                    Ask(ClassicCommand.GetRegisters);
                else
                    Refuse(ClassicRefusal.BadPageCount);
                return true;
            case ClassicCommand.GetRegisters when error || reply.Code == ClassicReplyCode.Registers:
                _requests.Answer(index, _now);
                if (!error)
                    TakeRegisters(reply, payload);
                if (Extension)
                {
                    Phase = ClassicServerPhase.Header;
                    _header = new HeaderCollector(_options.MaximumHeaderLength);
                }
                else
                    Prepare();
                return true;
            case ClassicCommand.ShowState when error || reply.Code == ClassicReplyCode.ShowState:
                _requests.Answer(index, _now);
                _stateAnswered = _now;
                if (Extension)
                    CompleteState(); // ours answers behind its last line
                return true;
            default:
                return false;
        }
    }

    private void Ask(ClassicCommand command)
    {
        Phase = ClassicServerPhase.Parameters;
        _requests.Open(command, 0);
    }

    private void Refuse(ClassicRefusal refusal)
    {
        Refusal = refusal;
        BeginState();
    }

    private void TakeRegisters(in ClassicReplyHeader reply, ReadOnlySpan<byte> payload)
    {
        RamPages = reply.Info;
        ReadOnlySpan<byte> registers = payload[Math.Min(payload.Length, ClassicMachine.RegisterTextLength)..];
        if (ClassicMachine.AcceptsRegisters(Machine, registers.Length))
            _registers = registers.ToArray();
        else
            RefusedRegisterBytes = registers.Length;
    }

    private void Prepare()
    {
        Phase = ClassicServerPhase.Prepared;
        _nextKeepAlive = _now + _options.KeepAlive;
        _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.Prepared));
    }

    private bool AnswerHeader(int index, in ClassicReplyHeader reply, ReadOnlySpan<byte> payload)
    {
        uint chunk = _requests[index].Argument;
        if (reply.Code == ClassicReplyCode.Error)
            _header!.EndAt(chunk);
        else if (reply.Code == ClassicReplyCode.Memory && HeaderCollector.IsChunk(chunk, reply.Info, payload.Length))
            _header!.Store(chunk, payload);
        else
            return false;
        _requests.Answer(index, _now);
        if (_header.TooLong)
        {
            _header = null;
            Refuse(ClassicRefusal.HeaderTooLong);
        }
        else if (_header.EndKnown && _requests.Count == 0)
            Prepare();
        return true;
    }

    // A chunk that the client has not: an older one of ours, which left nothing out.
    private bool AnswerLeftOut(int index, in ClassicReplyHeader reply, ReadOnlySpan<byte> payload)
    {
        uint chunk = _requests[index].Argument;
        if (reply.Code == ClassicReplyCode.Memory && HeaderCollector.IsChunk(chunk, reply.Info, payload.Length))
        {
            if (_leftOut!.Take(payload))
                _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.LeftOut, (ulong)chunk * LeftOutCollector.PagesPerChunk, LeftOutCollector.PagesPerChunk));
        }
        else if (reply.Code != ClassicReplyCode.Error)
            return false;
        _requests.Answer(index, _now);
        return true;
    }

    private bool AnswerMemory(int index, in ClassicReplyHeader reply, ReadOnlySpan<byte> payload)
    {
        ref OpenRequests.Slot slot = ref _requests[index];
        uint pfn = slot.Argument;
        switch (reply.Code)
        {
            case ClassicReplyCode.Memory when _memory!.IsChunk(reply.Info, payload.Length):
                if (!_memory.Store(index, ref slot, reply.Info, payload))
                    _counters.Duplicates++;
                if (!_memory.IsComplete(slot))
                    return true;
                _counters.Pages++;
                _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.Page, pfn, 1, index));
                break;
            case ClassicReplyCode.Reserved:
                ulong next = _memory!.NextPfn;
                ulong skipped = _memory.Skip(reply.Info);
                _counters.HolePages += (long)skipped + 1;
                if (pfn + 1UL == next)
                    _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.Hole, pfn, skipped + 1));
                else
                {
                    _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.Hole, pfn, 1));
                    if (skipped > 0)
                        _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.Hole, next, skipped));
                }

                break;
            case ClassicReplyCode.Error:
                _counters.UnreadablePages++;
                _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.Unreadable, pfn, 1));
                break;
            default:
                return false;
        }

        if (_requests.Answer(index, _now))
            _memory!.Lost();
        else
            _memory!.Answered();
        if (_requests.Count == 0 && _memory.NextPfn >= _memory.PageCount)
            CompleteMemory();
        return true;
    }

    private void CompleteMemory()
    {
        _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.MemoryComplete));
        BeginState();
    }

    private void BeginState()
    {
        _requests.Clear();
        Phase = ClassicServerPhase.State;
        _stateBegan = _now;
        _stateAnswered = null;
        _stateAsked = 1;
        _requests.Open(ClassicCommand.ShowState, 0, _options.StateTimeout);
    }

    private void AdvanceState()
    {
        if (_now >= _stateBegan + _options.StateLimit || (_stateAnswered is not null && _now >= StateQuietAt))
            CompleteState();
        else if (_stateAnswered is null && _now >= _requests.NextDeadline)
            AskStateAgain();
    }

    private void AskStateAgain()
    {
        if (_requests.Postpone(_lastLog + _options.StateTimeout, _now))
            return; // lines are still coming: asked again, some clients would print them all once more
        if (_stateAsked++ >= _options.StateAttempts)
            CompleteState();
        else
            _requests.Expire(_now);
    }

    private void CompleteState()
    {
        _requests.Clear();
        Phase = ClassicServerPhase.StateComplete;
        _nextKeepAlive = _now + _options.KeepAlive;
        _effects.Enqueue(new ClassicServerEffect(ClassicServerEffectKind.StateComplete));
    }

    private void BeginFinal()
    {
        Phase = ClassicServerPhase.Finishing;
        _finalsSent = 0;
        RepeatFinal();
    }

    private void RepeatFinal()
    {
        if (_finalsSent++ >= _options.FinalRepeats)
        {
            End(_interrupted is null ? ClassicEndReason.Finished : ClassicEndReason.TimedOut);
            return;
        }

        _final = true;
        _nextFinal = _now + _options.FinalInterval;
    }

    private void GiveUp()
    {
        _interrupted = Phase;
        BeginFinal();
    }

    /// <summary>The client was only away: its open requests still stand, and go on where they were.</summary>
    private void GoOn()
    {
        Phase = _interrupted.GetValueOrDefault();
        _interrupted = null;
        _final = false;
    }
}
