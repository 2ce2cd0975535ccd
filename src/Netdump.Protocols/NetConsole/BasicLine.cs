namespace Netdump.Protocols.NetConsole;

/// <summary>
/// One line of basic netconsole text, read in place: <c>[&lt;prio&gt;][[ seconds.micros]][[caller]] text</c>, each part optional
/// (netconsole.md 2.2).
/// </summary>
public readonly ref struct BasicLine
{
    /// <summary>facility * 8 + level from a leading <c>&lt;N&gt;</c>; -1 without one.</summary>
    public int Priority { get; private init; }

    /// <summary>Whether the line carries printk's time.</summary>
    public bool HasTime { get; private init; }

    /// <summary>printk time in microseconds.</summary>
    public ulong Microseconds { get; private init; }

    /// <summary>`T` + pid or `C` + cpu, or empty.</summary>
    public ReadOnlySpan<byte> Caller { get; private init; }

    /// <summary>What follows the prefix and its one space.</summary>
    public ReadOnlySpan<byte> Text { get; private init; }

    /// <summary>Whether the line begins as only the beginning of a record does.</summary>
    public bool HasPrefix => Priority >= 0 || HasTime || !Caller.IsEmpty;

    /// <summary>Reads a line (without its newline). Anything can be read: what is no prefix is text.</summary>
    public static BasicLine Parse(ReadOnlySpan<byte> line)
    {
        int priority = TakePriority(ref line);
        bool hasTime = TakeTime(ref line, out ulong microseconds);
        ReadOnlySpan<byte> caller = TakeCaller(ref line);
        if ((hasTime || !caller.IsEmpty) && line.Length > 0 && line[0] == ' ') line = line[1..];
        return new BasicLine { Priority = priority, HasTime = hasTime, Microseconds = microseconds, Caller = caller, Text = line };
    }

    /// <summary>Reads <c>** N printk messages dropped **</c>: the sender overran its own buffer.</summary>
    public static bool TryReadDropped(ReadOnlySpan<byte> text, out ulong count)
    {
        count = 0;
        if (!text.StartsWith("** "u8)) return false;
        text = text[3..];
        int space = text.IndexOf((byte)' ');
        return space > 0 && ExtendedRecord.TryReadNumber(text[..space], out count)
            && text[space..].StartsWith(" printk messages dropped"u8) && count > 0;
    }

    private static int TakePriority(scoped ref ReadOnlySpan<byte> line)
    {
        if (line.Length < 3 || line[0] != '<') return -1;
        int close = line[..Math.Min(line.Length, 6)].IndexOf((byte)'>');
        if (close < 0 || !ExtendedRecord.TryReadNumber(line[1..close], out ulong value) || value > 2047) return -1;
        line = line[(close + 1)..];
        // RHEL's plain syslog puts a space behind, the kernel's own console format does not.
        if (line.Length > 1 && line[0] == ' ' && line[1] != '[') line = line[1..];
        return (int)value;
    }

    private static bool TakeTime(scoped ref ReadOnlySpan<byte> line, out ulong microseconds)
    {
        microseconds = 0;
        if (!TryBracket(line, out ReadOnlySpan<byte> inner, out int length)) return false;
        int point = inner.IndexOf((byte)'.');
        if (point < 0 || inner.Length - point != 7) return false;
        if (!ExtendedRecord.TryReadNumber(inner[..point], out ulong seconds)
            || !ExtendedRecord.TryReadNumber(inner[(point + 1)..], out ulong fraction)
            || seconds > ulong.MaxValue / 1_000_000 - 1) return false;
        microseconds = seconds * 1_000_000 + fraction;
        line = line[length..];
        return true;
    }

    private static ReadOnlySpan<byte> TakeCaller(scoped ref ReadOnlySpan<byte> line)
    {
        if (!TryBracket(line, out ReadOnlySpan<byte> inner, out int length)) return default;
        if (inner.Length < 2 || inner[0] is not ((byte)'T' or (byte)'C') || !ExtendedRecord.TryReadNumber(inner[1..], out _)) return default;
        line = line[length..];
        return inner;
    }

    /// <summary>Content of a short bracket at the start, without its leading padding.</summary>
    private static bool TryBracket(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> inner, out int length)
    {
        inner = default;
        length = 0;
        if (line.IsEmpty || line[0] != '[') return false;
        int close = line[..Math.Min(line.Length, 32)].IndexOf((byte)']');
        if (close < 0) return false;
        inner = line[1..close].TrimStart((byte)' ');
        length = close + 1;
        return true;
    }
}
