namespace Netdump.Protocols.NetConsole;

/// <summary>
/// Everything one sender (address and port) says on its console, in any mix of dialects: pieces joined, copies dropped, records put in
/// order, reboots and capture kernels noticed, losses marked. Pure: driven by datagrams and time, delivers into a sink. While nothing is
/// missing it holds a few hundred bytes; else at most 256 KiB of records that wait, 160 KiB of pieces and a line, within the bounds that
/// all streams of a thread share (<see cref="ConsoleWorkspace"/>).
/// </summary>
public sealed class ConsoleStream
{
    private readonly ConsoleWorkspace _workspace;
    private readonly ExtendedStream _extended;
    private readonly BasicStream _basic;
    private ClassicLog? _log;

    /// <summary>A stream that has received nothing.</summary>
    /// <param name="workspace">What the thread's streams share.</param>
    /// <param name="twoKernels">
    /// Whether our capture client is the sender: the dead kernel's numbers and the capture kernel's own then mean different records, and
    /// all are delivered as they come.
    /// </param>
    public ConsoleStream(ConsoleWorkspace workspace, bool twoKernels = false)
    {
        _workspace = workspace;
        _extended = new ExtendedStream(workspace, twoKernels);
        _basic = new BasicStream(workspace);
    }

    /// <summary>Which boot the extended records belong to.</summary>
    public BootWatch ExtendedBoot => _extended.Boot;

    /// <summary>Which boot the basic lines belong to.</summary>
    public BootWatch BasicBoot => _basic.Boot;

    /// <summary>Value of the `machine` userdata line, when the sender sets it.</summary>
    public ReadOnlySpan<byte> Machine => _extended.Machine;

    /// <summary>When <see cref="Advance"/> has something to do; <see cref="TimeSpan.MaxValue"/> for never.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan extended = _extended.NextDeadline;
            TimeSpan basic = _basic.NextDeadline;
            return extended < basic ? extended : basic;
        }
    }

    /// <summary>Whether a basic line is unfinished: the next datagram may be its rest (see <see cref="Dialects"/>).</summary>
    public bool ContinuesBasic(TimeSpan now) => _basic.Continues(now);

    /// <summary>Takes an extended datagram, whole or a piece, and the record that was read from it.</summary>
    public void ReceiveExtended(in ExtendedRecord record, ReadOnlySpan<byte> datagram, TimeSpan now, ConsoleSink sink) =>
        _extended.Receive(record, datagram, now, sink);

    /// <summary>Takes an extended datagram, whole or a piece. Anything else is ignored.</summary>
    public void ReceiveExtended(ReadOnlySpan<byte> datagram, TimeSpan now, ConsoleSink sink)
    {
        if (ExtendedRecord.TryParse(datagram, out ExtendedRecord record)) ReceiveExtended(record, datagram, now, sink);
    }

    /// <summary>Takes a datagram of basic text.</summary>
    public void ReceiveBasic(ReadOnlySpan<byte> datagram, TimeSpan now, ConsoleSink sink) => _basic.Receive(datagram, now, sink);

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
            _workspace.Marker.ResetWrittenCount();
            LossMarker.Write(_workspace.Marker, missing, "bytes"u8);
            ReadOnlySpan<byte> marker = _workspace.Marker.WrittenSpan;
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
        _extended.Advance(now, sink);
        _basic.Advance(now, sink);
    }

    /// <summary>Delivers everything that is held: the server stops, or the stream is forgotten.</summary>
    public void Flush(TimeSpan now, ConsoleSink sink)
    {
        _extended.Flush(now, sink);
        _basic.Flush(now, sink);
    }
}
