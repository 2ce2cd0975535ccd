namespace Netdump.Server.Store;

/// <summary>
/// Which lines of basic text are already said by numbered records, or by another basic target of the host: the same time and text.
/// A stack may well say one line twice within a microsecond, so repetitions within one stream count.
/// </summary>
internal sealed class SaidLines
{
    private readonly HashSet<Line> _numbered = [];
    private readonly Dictionary<(Line Line, ushort Port), int> _counts = [];
    private readonly Dictionary<Line, int> _shown = [];

    public SaidLines(CrashLogText.Entry[] records, bool hasLines)
    {
        if (!hasLines) return;
        foreach (CrashLogText.Entry record in records)
        {
            ReadOnlyMemory<byte> rest = record.Text;
            while (true)
            {
                int newline = rest.Span.IndexOf((byte)'\n');
                ReadOnlyMemory<byte> text = newline < 0 ? rest : rest[..newline];
                _numbered.Add(new Line(record.Microseconds, text));
                // Senders without printk.time show text alone.
                _numbered.Add(new Line(null, text));
                if (newline < 0) break;
                rest = rest[(newline + 1)..];
            }
        }
    }

    /// <summary>Whether a basic line adds nothing.</summary>
    public bool Covers(CrashLogText.Entry line)
    {
        Line key = new(line.Microseconds, line.Text.AsMemory(line.PrefixLength));
        if (_numbered.Contains(key)) return true;
        // Without a time, equal text proves nothing: "Call Trace:" comes with every report.
        if (key.Microseconds is null) return false;
        int count = _counts[(key, line.Port)] = _counts.GetValueOrDefault((key, line.Port)) + 1;
        if (count <= _shown.GetValueOrDefault(key)) return true;
        _shown[key] = count;
        return false;
    }

    private readonly struct Line(ulong? microseconds, ReadOnlyMemory<byte> text) : IEquatable<Line>
    {
        private readonly ReadOnlyMemory<byte> _text = text;

        public ulong? Microseconds { get; } = microseconds;

        public bool Equals(Line other) => Microseconds == other.Microseconds && _text.Span.SequenceEqual(other._text.Span);

        public override bool Equals(object? obj) => obj is Line other && Equals(other);

        public override int GetHashCode()
        {
            HashCode hash = default;
            hash.Add(Microseconds);
            hash.AddBytes(_text.Span);
            return hash.ToHashCode();
        }
    }
}
