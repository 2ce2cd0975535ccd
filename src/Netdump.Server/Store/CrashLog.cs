using System.Buffers;
using Netdump.Protocols.NetConsole;
using Netdump.Vmcore.Log;

namespace Netdump.Server.Store;

/// <summary>
/// The <c>log</c> of one crash, and <c>capture.log</c> beside it. Made when a crash opens; begins with what the host's console said in this
/// boot. Everything taken is appended to <c>.records</c> within a second, so that a server that is killed goes on with it; <c>log</c> is
/// rewritten as a whole (synced, renamed) at the start, at most a second after a change, and by <see cref="CompleteAsync"/>.
/// Lane-owned, not thread-safe; the disk's waiting is done elsewhere.
/// </summary>
public sealed partial class CrashLog
{
    /// <summary>Longest time between a change and its being in the files.</summary>
    public static readonly TimeSpan WriteInterval = TimeSpan.FromSeconds(1);

    // A capture kernel calls within minutes; what an older one said belongs to another crash.
    private static readonly TimeSpan CaptureAge = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan BusyInterval = TimeSpan.FromMilliseconds(100);

    private const string LogName = "log";
    private const string CaptureName = "capture.log";
    private const string RecordsName = ".records";
    private const int MaximumStreams = 8;
    private const int MaximumCapture = 4 * 1024 * 1024;
    private const int MaximumUnsaved = 4 * 1024 * 1024;

    private readonly CrashDirectory _directory;
    private readonly ConsoleView _console;
    private readonly ConsoleWorkspace _workspace = new();
    private readonly Dictionary<ushort, ConsoleStream> _streams = [];
    private readonly CrashLogText _text = new();
    private readonly ArrayBufferWriter<byte> _unsaved = new();
    private readonly ArrayBufferWriter<byte> _capture = new();
    private readonly ConsoleSink _sink;
    private readonly SequenceSet _captureSeen = new();
    private readonly JournalTail? _boot;
    private readonly JournalTail? _captureConsole;
    private TimeSpan _followAt;
    private long _captureLength;
    private ushort _port;
    private bool _dirty = true;
    private volatile bool _failing;
    private bool _completed;
    private TimeSpan _writeAt = TimeSpan.MaxValue;
    private Task<Exception?> _writing = Task.FromResult<Exception?>(null);

    /// <summary>
    /// The log of a crash in its directory; goes on with what an earlier run of the server had. Writes <c>log</c> at once.
    /// </summary>
    /// <param name="directory">The crash.</param>
    /// <param name="console">The host's console (<c>ConsoleReceiver.LogOf</c>).</param>
    /// <param name="now">Monotonic time.</param>
    public CrashLog(CrashDirectory directory, ConsoleLog console, TimeSpan now)
        : this(directory, console.View(now), now)
    {
    }

    /// <summary>The same over a view of the console.</summary>
    internal CrashLog(CrashDirectory directory, ConsoleView console, TimeSpan now)
    {
        _directory = directory;
        _console = console;
        _sink = Take;
        List<JournalEntry> entries = Journal.Read(directory.File(RecordsName));
        Prepare(entries);
        _captureConsole = console.Capture;
        if (entries.Count > 0)
        {
            _boot = console.BootAgain;
            foreach (JournalEntry entry in entries) Replay(entry);
            if (_boot.First == 0) _boot = null; // there was none when the crash opened
        }
        else
        {
            _boot = console.Boot;
            foreach (JournalEntry entry in console.Said) TakeOver(entry);
            if (_boot is not null) Remember(_boot);
        }

        if (File.Exists(directory.File(CaptureName))) _captureLength = new FileInfo(directory.File(CaptureName)).Length;
        Follow(now);
        BeginWrite();
    }

    /// <summary>
    /// An extended record, or a piece, from the session's port: one of the dead kernel, or (userdata NETDUMP=capture) of the capture kernel.
    /// </summary>
    public void ReceiveExtended(ReadOnlySpan<byte> datagram, ushort port, TimeSpan now)
    {
        if (_completed) return;
        _port = port;
        StreamOf(port)?.ReceiveExtended(datagram, now, _sink);
        Schedule(now);
    }

