using System.Globalization;
using System.Text;
using Netdump.Vmcore.Log;

namespace Netdump.Kernel.Incidents;

/// <summary>One line of a kernel's log, without what stands before its text.</summary>
/// <param name="Text">The text; leading spaces are kept, they tell frames from other lines.</param>
/// <param name="Time">Time since boot, or null when the line does not say.</param>
/// <param name="Level">syslog level 0-7, or -1 when the line does not say.</param>
/// <param name="Facility">syslog facility; 0 is the kernel's own, any other was written by a program through /dev/kmsg.</param>
/// <param name="Context">
/// Who printed it: <c>T12</c> a thread, <c>C0</c> a CPU, <c>-</c> a kernel that does not say, and empty for text without the kernel's prefix. A
/// report's lines share a context: that keeps apart what two CPUs print at the same time.
/// </param>
public readonly record struct ConsoleLine(string Text, TimeSpan? Time, int Level, int Facility, string Context)
{
    /// <summary>The longest text that is kept, in characters; a kernel's own record is at most 1,024 bytes.</summary>
    public const int MaximumLength = 4096;

    /// <summary>The context of a line with the kernel's prefix but no caller in it.</summary>
    public const string AnyCaller = "-";

    /// <summary>Takes a line apart as it stands in the output of dmesg, on a serial console, or in either format of netconsole.</summary>
    /// <param name="line">The line without its newline; anything at all.</param>
    public static ConsoleLine Parse(ReadOnlySpan<char> line)
    {
        line = line.TrimEnd('\r');
        if (line.Length > MaximumLength)
            line = line[..MaximumLength];
        if (line is [>= '0' and <= '9', ..] && ExtendedLine.TryParse(line, out ConsoleLine extended))
            return extended;
        LinePrefix.Take(ref line, out TimeSpan? time, out int priority, out string context);
        return new(line.ToString(), time, priority < 0 ? -1 : priority & 7, priority < 0 ? 0 : priority >> 3, context);
    }

    /// <summary>The lines of records out of a dump; a record with newlines inside is several.</summary>
    public static IEnumerable<ConsoleLine> Of(IEnumerable<LogRecord> records)
    {
        foreach (LogRecord record in records)
        {
            string text = Encoding.UTF8.GetString(record.Text.Span);
            var time = TimeSpan.FromTicks((long)Math.Min(record.Nanoseconds / 100, long.MaxValue));
            string context = record.Caller ?? AnyCaller;
            if (!text.Contains('\n'))
            {
                yield return new(Cut(text), time, record.Level, record.Facility, context);
                continue;
            }
            foreach (string part in text.Split('\n'))
                yield return new(Cut(part), time, record.Level, record.Facility, context);
        }
    }

    /// <summary>The lines of a text.</summary>
    public static IEnumerable<ConsoleLine> Of(TextReader reader)
    {
        var line = new char[MaximumLength + 1];
        int length = 0;
        var block = new char[16 << 10];
        while (reader.ReadBlock(block) is > 0 and var count)
        {
            for (int at = 0; at < count;)
            {
                int end = block.AsSpan(at, count - at).IndexOf('\n');
                ReadOnlySpan<char> piece = block.AsSpan(at, end < 0 ? count - at : end);
                int kept = Math.Min(piece.Length, line.Length - length); // a line without end costs no memory
                piece[..kept].CopyTo(line.AsSpan(length));
                length += kept;
                at += piece.Length + 1;
                if (end < 0)
                    break;
                yield return Parse(line.AsSpan(0, length));
                length = 0;
            }
        }
        if (length > 0)
            yield return Parse(line.AsSpan(0, length));
    }

    private static string Cut(string text) => text.Length <= MaximumLength ? text : text[..MaximumLength];

    internal static TimeSpan? Seconds(ReadOnlySpan<char> text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out double seconds)
        && seconds < 1e10 ? TimeSpan.FromTicks((long)(seconds * TimeSpan.TicksPerSecond)) : null;
}
