namespace Netdump.Protocols.NetConsole;

/// <summary>What all streams of one thread share: memory for fragments, room to unescape, counters. Not thread-safe.</summary>
public sealed class ConsoleWorkspace
{
    /// <summary>Memory for records under assembly.</summary>
    public FragmentPool Fragments { get; } = new();

    /// <summary>Records and datagrams dropped because they had come before.</summary>
    public long Duplicates { get; internal set; }

    /// <summary>Pieces dropped because no sender can mean them.</summary>
    public long InvalidFragments { get; internal set; }

    /// <summary>Pieces that disagreed with bytes already received.</summary>
    public long ConflictingFragments { get; internal set; }

    /// <summary>Records delivered with holes.</summary>
    public long PartialRecords { get; internal set; }

    internal byte[] Unescaped { get; } = new byte[ExtendedRecord.MaximumBody];
}

/// <summary>
/// Everything one sender (address and port) says on its console, in any mix of dialects: pieces joined, duplicates dropped, reboots
/// noticed, losses marked. Pure: driven by datagrams and time, delivers into a sink. Holds at most 256 KiB, most streams a few hundred bytes.
/// </summary>
public sealed class ConsoleStream
{
    private readonly ConsoleWorkspace _workspace;
    private readonly SequenceSet _seen = new();
    private readonly RecentTimes _recent = new();
    private readonly bool _twoKernels;
    private SequenceSet? _captureSeen;
    private FragmentAssembler? _fragments;
    private BasicLineJoiner? _lines;
    private ClassicLog? _log;
    private long _invalidBefore;
    private long _conflictingBefore;

    /// <summary>A stream that has received nothing.</summary>
    /// <param name="workspace">What the thread's streams share.</param>
    /// <param name="twoKernels">
    /// Whether our capture client is the sender: the dead kernel's numbers and the capture kernel's own then mean different records.
    /// </param>
    public ConsoleStream(ConsoleWorkspace workspace, bool twoKernels = false)
    {
        _workspace = workspace;
        _twoKernels = twoKernels;
    }

    /// <summary>Which boot the extended records belong to.</summary>
    public BootWatch ExtendedBoot { get; } = new();

    /// <summary>Which boot the basic lines belong to.</summary>
    public BootWatch BasicBoot { get; } = new();