    /// <summary>The text of a classic LOG reply of the session; kept byte-exact, exact copies dropped, gaps marked.</summary>
    public void ReceiveLog(uint offset, ReadOnlySpan<byte> text, ushort port, TimeSpan now)
    {
        if (_completed) return;
        _port = port;
        StreamOf(port)?.ReceiveLog(offset, text, now, _sink);
        Schedule(now);
    }

    /// <summary>Fills what was lost on the way from the finished vmcore's ring.</summary>
    public void FillFrom(IReadOnlyList<LogRecord> records, TimeSpan now)
    {
        foreach (LogRecord record in records)
            _dirty |= _text.AddRecord(RecordOrigin.Vmcore, record.Sequence, record.Nanoseconds / 1000, record.Text.Span, partial: false);
        Schedule(now);
    }

    /// <summary>Delivers and writes what is due; returns when it wants to be called again.</summary>
    public TimeSpan Advance(TimeSpan now)
    {
        TimeSpan next = TimeSpan.MaxValue;
        foreach ((ushort port, ConsoleStream stream) in _streams)
        {
            _port = port;
            stream.Advance(now, _sink);
            if (stream.NextDeadline < next) next = stream.NextDeadline;
        }

        Reap();
        if (now >= _followAt && !_completed) Follow(now);
        if (_followAt < next && !_completed) next = _followAt;
        Schedule(now);
        if (now >= _writeAt)
        {
            // One write at a time: the next one takes what came meanwhile.
            if (_writing.IsCompleted) BeginWrite();
            else _writeAt = now + BusyInterval;
        }

        // A write that fails must be seen, and tried again.
        if (_writeAt == TimeSpan.MaxValue && !_writing.IsCompleted && now + BusyInterval < next) return now + BusyInterval;
        return _writeAt < next ? _writeAt : next;
    }

    /// <summary>Writes everything and waits for the disk, also for a <see cref="CompleteAsync"/> under way: the server stops.</summary>
    public void Flush(TimeSpan now)
    {
        _writing.GetAwaiter().GetResult();
        if (_completed) return;
        FlushStreams(now);
        Follow(now);
        BeginWrite();
        _writing.GetAwaiter().GetResult();
        Reap();
    }

    /// <summary>
    /// The crash is over: the returned task ends when the last <c>log</c> is on disk and the working files are gone, with the failure if it
    /// could not be written (then they stay). Nothing is taken after this call.
    /// </summary>
    /// <param name="now">Monotonic time.</param>
    /// <param name="mayGoOn">Keeps the working files: the client may come back, and the log then begins with what there is.</param>
    public async Task<Exception?> CompleteAsync(TimeSpan now, bool mayGoOn = false)
    {
        FlushStreams(now);
        Follow(now);
        _completed = true;
        Save();
        byte[] content = _text.Render();
        Task<Exception?> before = _writing;
        _writing = Task.Run(async () =>
        {
            await before;
            return Write(content, last: !mayGoOn);
        });
        return await _writing;
    }

