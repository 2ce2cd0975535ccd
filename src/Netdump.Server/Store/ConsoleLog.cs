using System.Buffers;
using System.Net;
using Netdump.Protocols.NetConsole;

namespace Netdump.Server.Store;

/// <summary>
/// The console of one host: <c>console/HOST/yyyy-MM-dd.log</c> (local date; rendered text, all that came) and
/// <c>console/HOST/boot</c> with <c>boot.1</c> before it (what the present boot sent, as received, at most 8 MiB), from which the log of a
/// crash is made; <c>console/HOST/capture</c> is what a capture kernel said after it, at most 4 MiB. Writes are gathered: call <see cref="Flush"/> at least every 200 ms. Lane-owned, not thread-safe.
/// </summary>
public sealed class ConsoleLog
{
    /// <summary>Gathered bytes after which <see cref="NeedsFlush"/> asks to be written at once.</summary>
    public const int FlushBytes = 64 * 1024;

    private const int HeldLimit = 128 * 1024;
    private const int BufferKept = 16 * 1024;
    private const long HalfOfBoot = 4 * 1024 * 1024;
    private const long CaptureLimit = 4 * 1024 * 1024;
    internal const string BootName = "boot";
    private const string OlderName = "boot.1";
    internal const string CaptureName = "capture";
    internal const string OwnerName = "machine";

    private readonly ConsoleFiles _files;
    private readonly HostBoot _boot = new();
    private ArrayBufferWriter<byte> _text = new();
    private ArrayBufferWriter<byte> _journal = new();
    private ArrayBufferWriter<byte> _capture = new();
    private readonly string _directory;
    private readonly string _bootPath;
    private readonly string _olderPath;
    private readonly string _capturePath;
    private string? _textPath;
    private DateTime _day;
    private string? _owner;
    private long _held;
    private bool _captureBegan;
    private bool _loaded;
    private bool _bootBegins;
    private bool _lineOpen;
    private bool _failing;
    private ulong _refused;
    private TimeSpan _writtenEpoch = TimeSpan.MaxValue;

    /// <summary>The console of one address, or of a further machine behind it. Touches no disk until something is written or read.</summary>
    public ConsoleLog(ConsoleFiles files, IPAddress address, string machine = "")
    {
        _files = files;
        _directory = files.PathOf(address, machine);
        _bootPath = Path.Combine(_directory, BootName);
        _olderPath = Path.Combine(_directory, OlderName);
        _capturePath = Path.Combine(_directory, CaptureName);
        Address = address;
    }

    /// <summary>
    /// Whether this console may be a machine's: the first that names itself at an address has the address's own console, for good.
    /// Remembered in the file <c>machine</c>.
    /// </summary>
    /// <param name="machine">Name as userdata gave it, fit for a file name.</param>
    public bool Claim(string machine)
    {
        try
        {
            string path = Path.Combine(_directory, OwnerName);
            _owner ??= File.Exists(path) ? File.ReadAllText(path) : null;
            if (_owner is not null) return _owner == machine;
            _owner = machine;
            if (!Directory.Exists(_directory)) _files.MakeDirectory(_directory);
            using FileStream file = new(path, CrashStore.NewFile());
            file.Write(System.Text.Encoding.ASCII.GetBytes(machine));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _owner = machine; // told when the console cannot be written either
        }

        return true;
    }

    /// <summary>Whose console it is.</summary>
    public IPAddress Address { get; }

    /// <summary>Whether something waits to be written.</summary>
    public bool IsDirty => Gathered > 0 || _bootBegins;

    /// <summary>Whether so much waits that it should be written now.</summary>
    public bool NeedsFlush => !_failing && Gathered >= FlushBytes;

    private int Gathered => _text.WrittenCount + _journal.WrittenCount + _capture.WrittenCount;

    internal ILogger Log => _files.Log;

    internal TimeProvider Time => _files.Time;

    /// <summary>Takes a record. True when a new boot of the host begins with it.</summary>
    /// <param name="record">As a stream of this host delivered it.</param>
    /// <param name="watch">What that stream knows of its boot.</param>
    /// <param name="port">The stream's UDP port.</param>
    /// <param name="now">Monotonic time.</param>
    public bool Add(in ConsoleRecord record, BootWatch watch, ushort port, TimeSpan now)
    {
        Load(now);
        bool fresh = !record.IsCapture && _boot.Observe(record, watch, now);
        if (fresh) BeginBoot();
        if (Gathered > HeldLimit || _files.Held > ConsoleFiles.MaximumHeld)
        {
            _refused++; // the disk takes nothing, and memory has its bounds
            return fresh;
        }

        if (record.IsCapture && !_captureBegan) BeginCapture();
        if (!record.IsCopy) Render(record);
        Keep(record.IsCapture ? _capture : _journal, record, port, now);
        CountHeld();
        return fresh;
    }

