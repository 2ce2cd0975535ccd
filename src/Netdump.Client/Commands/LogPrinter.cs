using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Netdump.Protocols.NetConsole;
using Netdump.Vmcore.Log;

namespace Netdump.Client.Commands;

/// <summary>How a log is printed.</summary>
internal enum LogFormat
{
    /// <summary>As the kernel's own dmesg.</summary>
    Dmesg,

    /// <summary>As makedumpfile --dump-dmesg.</summary>
    Makedumpfile,

    /// <summary>As crash's <c>log</c>.</summary>
    Crash,

    /// <summary>JSON lines.</summary>
    Json,
}

/// <summary>Prints records of a log in one of its forms.</summary>
/// <param name="format">The form.</param>
/// <param name="decode">Whether the form of dmesg shows facility, level and caller.</param>
/// <param name="machine">The dumped machine.</param>
internal sealed class LogPrinter(LogFormat format, bool decode, ushort machine)
{
    private static readonly string[] Levels = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

    private static readonly string[] Facilities =
    [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
        "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ];

    private const byte ContinuationFlag = 8; // LOG_CONT

    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly ArrayBufferWriter<byte> _lines = new();

    /// <summary>With dates instead of seconds: when the kernel booted.</summary>
    public DateTimeOffset? Booted { get; init; }

    /// <summary>Whether each line has its level, <c>&lt;5&gt;</c>.</summary>
    public bool WithLevel { get; init; }

    /// <summary>One record: a line, or several; empty where the form leaves the record out. Valid until the next call.</summary>
    public ReadOnlySpan<byte> Print(in LogRecord record)
    {
        _line.ResetWrittenCount();
        switch (format)
        {
            case LogFormat.Makedumpfile:
                ToolLogText.WriteMakedumpfile(_line, record, machine);
                break;
            case LogFormat.Crash:
                ToolLogText.WriteCrash(_line, record, Booted, WithLevel);
                break;
            case LogFormat.Json:
                WriteJson(record);
                break;
            default:
                WriteDmesg(record);
                break;
        }
        return _line.WrittenSpan;
    }

    private void WriteDmesg(in LogRecord record)
    {
        _lines.ResetWrittenCount();
        ConsoleText.Render(_lines, record.Nanoseconds / 1000, record.Text.Span);
        var mark = record.Damage switch
        {
            RecordDamage.Cut => "<the rest of this record is lost>",
            RecordDamage.Lost => "<this record's text is lost>",
            RecordDamage.Uncommitted => "<its writer never finished this record>",
            _ => null,
        };
        var lines = _lines.WrittenSpan[..^1]; // without the last newline
        foreach (var range in lines.Split((byte)'\n'))
        {
            var line = lines[range];
            if (range.Start.Value > 0)
                _line.Write("\n"u8);
            var afterTime = line.IndexOf((byte)']') + 2;
            if (decode)
                Write($"{NameOf(Facilities, record.Facility),-6}:{NameOf(Levels, record.Level),-6}: ");
            if (Booted is { } booted)
                Write(ToolLogText.Date(record, booted));
            else
                _line.Write(line[..afterTime]);
            if (WithLevel)
                Write($"<{record.Level}>");
            if (decode && record.Caller is { } caller)
                Write($"[{caller,6}] ");
            _line.Write(line[afterTime..]);
        }
        if (mark is not null)
            Write(record.Text.IsEmpty ? mark : $" {mark}");
        _line.Write("\n"u8);
    }

    private void WriteJson(LogRecord record)
    {
        using (var json = new Utf8JsonWriter(_line))
        {
            json.WriteStartObject();
            json.WriteNumber("sequence", record.Sequence);
            json.WriteNumber("nanoseconds", record.Nanoseconds);
            json.WriteNumber("facility", record.Facility);
            json.WriteNumber("level", record.Level);
            if (record.Caller is { } caller)
                json.WriteString("caller", caller);
            if ((record.Flags & ContinuationFlag) != 0)
                json.WriteBoolean("may_continue", true);
            json.WriteString("text", Encoding.UTF8.GetString(record.Text.Span)); // what is no UTF-8 becomes U+FFFD
            if (record.Subsystem is not null)
                json.WriteString("subsystem", record.Subsystem);
            if (record.Device is not null)
                json.WriteString("device", record.Device);
            if (record.Damage != RecordDamage.None)
                json.WriteString("damage", record.Damage.ToString().ToLowerInvariant());
            json.WriteEndObject();
        }
        _line.Write("\n"u8);
    }

    private static string NameOf(string[] names, int number) => number < names.Length ? names[number] : number.ToString(CultureInfo.InvariantCulture);

    private void Write(string text) => Encoding.UTF8.GetBytes(text, _line);
}