    /// <summary>Takes over what the host's console has said since: the dead kernel's last records on their way, and the capture kernel's own.</summary>
    private void Follow(TimeSpan now)
    {
        _followAt = now + WriteInterval;
        _console.Flush();
        if (_boot?.Read() is { Count: > 0 } late)
        {
            foreach (JournalEntry entry in late) TakeOver(entry);
            Remember(_boot);
            _dirty = true;
        }

        if (_captureConsole?.Read() is not { Count: > 0 } said) return;
        long oldest = (_console.Time.GetUtcNow() - CaptureAge - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        foreach (JournalEntry entry in said)
            if (entry.At >= oldest) TakeCapture(entry);
        Remember(_captureConsole);
    }

    private void TakeOver(in JournalEntry entry)
    {
        Replay(entry);
        Journal.Write(_unsaved, entry.Kind, entry.Port, entry.At, entry.Value, entry.Payload.Span);
    }

    private void Remember(JournalTail tail) =>
        Journal.Write(_unsaved, JournalKind.Followed, 0, tail.First, (ulong)tail.Offset, System.Text.Encoding.ASCII.GetBytes(tail.Name));

    private void FlushStreams(TimeSpan now)
    {
        foreach ((ushort port, ConsoleStream stream) in _streams)
        {
            _port = port;
            stream.Flush(now, _sink);
        }
    }

    private ConsoleStream? StreamOf(ushort port)
    {
        if (_streams.TryGetValue(port, out ConsoleStream? stream)) return stream;
        if (_streams.Count >= MaximumStreams) return null;
        stream = new ConsoleStream(_workspace, twoKernels: true);
        _streams.Add(port, stream);
        return stream;
    }

    private void Take(in ConsoleRecord record)
    {
        if (record.IsCapture)
        {
            TakeCapture(record);
            return;
        }

        JournalKind kind = record.Kind switch
        {
            ConsoleRecordKind.Extended => JournalKind.Dead,
            ConsoleRecordKind.Text => JournalKind.SessionText,
            _ => JournalKind.SessionLoss,
        };
        bool changed = true;
        if (kind == JournalKind.Dead)
        {
            changed = _text.AddRecord(
                RecordOrigin.DeadKernel, record.Sequence, record.Microseconds ?? 0, record.Text, record.IsPartial);
        }
        else
        {
            _text.AddSession(record.Text, isLoss: kind == JournalKind.SessionLoss);
        }

        if (!changed) return;
        _dirty = true;
        if (_unsaved.WrittenCount < MaximumUnsaved)
            Journal.Write(_unsaved, kind, _port, 0, record.IsPartial ? 1 : record.Lost, record.Raw);
    }

    private void TakeCapture(in ConsoleRecord record)
    {
        // Our client sends the capture kernel's records; they may have come by its own netconsole before.
        if (_captureSeen.Add(record.Sequence)) ShowCapture(record.Microseconds, record.Text);
    }

    private void TakeCapture(in JournalEntry entry)
    {
        ReadOnlySpan<byte> payload = entry.Payload.Span;
        if (entry.Kind != JournalKind.Extended)
        {
            ShowCapture(null, payload);
        }
        else if (ExtendedRecord.TryParse(payload, out ExtendedRecord record) && _captureSeen.Add(record.Sequence))
        {
            byte[] text = new byte[record.EscapedText.Length];
            ShowCapture(record.Microseconds, text.AsSpan(0, EscapedText.Unescape(record.EscapedText, text)));
        }
    }

    private void ShowCapture(ulong? microseconds, ReadOnlySpan<byte> text)
    {
        if (_captureLength + _capture.WrittenCount > MaximumCapture) return;
        ConsoleText.Render(_capture, microseconds, text);
        if (_captureLength + _capture.WrittenCount > MaximumCapture) _capture.Write("[… the rest is left out: capture.log has reached 4 MiB …]\n"u8);
        _dirty = true;
    }

    private void Replay(in JournalEntry entry)
    {
        ReadOnlySpan<byte> payload = entry.Payload.Span;
        switch (entry.Kind)
        {
            case JournalKind.Extended or JournalKind.Dead when ExtendedRecord.TryParse(payload, out ExtendedRecord record):
                byte[] text = new byte[record.EscapedText.Length];
                int length = EscapedText.Unescape(record.EscapedText, text);
                RecordOrigin origin = entry.Kind == JournalKind.Dead ? RecordOrigin.DeadKernel : RecordOrigin.Console;
                _text.AddRecord(origin, record.Sequence, record.Microseconds, text.AsSpan(0, length), partial: entry.Value > 0);
                break;
            case JournalKind.Line:
                _text.AddLine(payload, entry.Port);
                break;
            case JournalKind.Text:
                _text.AddText(payload);
                break;
            case JournalKind.Loss:
                _text.AddLoss(payload);
                break;
            case JournalKind.Followed:
                JournalTail? tail = payload.SequenceEqual("boot"u8) ? _boot : _captureConsole;
                tail?.Restore(entry.At, (long)Math.Min(entry.Value, long.MaxValue));
                break;
            case JournalKind.SessionText or JournalKind.SessionLoss:
                _text.AddSession(payload, isLoss: entry.Kind == JournalKind.SessionLoss);
                break;
            default:
                break; // a boot's head, or an entry of a later version
        }
    }
}