    /// <summary>Gathers a record as received.</summary>
    private void Keep(ArrayBufferWriter<byte> journal, in ConsoleRecord record, ushort port, TimeSpan now)
    {
        JournalKind kind = record.Kind switch
        {
            ConsoleRecordKind.Extended => JournalKind.Extended,
            ConsoleRecordKind.Line => JournalKind.Line,
            ConsoleRecordKind.Text => JournalKind.Text,
            _ => JournalKind.Loss,
        };
        Journal.Write(journal, kind, port, _files.WallAt(now), record.IsPartial ? 1 : record.Lost, record.Raw);
    }

    /// <summary>Writes what has been gathered. A failure is logged once; the data is held (128 KiB at most) and tried again.</summary>
    public void Flush()
    {
        if (!IsDirty) return;
        try
        {
            if (_text.WrittenCount > 0)
            {
                _files.Append(TextPath(), _text.WrittenSpan);
                Clear(ref _text);
            }

            FlushJournal();
            FlushCapture();
            _failing = false;
            if (_refused > 0) MarkRefused();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!_failing) Server.Log.ConsoleNotWritten(_files.Log, Address, e.Message);
            _failing = true;
        }

        CountHeld();
    }

    /// <summary>Everything the present boot sent, oldest first.</summary>
    /// <param name="now">Monotonic time.</param>
    /// <param name="tail">Yields what this boot sends from now on; null when it has sent nothing yet, or the disk takes nothing.</param>
    internal List<JournalEntry> ReadBoot(TimeSpan now, out JournalTail? tail)
    {
        Load(now);
        Flush();
        tail = null;
        List<JournalEntry> entries = Journal.Read(_olderPath);
        List<JournalEntry> newest = Journal.Read(_bootPath);
        entries.AddRange(newest);
        if (_journal.WrittenCount == 0)
        {
            if (newest.Count == 0) return entries;
            tail = TailOfBoot();
            tail.Restore(newest[0].At, Journal.LengthOf(newest));
            return entries;
        }

        // The disk refuses: what is held counts as well.
        byte[] held = [.. Journal.Signature, .. _journal.WrittenSpan];
        entries.AddRange(Journal.Parse(held));
        return entries;
    }

    /// <summary>What the log of a crash begins with and follows. May be used on another thread from then on, but for its flush.</summary>
    /// <param name="now">Monotonic time.</param>
    internal ConsoleView View(TimeSpan now)
    {
        List<JournalEntry> said = ReadBoot(now, out JournalTail? boot);
        return new ConsoleView(Address, said, boot, TailOfBoot(), new JournalTail(_capturePath), _files.Time, _files.Log) { Flush = Flush };
    }

    private JournalTail TailOfBoot() => new(_bootPath);

    private string TextPath()
    {
        DateTime day = _files.Time.GetLocalNow().Date;
        if (day != _day || _textPath is null)
        {
            if (_textPath is not null) _files.Close(_textPath);
            _textPath = Path.Combine(_directory, $"{day:yyyy-MM-dd}.log");
            _day = day;
        }

        return _textPath;
    }

    private void CountHeld()
    {
        long held = IsDirty ? _text.Capacity + _journal.Capacity + _capture.Capacity : 0;
        _files.Held += held - _held;
        _held = held;
    }

    private long Wall() => (_files.Time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private void BeginBoot()
    {
        if (_lineOpen) _text.Write("\n"u8);
        _lineOpen = false;
        _text.Write("-- boot --\n"u8);
        _journal.ResetWrittenCount();
        _capture.ResetWrittenCount();
        _captureBegan = false;
        _bootBegins = true;
        _writtenEpoch = TimeSpan.MaxValue;
    }

    private void BeginCapture()
    {
        _captureBegan = true;
        if (_lineOpen) _text.Write("\n"u8);
        _lineOpen = false;
        _text.Write("-- capture kernel --\n"u8);
    }

    private void Render(in ConsoleRecord record)
    {
        if (_lineOpen && record.Kind != ConsoleRecordKind.Text)
        {
            _text.Write("\n"u8);
            _lineOpen = false;
        }

        switch (record.Kind)
        {
            case ConsoleRecordKind.Extended:
                ConsoleText.Render(_text, record.Microseconds, record.Text);
                break;
            case ConsoleRecordKind.Text:
                RenderPiece(record.Text);
                break;
            default:
                ConsoleText.Render(_text, null, record.Raw);
                break;
        }
    }

    /// <summary>Classic text comes in pieces that are no lines: a line stays open until its newline comes.</summary>
    private void RenderPiece(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            int newline = text.IndexOf((byte)'\n');
            ConsoleText.WriteVisible(_text, newline < 0 ? text : text[..newline]);
            _lineOpen = newline < 0;
            if (newline < 0) return;
            _text.Write("\n"u8);
            text = text[(newline + 1)..];
        }
    }

    private void FlushJournal()
    {
        if (_bootBegins)
        {
            _files.Close(_bootPath);
            _files.Close(_capturePath);
            if (Directory.Exists(_directory))
            {
                File.Delete(_olderPath);
                File.Delete(_bootPath);
                File.Delete(_capturePath);
            }

            _bootBegins = false;
        }

        bool epochImproved = _boot.Epoch != TimeSpan.MaxValue && _boot.Epoch < _writtenEpoch - TimeSpan.FromSeconds(1);
        if (_journal.WrittenCount == 0 && !epochImproved) return;
        ConsoleFiles.FileEnd end = _files.EndOf(_bootPath);
        if (end.Length + _journal.WrittenCount > HalfOfBoot)
        {
            _files.Close(_bootPath);
            File.Move(_bootPath, _olderPath, overwrite: true);
            end = _files.EndOf(_bootPath);
        }

        if (end.Length == 0 || epochImproved)
        {
            ArrayBufferWriter<byte> head = new();
            if (end.Length == 0) head.Write(Journal.Signature);
            Journal.Write(head, JournalKind.Boot, 0, Wall(), EpochOnWall(), _boot.Id);
            end = ConsoleFiles.Append(end, head.WrittenSpan);
            _writtenEpoch = _boot.Epoch;
        }

        _ = ConsoleFiles.Append(end, _journal.WrittenSpan);
        Clear(ref _journal);
    }

    private void FlushCapture()
    {
        if (_capture.WrittenCount == 0) return;
        ConsoleFiles.FileEnd end = _files.EndOf(_capturePath);
        if (end.Length == 0) end = ConsoleFiles.Append(end, Journal.Signature);
        if (end.Length + _capture.WrittenCount <= CaptureLimit) _ = ConsoleFiles.Append(end, _capture.WrittenSpan);
        Clear(ref _capture);
    }

    private ulong EpochOnWall() => _boot.Epoch == TimeSpan.MaxValue
        ? 0
        : (ulong)Math.Max(0, Wall() - ((_boot.Now - _boot.Epoch).Ticks / TimeSpan.TicksPerMicrosecond));

    /// <summary>Goes on with the boot that an earlier run of the server was receiving.</summary>
    private void Load(TimeSpan now)
    {
        if (_loaded) return;
        _loaded = true;
        List<JournalEntry> entries = Journal.Read(_bootPath);
        try
        {
            if (entries.Count == 0)
            {
                // A power cut tore the first entry of a file just begun: the boot goes on in the one before it.
                entries = Journal.Read(_olderPath);
                if (entries.Count > 0) File.Move(_olderPath, _bootPath, overwrite: true);
            }

            if (entries.Count > 0) _ = Journal.PrepareToAppend(_bootPath, entries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Told when the next record cannot be written either.
        }

        if (entries.Count == 0) return;
        ulong last = 0;
        JournalEntry boot = default;
        foreach (JournalEntry entry in entries)
        {
            if (entry.Kind == JournalKind.Boot) boot = entry;
            if (entry.Kind == JournalKind.Extended && ExtendedRecord.TryParse(entry.Payload.Span, out ExtendedRecord record))
                last = Math.Max(last, record.Microseconds);
        }

        TimeSpan epoch = boot.Value == 0 || boot.Value > (ulong)Wall() ? TimeSpan.MaxValue : now - TimeSpan.FromMicroseconds(Wall() - (long)boot.Value);
        _boot.Restore(boot.Payload.ToArray(), epoch, last, now);
        _writtenEpoch = epoch;
    }

    private void MarkRefused()
    {
        ArrayBufferWriter<byte> marker = new();
        LossMarker.Write(marker, _refused, "records"u8);
        ConsoleText.Render(_text, null, marker.WrittenSpan);
        Journal.Write(_journal, JournalKind.Loss, 0, Wall(), _refused, marker.WrittenSpan);
        _refused = 0;
    }

    private static void Clear(ref ArrayBufferWriter<byte> buffer)
    {
        if (buffer.Capacity > BufferKept) buffer = new ArrayBufferWriter<byte>();
        else buffer.ResetWrittenCount();
    }
}
