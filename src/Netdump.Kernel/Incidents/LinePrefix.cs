using System.Buffers;
using System.Globalization;

namespace Netdump.Kernel.Incidents;

/// <summary>What stands before the text of a line on a console, in dmesg's output and in a syslog file.</summary>
internal static class LinePrefix
{
    private static readonly SearchValues<char> TimeLetters = SearchValues.Create("0123456789.");

    private const int FarthestSyslogTag = 80; // date, host name and "kernel:"

    /// <summary>Takes the prefix off.</summary>
    /// <param name="line">The line; on return its text.</param>
    /// <param name="time">Time since boot, when the prefix says it.</param>
    /// <param name="priority">facility × 8 + level, or -1.</param>
    /// <param name="context">See <see cref="ConsoleLine.Context"/>.</param>
    public static void Take(ref ReadOnlySpan<char> line, out TimeSpan? time, out int priority, out string context)
    {
        ReadOnlySpan<char> rest = line;
        TakeDropped(ref rest);
        TakeLogin(ref rest);
        priority = TakePriority(ref rest);
        if (priority < 0)
            priority = TakeDecoded(ref rest);
        if (TakeTimes(ref rest, out time, out context) || TakeSyslog(ref rest, ref time, out context))
        {
            line = rest;
            return;
        }
        context = priority >= 0 ? ConsoleLine.AnyCaller : "";
        if (priority >= 0)
            line = rest;
    }

    // "** 12 printk messages dropped ** "
    private static void TakeDropped(ref ReadOnlySpan<char> line)
    {
        const string End = " printk messages dropped ** ";
        if (!line.StartsWith("** "))
            return;
        int end = line.IndexOf(End, StringComparison.Ordinal);
        if (end > 0)
            line = line[(end + End.Length)..];
    }

    // "host login: [    1.000000] ...": a message that came while the console waited for a user.
    private static void TakeLogin(ref ReadOnlySpan<char> line)
    {
        const string End = " login: ";
        int end = line.IndexOf(End, StringComparison.Ordinal);
        if (end >= 0 && line[(end + End.Length)..] is ['[' or '<', ..])
            line = line[(end + End.Length)..];
    }

    private static int TakePriority(ref ReadOnlySpan<char> line)
    {
        if (line is not ['<', >= '0' and <= '9', ..])
            return -1;
        int end = line[..Math.Min(line.Length, 6)].IndexOf('>');
        if (end < 0 || !int.TryParse(line[1..end], NumberStyles.None, CultureInfo.InvariantCulture, out int priority))
            return -1;
        line = line[(end + 1)..];
        return priority;
    }

    // "kern  :err   : [" as dmesg --decode prints
    private static int TakeDecoded(ref ReadOnlySpan<char> line)
    {
        if (line.Length < 17 || line[6] != ':' || line[13] != ':' || line[14] != ' ' || line[15] != '[')
            return -1;
        int level = line[7..13].TrimEnd(' ') switch
        {
            "emerg" => 0,
            "alert" => 1,
            "crit" => 2,
            "err" => 3,
            "warn" => 4,
            "notice" => 5,
            "info" => 6,
            "debug" => 7,
            _ => -1,
        };
        if (level < 0)
            return -1;
        bool kernel = line[..6].TrimEnd(' ') is "kern";
        line = line[15..];
        return kernel ? level : level | (1 << 3);
    }

    // What records a serial console may put a time of its own before the kernel's.
    private static bool TakeTimes(ref ReadOnlySpan<char> line, out TimeSpan? time, out string context)
    {
        if (!TakeTime(ref line, out time, out context))
            return false;
        if (context == ConsoleLine.AnyCaller && line is ['[', ' ' or (>= '0' and <= '9'), ..] && TakeTime(ref line, out TimeSpan? inner, out string caller))
            (time, context) = (inner ?? time, caller);
        return true;
    }

    // "[   12.345678] ", "[   12.345678][ T1234] ", "[   12.345678] [ T1234] ", "[Wed Nov 25 17:50:11 2026] "
    private static bool TakeTime(ref ReadOnlySpan<char> line, out TimeSpan? time, out string context)
    {
        time = null;
        context = "";
        if (line is not ['[', ..])
            return false;
        int end = line.IndexOf(']');
        if (end is < 0 or > 40)
            return false;
        ReadOnlySpan<char> inside = line[1..end].Trim(' ');
        if (inside is [>= '0' and <= '9', ..])
        {
            if (inside.IndexOf('.') < 0 || inside.ContainsAnyExcept(TimeLetters))
                return false;
            time = ConsoleLine.Seconds(inside);
        }
        else if (!IsDate(inside))
            return false;
        ReadOnlySpan<char> rest = line[(end + 1)..];
        context = ConsoleLine.AnyCaller;
        while (rest is ['[', ..] && rest.IndexOf(']') is > 0 and < 40 and var close)
        {
            TakeCaller(rest[1..close], ref context);
            rest = rest[(close + 1)..];
        }
        if (rest is [' ', '[', ..] && context == ConsoleLine.AnyCaller && rest.IndexOf(']') is > 0 and < 12 and var spaced
            && TakeCaller(rest[2..spaced], ref context))
            rest = rest[(spaced + 1)..];
        if (rest.IsEmpty || rest[0] == ' ')
            line = rest.IsEmpty ? rest : rest[1..];
        else if (context == ConsoleLine.AnyCaller)
            line = rest; // console output that lost its space
        else
            return false;
        return true;
    }

    private static bool TakeCaller(ReadOnlySpan<char> inside, ref string context)
    {
        inside = inside.Trim(' ');
        if (inside.Length is < 2 or > 11 || inside[0] is not ('T' or 'C') || inside[1..].IndexOfAnyExceptInRange('0', '9') >= 0)
            return false;
        context = inside.ToString();
        return true;
    }

    private static bool IsDate(ReadOnlySpan<char> text) =>
        text.Length is >= 20 and <= 30 && char.IsAsciiLetterUpper(text[0]) && text[3] == ' ' && text.Count(':') == 2;

    // "Nov 25 17:50:11 host kernel: [   12.345678] text", and the same without the time in brackets
    private static bool TakeSyslog(ref ReadOnlySpan<char> line, ref TimeSpan? time, out string context)
    {
        const string Tag = " kernel: ";
        context = "";
        int tag = line[..Math.Min(line.Length, FarthestSyslogTag)].IndexOf(Tag, StringComparison.Ordinal);
        if (tag < 0 || line[..tag].IndexOfAnyInRange('0', '9') < 0)
            return false;
        line = line[(tag + Tag.Length)..];
        if (!TakeTime(ref line, out time, out context))
            context = ConsoleLine.AnyCaller;
        return true;
    }
}
