namespace Netdump.Protocols.NetConsole;

/// <summary>Who wrote a line after a record's text. Only position and key tell (netconsole.md 2.5).</summary>
public enum RecordLineKind
{
    /// <summary>The record's own dictionary: SUBSYSTEM or DEVICE, coming first; its value is escaped.</summary>
    Dictionary,

    /// <summary>A target's userdata; its value is raw and may hold newlines.</summary>
    UserData,

    /// <summary>The kernel's own additions cpu, taskname, release, msgid, in this order at the end; raw.</summary>
    SysData,
}

/// <summary>One ` KEY=value` line. Spans point into the datagram.</summary>
public readonly ref struct RecordLine
{
    internal RecordLine(RecordLineKind kind, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Kind = kind;
        Key = key;
        Value = value;
    }

    /// <summary>Who wrote it.</summary>
    public RecordLineKind Kind { get; }

    /// <summary>Bytes between the leading space and the first `=`.</summary>
    public ReadOnlySpan<byte> Key { get; }

    /// <summary>Bytes after the first `=`, without the closing newline; following lines without a key of their own belong to it.</summary>
    public ReadOnlySpan<byte> Value { get; }
}

/// <summary>The lines after a record's text, enumerated in place.</summary>
public readonly ref struct RecordLines
{
    private readonly ReadOnlySpan<byte> _lines;
    private readonly int _sysDataFrom;

    /// <summary>Reads the bytes after the text's newline; empty for a record without lines.</summary>
    public RecordLines(ReadOnlySpan<byte> lines)
    {
        _lines = lines;
        _sysDataFrom = FindSysData(lines);
    }

    /// <summary>The bytes as sent.</summary>
    public ReadOnlySpan<byte> Bytes => _lines;

    /// <summary>Whether there is no line at all.</summary>
    public bool IsEmpty => _lines.IsEmpty;

    /// <summary>Enumerates the lines in order.</summary>
    public Enumerator GetEnumerator() => new(_lines, _sysDataFrom);

    /// <summary>Value of the first line with this key, whoever wrote it: the dictionary, which comes first, wins.</summary>
    public bool TryGet(ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        foreach (RecordLine line in this)
        {
            if (!line.Key.SequenceEqual(key)) continue;
            value = line.Value;
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>Value of the first line of one kind with this key.</summary>
    public bool TryGet(RecordLineKind kind, ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        foreach (RecordLine line in this)
        {
            if (line.Kind != kind || !line.Key.SequenceEqual(key)) continue;
            value = line.Value;
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>Offset where the closing run of cpu, taskname, release, msgid in rising order begins.</summary>
    private static int FindSysData(ReadOnlySpan<byte> lines)
    {
        int from = lines.Length;
        int last = -1;
        int at = 0;
        while (TryNext(lines, ref at, out int start, out ReadOnlySpan<byte> key, out _))
        {
            int rank = Rank(key);
            if (rank < 0) from = lines.Length;
            else if (rank <= last || from == lines.Length) from = start;
            last = rank;
        }

        return from;
    }

    private static int Rank(ReadOnlySpan<byte> key) =>
        key.SequenceEqual("cpu"u8) ? 0
        : key.SequenceEqual("taskname"u8) ? 1
        : key.SequenceEqual("release"u8) ? 2
        : key.SequenceEqual("msgid"u8) ? 3
        : -1;

    /// <summary>Finds the next line that has a key, with the keyless lines that follow it as part of its value.</summary>
    private static bool TryNext(
        ReadOnlySpan<byte> lines, scoped ref int at, out int start, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        key = value = default;
        while (at < lines.Length && !HasKey(lines[at..])) at = LineEnd(lines, at);
        start = at;
        if (at >= lines.Length) return false;
        at = LineEnd(lines, at);
        while (at < lines.Length && !HasKey(lines[at..])) at = LineEnd(lines, at);
        ReadOnlySpan<byte> line = lines[(start + 1)..at];
        if (line[^1] == '\n') line = line[..^1];
        int equals = line.IndexOf((byte)'=');
        key = line[..equals];
        value = line[(equals + 1)..];
        return true;
    }

    private static int LineEnd(ReadOnlySpan<byte> lines, int at)
    {
        int newline = lines[at..].IndexOf((byte)'\n');
        return newline < 0 ? lines.Length : at + newline + 1;
    }

    private static bool HasKey(ReadOnlySpan<byte> line) =>
        line[0] == ' ' && line.IndexOfAny((byte)'=', (byte)'\n') is > 1 and int at && line[at] == '=';

    /// <summary>Walks the lines.</summary>
    public ref struct Enumerator
    {
        private readonly ReadOnlySpan<byte> _lines;
        private readonly int _sysDataFrom;
        private int _at;
        private bool _subsystem;
        private bool _device;
        private bool _dictionaryEnded;

        internal Enumerator(ReadOnlySpan<byte> lines, int sysDataFrom)
        {
            _lines = lines;
            _sysDataFrom = sysDataFrom;
        }

        /// <summary>The line found by the last <see cref="MoveNext"/>.</summary>
        public RecordLine Current { get; private set; }

        /// <summary>Steps to the next line.</summary>
        public bool MoveNext()
        {
            if (!TryNext(_lines, ref _at, out int start, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)) return false;
            RecordLineKind kind = start >= _sysDataFrom ? RecordLineKind.SysData
                : IsOwnDictionary(key) ? RecordLineKind.Dictionary
                : RecordLineKind.UserData;
            Current = new RecordLine(kind, key, value);
            return true;
        }

        /// <summary>The first SUBSYSTEM and the first DEVICE before any other key are the record's; a later one is userdata.</summary>
        private bool IsOwnDictionary(scoped ReadOnlySpan<byte> key)
        {
            if (!_dictionaryEnded && !_subsystem && !_device && key.SequenceEqual("SUBSYSTEM"u8)) return _subsystem = true;
            if (!_dictionaryEnded && !_device && key.SequenceEqual("DEVICE"u8)) return _device = true;
            _dictionaryEnded = true;
            return false;
        }
    }
}
