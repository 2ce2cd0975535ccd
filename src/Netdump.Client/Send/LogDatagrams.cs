using System.Buffers;
using System.Text;
using Netdump.Protocols.Classic;
using Netdump.Protocols.NetConsole;
using Netdump.Vmcore.Log;

namespace Netdump.Client.Send;

/// <summary>
/// The logs of a dump as datagrams: the dead kernel's, once, as extended netconsole records with its own sequence numbers to a server of
/// ours and as LOG pieces to any other; and the capture kernel's own messages, to a server of ours alone.
/// </summary>
internal sealed class LogDatagrams : IDisposable
{
    /// <summary>Most bytes of a record of /dev/kmsg (CONSOLE_EXT_LOG_MAX).</summary>
    internal const int LongestMessage = 8192;
    private readonly DumpSource _source;
    private readonly ClassicClientSession _session;
    private readonly CaptureMessageReader? _captureMessages;
    private readonly Func<IEnumerable<string>>? _makeState;
    private readonly ExtendedRecordWriter _writer = new();
    private readonly ArrayBufferWriter<byte> _text = new();
    private readonly byte[] _message = new byte[LongestMessage];
    private IEnumerator<LogRecord>? _dead;
    private IEnumerator<string>? _state;
    private bool _asRecords;
    private int _textSent;

    public LogDatagrams(DumpSource source, ClassicClientSession session, SendOptions options)
    {
        _source = source;
        _session = session;
        _captureMessages = options.CaptureMessages;
        _makeState = options.State;
    }

    /// <summary>Whether the dead kernel's log was begun: then it is not sent again, however often the handshake repeats.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether the dead kernel's log was begun and all of it was taken.</summary>
    public bool IsDeadLogDone => HasBegun && _dead is null;

    /// <summary>Whether the text for SHOW_STATE was taken, or was never begun.</summary>
    public bool IsStateDone => _state is null && _textSent == _text.WrittenCount;

    /// <summary>Begins the text for SHOW_STATE, which comes behind the dead kernel's log.</summary>
    public void BeginState()
    {
        _state?.Dispose();
        _state = _makeState?.Invoke().GetEnumerator();
    }

    /// <summary>Begins the dead kernel's log.</summary>
    /// <param name="asRecords">As extended records, else as LOG pieces.</param>
    public void Begin(bool asRecords)
    {
        HasBegun = true;
        _asRecords = asRecords;
        _dead = _source.ReadLog().GetEnumerator();
    }

    /// <summary>Writes the next datagram.</summary>
    /// <param name="destination">Takes any datagram of the protocol.</param>
    /// <param name="length">Its length.</param>
    /// <returns>False when there is none now.</returns>
    public bool TryTake(Span<byte> destination, out int length)
    {
        while (true)
        {
            if (_writer.TryTake(destination, out length))
                return true;
            if (_textSent < _text.WrittenCount)
            {
                length = _session.WriteLog(destination, _text.WrittenSpan[_textSent..], out var consumed);
                _textSent += consumed;
                if (length > 0)
                    return true;
                continue;
            }
            if (_dead is not null)
                NextDeadRecord();
            else if (_state is null)
                break;
            else
                NextState();
        }
        return NextCaptureMessage() && _writer.TryTake(destination, out length);
    }

    public void Dispose()
    {
        _dead?.Dispose();
        _state?.Dispose();
    }

    private void NextState()
    {
        _text.ResetWrittenCount();
        _textSent = 0;
        try
        {
            // Lines of several tasks in a datagram: fewer of them are lost less often.
            while (_text.WrittenCount < _session.LogPieceSize && _state!.MoveNext())
                Encoding.UTF8.GetBytes(_state.Current, _text);
            if (_text.WrittenCount > 0)
                return;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            // The dead kernel's memory may hold anything; its dump is worth more than its state.
            Encoding.UTF8.GetBytes($"netdump: the list of tasks ends here: {failure.Message}\n", _text);
        }
        _state!.Dispose();
        _state = null;
    }

    private void NextDeadRecord()
    {
        if (!_dead!.MoveNext())
        {
            _dead.Dispose();
            _dead = null;
            return;
        }
        var record = _dead.Current;
        if (_asRecords)
        {
            DeadLog.Begin(_writer, record);
            return;
        }
        _text.ResetWrittenCount();
        _textSent = 0;
        // Pieces of many lines: an original client's printk is not a line either, and fewer packets are lost less often.
        do
        {
            ConsoleText.Render(_text, _dead.Current.Nanoseconds / 1000, _dead.Current.Text.Span);
        }
        while (_text.WrittenCount < _session.LogPieceSize && _dead.MoveNext());
    }

    private bool NextCaptureMessage()
    {
        if (_captureMessages is null || !_session.Extension)
            return false;
        while (_captureMessages(_message) is > 0 and var got)
        {
            // What /dev/kmsg gives is an extended record but for its closing newline.
            var bytes = _message.AsSpan(0, got).TrimEnd((byte)'\n');
            if (!ExtendedRecord.TryParse(bytes, out var record))
                continue;
            Span<byte> text = stackalloc byte[record.EscapedText.Length];
            text = text[..EscapedText.Unescape(record.EscapedText, text)];
            _writer.Begin(record.Priority, record.Sequence, record.Microseconds, text, record.Flag);
            foreach (var line in record.Lines)
                _writer.AddUserData(line.Key, line.Value); // escaped already
            _writer.AddUserData("NETDUMP"u8, "capture"u8);
            return true;
        }
        return false;
    }
}