    /// <summary>When <see cref="Advance"/> has something to do; <see cref="TimeSpan.MaxValue"/> for never.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan fragments = _fragments?.NextDeadline ?? TimeSpan.MaxValue;
            TimeSpan lines = _lines?.NextDeadline ?? TimeSpan.MaxValue;
            return fragments < lines ? fragments : lines;
        }
    }

    /// <summary>Whether a basic line is unfinished: the next datagram may be its rest (see <see cref="Dialects.Classify"/>).</summary>
    public bool ContinuesBasic(TimeSpan now) => _lines is not null && _lines.IsPending(now);

    /// <summary>Takes an extended datagram, whole or a piece. Anything else is ignored.</summary>
    public void ReceiveExtended(ReadOnlySpan<byte> datagram, TimeSpan now, ConsoleSink sink)
    {
        if (!ExtendedRecord.TryParse(datagram, out ExtendedRecord record)) return;
        if (record.Fragment == FragmentMark.None)
        {
            Deliver(record, datagram, lost: 0, now, sink);
            return;
        }

        // A late copy of a piece must not open its record again.
        if (!_twoKernels && IsKnown(record) && !ExtendedBoot.NumbersStartOver(record, known: true, now))
        {
            _workspace.Duplicates++;
            return;
        }

        _fragments ??= new FragmentAssembler(_workspace.Fragments);
        _fragments.Add(record, now);
        DrainFragments(now, sink);
    }

    /// <summary>Takes a datagram of basic text.</summary>
    public void ReceiveBasic(ReadOnlySpan<byte> datagram, TimeSpan now, ConsoleSink sink)
    {
        _lines ??= new BasicLineJoiner();
        ReadOnlySpan<byte> complete = _lines.Add(datagram, now, out ReadOnlySpan<byte> abandoned);
        if (!abandoned.IsEmpty) DeliverLine(abandoned, now, sink);
        while (!complete.IsEmpty)
        {
            int newline = complete.IndexOf((byte)'\n');
            DeliverLine(newline < 0 ? complete : complete[..newline], now, sink);
            complete = newline < 0 ? default : complete[(newline + 1)..];
        }
    }

    /// <summary>Takes the text of a classic LOG reply that belongs to no session.</summary>
    /// <param name="offset">The reply's info: byte offset of the text in the sender's stream; 0 begins a boot.</param>
    /// <param name="text">Console text, byte-exact.</param>
    /// <param name="now">Time of arrival.</param>
    /// <param name="sink">Receives the text, and a marker before it when text is missing.</param>
    public void ReceiveLog(uint offset, ReadOnlySpan<byte> text, TimeSpan now, ConsoleSink sink)
    {
        _log ??= new ClassicLog();
        if (!_log.Add(offset, text, now, out BootVerdict boot, out uint missing))
        {
            _workspace.Duplicates++;
            return;
        }

        if (missing > 0)
        {
            _workspace.Fragments.Scratch.ResetWrittenCount();
            LossMarker.Write(_workspace.Fragments.Scratch, missing, "bytes"u8);
            ReadOnlySpan<byte> marker = _workspace.Fragments.Scratch.WrittenSpan;
            sink(new ConsoleRecord { Kind = ConsoleRecordKind.Loss, Raw = marker, Text = marker, Priority = -1, Lost = missing });
        }

        sink(new ConsoleRecord
        {
            Kind = ConsoleRecordKind.Text,
            Boot = boot,
            Raw = text,
            Text = text,
            Priority = -1,
            IsStartup = offset == 0 || text.IndexOf("[...network console startup...]"u8) >= 0,
        });
    }

    /// <summary>Delivers what has been waited for long enough.</summary>
    public void Advance(TimeSpan now, ConsoleSink sink)
    {
        DrainFragments(now, sink);
        if (_lines is not null && _lines.TryTakeExpired(now, out ReadOnlySpan<byte> line)) DeliverLine(line, now, sink);
    }

    /// <summary>Delivers everything that is held: the server stops, or the stream is forgotten.</summary>
    public void Flush(TimeSpan now, ConsoleSink sink)
    {
        _fragments?.GiveUp();
        DrainFragments(now, sink);
        if (_lines is not null && _lines.TryTakeExpired(TimeSpan.MaxValue, out ReadOnlySpan<byte> line)) DeliverLine(line, now, sink);
    }

    private bool IsKnown(in ExtendedRecord record) =>
        _seen.Contains(record.Sequence) && !_recent.Contradicts(record.Sequence, record.Microseconds);

    private void DrainFragments(TimeSpan now, ConsoleSink sink)
    {
        if (_fragments is null) return;
        while (_fragments.TryTake(now, out ReadOnlySpan<byte> datagram, out int lost))
            if (ExtendedRecord.TryParse(datagram, out ExtendedRecord record)) Deliver(record, datagram, lost, now, sink);
        _workspace.InvalidFragments += _fragments.Invalid - _invalidBefore;
        _workspace.ConflictingFragments += _fragments.Conflicting - _conflictingBefore;
        _invalidBefore = _fragments.Invalid;
        _conflictingBefore = _fragments.Conflicting;
    }

    private void Deliver(in ExtendedRecord record, ReadOnlySpan<byte> raw, int lost, TimeSpan now, ConsoleSink sink)
    {
        RecordLines lines = record.Lines;
        lines.TryGet(RecordLineKind.UserData, "boot"u8, out ReadOnlySpan<byte> bootId);
        ReadOnlySpan<byte> release = record.Release;
        if (release.IsEmpty) lines.TryGet(RecordLineKind.SysData, "release"u8, out release);
        // What a marker has torn identifies nothing.
        if (lost > 0) bootId = release = default;
        if (lines.TryGet(RecordLineKind.UserData, "NETDUMP"u8, out ReadOnlySpan<byte> origin) && origin.SequenceEqual("capture"u8))
        {
            _captureSeen ??= new SequenceSet();
            if (_captureSeen.Add(record.Sequence)) Hand(record, raw, lost, BootVerdict.Same, isCapture: true, sink);
            else _workspace.Duplicates++;
            return;
        }

        bool known = IsKnown(record);
        BootVerdict boot = ExtendedBoot.Observe(record, bootId, release, known, now);
        if (boot != BootVerdict.Same)
        {
            _seen.Clear();
            _recent.Clear();
        }
        else if (known)
        {
            _workspace.Duplicates++;
            return;
        }

        // A record with holes may come again whole, from a second target.
        if (lost == 0)
        {
            _seen.Add(record.Sequence);
            _recent.Add(record.Sequence, record.Microseconds);
        }
        else
        {
            _workspace.PartialRecords++;
        }

        Hand(record, raw, lost, boot, isCapture: false, sink);
    }

    private void Hand(in ExtendedRecord record, ReadOnlySpan<byte> raw, int lost, BootVerdict boot, bool isCapture, ConsoleSink sink)
    {
        ReadOnlySpan<byte> escaped = record.EscapedText;
        ReadOnlySpan<byte> text = escaped;
        if (escaped.Contains((byte)'\\')) text = _workspace.Unescaped.AsSpan(0, EscapedText.Unescape(escaped, _workspace.Unescaped));
        sink(new ConsoleRecord
        {
            Kind = ConsoleRecordKind.Extended,
            Boot = boot,
            Raw = raw,
            Text = text,
            Extended = record,
            Priority = record.Priority,
            Microseconds = record.Microseconds,
            IsPartial = lost > 0,
            IsCapture = isCapture,
        });
    }

    private void DeliverLine(ReadOnlySpan<byte> raw, TimeSpan now, ConsoleSink sink)
    {
        BasicLine line = BasicLine.Parse(raw);
        bool loss = BasicLine.TryReadDropped(line.Text, out ulong dropped);
        sink(new ConsoleRecord
        {
            Kind = loss ? ConsoleRecordKind.Loss : ConsoleRecordKind.Line,
            Boot = BasicBoot.Observe(line, now),
            Raw = raw,
            Text = line.Text,
            Priority = line.Priority,
            Microseconds = line.HasTime ? line.Microseconds : null,
            Lost = dropped,
        });
    }
}
