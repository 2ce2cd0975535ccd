using System.Buffers;
using System.Globalization;
using System.Text;

namespace Netdump.Vmcore.Log;

/// <summary>Records as other tools print them, byte for byte, for those who compare or have scripts that read them.</summary>
/// <remarks>Both leave out records that have no block for a text, but print an empty one; neither escapes a backslash: the text forms are ambiguous.</remarks>
public static class ToolLogText
{
    private const int CallerWidth = 8;

    /// <summary>As <c>makedumpfile --dump-dmesg</c> (1.7.5 and later) prints a record.</summary>
    /// <param name="output">Receives the line or lines.</param>
    /// <param name="record">The record.</param>
    /// <param name="machine">The dumped machine (<see cref="Machines"/>): the tool runs there, and its char is signed on x86_64 and not on arm64.</param>
    public static void WriteMakedumpfile(IBufferWriter<byte> output, in LogRecord record, ushort machine)
    {
        if (!HasText(record))
            return;
        var prefix = Time(record);
        if (record.Caller is { } caller)
            prefix += $"[{caller,CallerWidth}] ";
        Write(output, prefix, record.Text.Span, machine == Machines.Arm64 ? static b => $"\\x{b:x2}" : static b => $"\\x{(int)(sbyte)b:x2}");
    }

    /// <summary>As crash's command <c>log</c> prints a record.</summary>
    /// <param name="output">Receives the line or lines.</param>
    /// <param name="record">The record.</param>
    /// <param name="booted">With dates, as <c>log -T</c>: when the kernel booted, UTC. Null: with seconds since then.</param>
    /// <param name="level">With levels, as <c>log -m</c>.</param>
    public static void WriteCrash(IBufferWriter<byte> output, in LogRecord record, DateTimeOffset? booted = null, bool level = false)
    {
        if (!HasText(record))
            return;
        var prefix = booted is { } at ? Date(record, at) : Time(record);
        if (level)
            prefix += $"<{record.Level}>";
        Write(output, prefix, record.Text.Span, static _ => ".");
    }

    /// <summary>A record's date in whole seconds, as crash prints it: <c>[Mon Nov 23 02:41:46 UTC 2026] </c>.</summary>
    /// <param name="record">The record.</param>
    /// <param name="booted">When the kernel booted, UTC.</param>
    public static string Date(in LogRecord record, DateTimeOffset booted)
    {
        // A stamp that no kernel gives must not lead behind the last day there is.
        var since = (long)(record.Nanoseconds / 100);
        var at = since < DateTimeOffset.MaxValue.UtcTicks - booted.UtcTicks ? booted.ToUniversalTime().AddTicks(since) : DateTimeOffset.MaxValue;
        return string.Create(CultureInfo.InvariantCulture, $"[{at:ddd MMM} {at.Day,2} {at:HH:mm:ss} UTC {at:yyyy}] ");
    }

    private static bool HasText(in LogRecord record) => !record.Text.IsEmpty || (record.HasBlock && record.Damage == RecordDamage.None);

    private static void Write(IBufferWriter<byte> output, string prefix, ReadOnlySpan<byte> text, Func<byte, string> escape)
    {
        Encoding.ASCII.GetBytes(prefix, output);
        foreach (var value in text)
        {
            if (value == '\n')
            {
                output.Write("\n"u8);
                output.GetSpan(prefix.Length)[..prefix.Length].Fill((byte)' ');
                output.Advance(prefix.Length);
            }
            else if (value is >= 0x20 and < 0x7f or (byte)'\t' or 0x0b or 0x0c or (byte)'\r')
                output.Write([value]);
            else
                Encoding.ASCII.GetBytes(escape(value), output);
        }
        output.Write("\n"u8);
    }

    private static string Time(in LogRecord record) =>
        string.Create(CultureInfo.InvariantCulture, $"[{record.Nanoseconds / 1_000_000_000,5}.{record.Nanoseconds / 1000 % 1_000_000:d6}] ");
}
