using System.Buffers;

namespace Netdump.Protocols.NetConsole;

/// <summary>The extended records of one sender: pieces joined, copies dropped, boots told apart, delivered in order of number.</summary>
internal sealed class ExtendedStream(ConsoleWorkspace workspace, bool twoKernels)
{
    private readonly SequenceSet _seen = new();
    private readonly RecentTimes _recent = new();
    private readonly RecordOrder _order = new(workspace.Windows);
    private SequenceSet? _captureSeen;
    private FragmentAssembler? _fragments;
    private byte[] _machine = [];
    private long _invalidBefore;
    private long _conflictingBefore;

    // The boot that the records which wait belong to.
    private BootVerdict _verdict;
    private bool _captureKernel;

    // The last record delivered in its turn; -1 when it carries no count.
    private ulong _lastSequence;
    private long _lastMessageId = -1;
    private bool _anyDelivered;

    /// <summary>Which boot the records belong to.</summary>
    public BootWatch Boot { get; } = new();

    /// <summary>Value of the `machine` userdata line, when the sender sets it.</summary>
    public ReadOnlySpan<byte> Machine => _machine;

    /// <summary>When <see cref="Advance"/> has something to do; <see cref="TimeSpan.MaxValue"/> for never.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan order = _order.NextDeadline;
            return _fragments?.NextDeadline is TimeSpan fragments && fragments < order ? fragments : order;
        }
    }

    /// <summary>Takes a datagram, whole or a piece, and what was read from it.</summary>
    public void Receive(in ExtendedRecord record, ReadOnlySpan<byte> datagram, TimeSpan now, ConsoleSink sink)
    {
        if (record.Fragment == FragmentMark.None)
        {
            Accept(record, datagram, lost: 0, now, sink);
            return;
        }

        // A late copy of a piece must not open its record again.
        if (!twoKernels && IsKnown(record) && !Boot.NumbersStartOver(record, known: true, now))
        {
            workspace.Duplicates++;
            return;
        }

        _fragments ??= new FragmentAssembler(workspace.Fragments);
        _fragments.Add(record, now);
        DrainFragments(now, sink);
    }

    /// <summary>Delivers what has been waited for long enough.</summary>
    public void Advance(TimeSpan now, ConsoleSink sink)
    {
        DrainFragments(now, sink);
        while (_order.TryTakeExpired(now, out HeldRecord record))
        {
            HandHeld(record, sink);
            HandReady(sink);
        }
    }

    /// <summary>Delivers everything that is held.</summary>
    public void Flush(TimeSpan now, ConsoleSink sink)
    {
        _fragments?.GiveUp();
        DrainFragments(now, sink);
        HandAll(sink);
    }

    private bool IsKnown(in ExtendedRecord record) =>
        _seen.Contains(record.Sequence) && !_recent.Contradicts(record.Sequence, record.Microseconds);

    private void DrainFragments(TimeSpan now, ConsoleSink sink)
    {
        if (_fragments is null) return;
        while (_fragments.TryTake(now, out ReadOnlySpan<byte> datagram, out int lost))
            if (ExtendedRecord.TryParse(datagram, out ExtendedRecord record)) Accept(record, datagram, lost, _fragments.TakenArrival, sink);
        workspace.InvalidFragments += _fragments.Invalid - _invalidBefore;
        workspace.ConflictingFragments += _fragments.Conflicting - _conflictingBefore;
        _invalidBefore = _fragments.Invalid;
        _conflictingBefore = _fragments.Conflicting;
    }

    /// <summary>Takes a record, pieces joined: drops a copy, notices a boot, and delivers it when its turn comes.</summary>
    private void Accept(in ExtendedRecord record, ReadOnlySpan<byte> raw, int lost, TimeSpan now, ConsoleSink sink)
    {
        RecordIdentity identity = RecordIdentity.Read(record, isWhole: lost == 0);
        if (identity.IsCapture)
        {
            _captureSeen ??= new SequenceSet();
            if (_captureSeen.Add(record.Sequence)) Hand(record, raw, lost, BootVerdict.Same, isCapture: true, late: false, sink);
            else workspace.Duplicates++;
            return;
        }

        bool known = IsKnown(record);
        BootVerdict boot = Boot.Judge(record, identity.Boot, identity.Release, known, now);
        if (boot != BootVerdict.Same) BeginBoot(boot, atBanner: record.Sequence <= BootWatch.BannerSequence, now, sink);
        Boot.Accept(boot, record, identity.Boot, identity.Release, now);
        if (!identity.Machine.IsEmpty && !identity.Machine.SequenceEqual(_machine)) _machine = identity.Machine.ToArray();
        if (boot == BootVerdict.Same && known)
        {
            TakeCopy(record, raw, lost, identity.LinesLength, sink);
            return;
        }

        // A record with holes may come again whole, from a second target.
        if (lost == 0)
        {
            _seen.Add(record.Sequence);
            _recent.Add(record.Sequence, record.Microseconds, identity.LinesLength);
        }
        else
        {
            workspace.PartialRecords++;
        }

        if (CaptureKernel.IsCommandLine(record)) _captureKernel = Boot.NeverSleeps = true;
        Deliver(record, raw, lost, identity, now, sink);
    }

    private void BeginBoot(BootVerdict boot, bool atBanner, TimeSpan now, ConsoleSink sink)
    {
        HandAll(sink);
        _seen.Clear();
        _recent.Clear();
        _order.Begin(now, atBanner);
        _verdict = boot;
        _captureKernel = false;
        _anyDelivered = false;
    }

    private void TakeCopy(in ExtendedRecord record, ReadOnlySpan<byte> raw, int lost, int linesLength, ConsoleSink sink)
    {
        workspace.Duplicates++;
        if (_order.TryReplace(record, raw, lost, linesLength) || lost > 0) return;
        if (_recent.Improves(record.Sequence, record.Microseconds, linesLength))
            Hand(record, raw, lost, BootVerdict.Same, _captureKernel, late: false, sink, isCopy: true);
    }

    private void Deliver(
        in ExtendedRecord record, ReadOnlySpan<byte> raw, int lost, in RecordIdentity identity, TimeSpan now, ConsoleSink sink)
    {
        while (true)
        {
            // The capture client sends by number, and the crash's log is made by number.
            RecordTurn turn = twoKernels ? RecordTurn.Now : _order.Judge(record.Sequence);
            if (turn == RecordTurn.Late)
            {
                workspace.LateRecords++;
                Hand(record, raw, lost, TakeVerdict(), _captureKernel, late: true, sink);
                return;
            }

            if (turn == RecordTurn.Now || Follows(record.Sequence, identity.MessageId))
            {
                HandInTurn(record, raw, lost, identity.MessageId, sink);
                if (!_order.IsEmpty) HandReady(sink);
                return;
            }

            if (_order.TryReplace(record, raw, lost, identity.LinesLength)) return;
            if (_order.TryHold(record, raw, lost, identity.LinesLength, now)) return;
            if (_order.IsEmpty)
            {
                // All streams together hold too much: order is given up, the record is not.
                HandInTurn(record, raw, lost, identity.MessageId, sink);
                return;
            }

            HandHeld(_order.TakeFirst(), sink);
            HandReady(sink);
        }
    }

    /// <summary>Whether the sender's own count says that it sent nothing between the last record delivered and this one.</summary>
    private bool Follows(ulong sequence, long messageId) =>
        messageId >= 0 && _lastMessageId >= 0 && _anyDelivered && !_order.IsStarting
        && (uint)messageId == unchecked((uint)_lastMessageId + 1)
        && sequence > _lastSequence && sequence - _lastSequence <= RecordOrder.Far
        && _order.IsBeforeAll(sequence);

    private void HandReady(ConsoleSink sink)
    {
        while (_order.TryTakeNext(out HeldRecord record)) HandHeld(record, sink);
    }

    private void HandAll(ConsoleSink sink)
    {
        while (!_order.IsEmpty) HandHeld(_order.TakeFirst(), sink);
    }

    private void HandHeld(in HeldRecord held, ConsoleSink sink)
    {
        if (ExtendedRecord.TryParse(held.Datagram, out ExtendedRecord record))
            HandInTurn(record, held.Datagram, held.Lost, RecordIdentity.Read(record, held.Lost == 0).MessageId, sink);
        _order.Release(held);
    }

    private void HandInTurn(in ExtendedRecord record, ReadOnlySpan<byte> raw, int lost, long messageId, ConsoleSink sink)
    {
        if (!twoKernels)
        {
            _order.Pass(record.Sequence);
            if (_order.HasPassed(record.Sequence)) Count(record.Sequence, messageId, sink);
        }

        Hand(record, raw, lost, TakeVerdict(), _captureKernel, late: false, sink);
    }

    /// <summary>
    /// Tells a gap: with certainty, by a marker, when the sender counts what it sends; else it is only counted, because records above the
    /// sender's loglevel take numbers too.
    /// </summary>
    private void Count(ulong sequence, long messageId, ConsoleSink sink)
    {
        if (_anyDelivered && sequence > _lastSequence && sequence - _lastSequence is > 1 and <= RecordOrder.Far)
        {
            ulong absent = sequence - _lastSequence - 1;
            workspace.AbsentRecords += (long)absent;
            uint lost = messageId < 0 || _lastMessageId < 0 ? 0 : unchecked((uint)messageId - (uint)_lastMessageId - 1);
            // Two targets count apart: their copies may not be compared, and seldom agree with the numbers.
            if (lost > 0 && lost <= absent) MarkLoss(lost, sink);
        }

        _anyDelivered = true;
        _lastSequence = sequence;
        _lastMessageId = messageId;
    }

    private void MarkLoss(uint lost, ConsoleSink sink)
    {
        workspace.LostRecords += lost;
        ArrayBufferWriter<byte> scratch = workspace.Marker;
        scratch.ResetWrittenCount();
        LossMarker.Write(scratch, lost, "records"u8);
        ReadOnlySpan<byte> marker = scratch.WrittenSpan;
        sink(new ConsoleRecord
        {
            Kind = ConsoleRecordKind.Loss,
            Raw = marker,
            Text = marker,
            Priority = -1,
            Lost = lost,
            IsCapture = _captureKernel,
        });
    }

    /// <summary>The boot's verdict for the first record of it that is delivered; a capture kernel's is no boot of the host.</summary>
    private BootVerdict TakeVerdict()
    {
        BootVerdict verdict = _captureKernel ? BootVerdict.Same : _verdict;
        _verdict = BootVerdict.Same;
        return verdict;
    }

    private void Hand(
        in ExtendedRecord record, ReadOnlySpan<byte> raw, int lost, BootVerdict boot, bool isCapture, bool late, ConsoleSink sink, bool isCopy = false)
    {
        ReadOnlySpan<byte> escaped = record.EscapedText;
        ReadOnlySpan<byte> text = escaped;
        if (escaped.Contains((byte)'\\')) text = workspace.Unescaped.AsSpan(0, EscapedText.Unescape(escaped, workspace.Unescaped));
        sink(new ConsoleRecord
        {
            Kind = ConsoleRecordKind.Extended,
            Boot = boot,
            Raw = raw,
            Text = text,
            Sequence = record.Sequence,
            Priority = record.Priority,
            Microseconds = record.Microseconds,
            IsPartial = lost > 0,
            IsCapture = isCapture,
            IsLate = late,
            IsCopy = isCopy,
        });
    }
}
