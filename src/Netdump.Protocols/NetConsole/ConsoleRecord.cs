namespace Netdump.Protocols.NetConsole;

/// <summary>What a stream delivers.</summary>
public enum ConsoleRecordKind
{
    /// <summary>An extended record: has a number and a time.</summary>
    Extended,

    /// <summary>One line of basic text.</summary>
    Line,

    /// <summary>A piece of classic LOG text: part of a line or several.</summary>
    Text,

    /// <summary>Something is known to be missing here.</summary>
    Loss,
}

/// <summary>Receives what a stream delivers; spans are valid only during the call.</summary>
public delegate void ConsoleSink(in ConsoleRecord record);

/// <summary>One thing delivered by a <see cref="ConsoleStream"/>.</summary>
public readonly ref struct ConsoleRecord
{
    /// <summary>What it is; decides which members mean something.</summary>
    public ConsoleRecordKind Kind { get; init; }

    /// <summary>Whether a new boot begins with it.</summary>
    public BootVerdict Boot { get; init; }

    /// <summary>
    /// The bytes to keep: of an extended record a whole datagram (pieces joined), of a line the line without its newline, of text the text,
    /// of a loss the marker.
    /// </summary>
    public ReadOnlySpan<byte> Raw { get; init; }

    /// <summary>The text without escapes and prefix; any bytes, inner newlines included.</summary>
    public ReadOnlySpan<byte> Text { get; init; }

    /// <summary>Number of an extended record in its kernel's log.</summary>
    public ulong Sequence { get; init; }

    /// <summary>facility * 8 + level; -1 when unknown.</summary>
    public int Priority { get; init; }

    /// <summary>printk time in microseconds since boot; null when unknown.</summary>
    public ulong? Microseconds { get; init; }

    /// <summary>Whether markers stand for missing pieces of an extended record.</summary>
    public bool IsPartial { get; init; }

    /// <summary>Whether it is the capture kernel's own message and not the dead kernel's: told by our client, or by its command line.</summary>
    public bool IsCapture { get; init; }

    /// <summary>Whether an extended record comes after one with a higher number.</summary>
    public bool IsLate { get; init; }

    /// <summary>Whether an extended record was delivered before, but with fewer lines behind its text (userdata, sysdata).</summary>
    public bool IsCopy { get; init; }

    /// <summary>What a loss counts: messages of basic text, bytes of classic text.</summary>
    public ulong Lost { get; init; }

    /// <summary>Whether the text is the announcement of a classic client that its module was loaded.</summary>
    public bool IsStartup { get; init; }
}
