using System.Buffers;
using Netdump.Protocols.NetConsole;

namespace Netdump.Server.Store;

/// <summary>Who a numbered record came from; a later one replaces an earlier one.</summary>
internal enum RecordOrigin
{
    /// <summary>netconsole, while the host lived.</summary>
    Console,

    /// <summary>The finished vmcore's ring.</summary>
    Vmcore,

    /// <summary>The capture client, from the dead kernel's ring.</summary>
    DeadKernel,
}

/// <summary>
/// The log of a crash in memory: numbered records (each number once), lines and text without numbers in order of arrival, and the text of
/// the crash's session. Renders them as one serial console would have shown them. Pure; bounded by <see cref="MaximumBytes"/>.
/// </summary>
internal sealed class CrashLogText
{
    /// <summary>Most bytes of text and bookkeeping held.</summary>
    public const int MaximumBytes = 16 * 1024 * 1024;

    private const int EntryCost = 96;
    private const ulong ClockJitter = 1_000_000; // processors' clocks of one boot differ by less

    private readonly Dictionary<ulong, Entry> _numbered = [];
    private readonly List<Entry> _arrivals = [];
    private readonly List<Entry> _session = [];
    private readonly int _limit;
    private long _bytes;
    private ulong _refused;
    private bool _contradicted; // a number of the console had another time in the dead kernel

    /// <summary>An empty log.</summary>
    public CrashLogText(int limit = MaximumBytes) => _limit = limit;

    /// <summary>Takes a numbered record; false when nothing changed by it.</summary>
    public bool AddRecord(RecordOrigin origin, ulong sequence, ulong microseconds, ReadOnlySpan<byte> text, bool partial)
    {
        if (!_numbered.TryGetValue(sequence, out Entry? entry))
        {
            if (!Reserve(text.Length)) return false;
            entry = new Entry { Sequence = sequence };
            _numbered.Add(sequence, entry);
            _arrivals.Add(entry);
        }
        else
        {
            if (!Improves(entry, origin, microseconds, partial)) return false;
            if (_bytes + text.Length - entry.Text.Length > _limit)
            {
                _refused++;
                return false;
            }

            _bytes += text.Length - entry.Text.Length;
        }

        if (origin > entry.Origin && entry.Origin == RecordOrigin.Console && entry.Microseconds is ulong shown) _contradicted |= shown != microseconds;
        entry.Origin = origin;
        entry.Microseconds = microseconds;
        entry.Partial = partial;
        entry.Text = text.ToArray();
        return true;
    }

    /// <summary>Takes a line of basic text, without its newline.</summary>
    public void AddLine(ReadOnlySpan<byte> line, ushort port)
    {
        if (!Reserve(line.Length)) return;
        BasicLine read = BasicLine.Parse(line);
        _arrivals.Add(new Entry
        {
            Kind = EntryKind.Line,
            Port = port,
            Microseconds = read.HasTime ? read.Microseconds : null,
            Text = line.ToArray(),
            PrefixLength = line.Length - read.Text.Length,
        });
    }

    /// <summary>Takes classic text that came before the session; byte-exact.</summary>
    public void AddText(ReadOnlySpan<byte> text)
    {
        if (Reserve(text.Length)) _arrivals.Add(new Entry { Kind = EntryKind.Text, Text = text.ToArray() });
    }

    /// <summary>Takes a loss marker.</summary>
    public void AddLoss(ReadOnlySpan<byte> marker)
    {
        if (Reserve(marker.Length)) _arrivals.Add(new Entry { Kind = EntryKind.Loss, Text = marker.ToArray() });
    }

    /// <summary>Takes text, or a loss marker, of the crash's own session; text is byte-exact.</summary>
    public void AddSession(ReadOnlySpan<byte> text, bool isLoss)
    {
        if (Reserve(text.Length)) _session.Add(new Entry { Kind = isLoss ? EntryKind.Loss : EntryKind.Text, Text = text.ToArray() });
    }

    /// <summary>The whole log.</summary>
    public byte[] Render()
    {
        Entry[] records = [.. _numbered.Values];
        Array.Sort(records, static (a, b) => a.Sequence.CompareTo(b.Sequence));
        bool complete = records.Any(r => r.Origin != RecordOrigin.Console);
        // What the console said in another boot, whose end went unnoticed, is in the host's console file.
        bool foreign = complete && (_contradicted || Disagree(records));
        if (foreign) records = Array.FindAll(records, r => r.Origin != RecordOrigin.Console);
        List<(int Before, Entry Entry)> loose = foreign ? [] : Place(records, complete);

        ArrayBufferWriter<byte> output = new((int)Math.Min(_bytes + 4096, int.MaxValue / 2));
        Lines lines = new(output);
        int next = 0;
        Entry? dead = null;
        for (int i = 0; i <= records.Length; i++)
        {
            for (; next < loose.Count && loose[next].Before <= i; next++) lines.Write(loose[next].Entry);
            if (i == records.Length) break;
            Entry record = records[i];
            if (record.Origin != RecordOrigin.Console)
            {
                // The ring numbers without gaps, so a gap between two of its records is a certain loss; what the console had fills it.
                if (dead is not null) MarkGap(lines, dead.Sequence, record.Sequence, records, i);
                dead = record;
            }

            lines.Write(record);
        }

        foreach (Entry entry in _session) lines.Write(entry);
        lines.End();
        if (_refused > 0)
        {
            LossMarker.Write(output, _refused, "pieces beyond the size limit of a crash's log"u8);
            output.Write("\n"u8);
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>Whether a record is better than the one that has its number.</summary>
    private static bool Improves(Entry present, RecordOrigin origin, ulong microseconds, bool partial)
    {
        // The dump's own kernel knows best; a number with another time on the console was another boot's.
        if (origin > present.Origin && microseconds != present.Microseconds) return true;
        if (partial != present.Partial) return !partial;
        return origin == RecordOrigin.DeadKernel && present.Origin != RecordOrigin.DeadKernel;
    }

    /// <summary>Whether time runs backwards between records of the console and of the dead kernel: then they are not of one boot.</summary>
    private static bool Disagree(Entry[] records)
    {
        ulong[] latest = new ulong[2];
        foreach (Entry record in records)
        {
            int side = record.Origin == RecordOrigin.Console ? 0 : 1;
            ulong time = record.Microseconds ?? 0;
            if (time + ClockJitter < latest[1 - side]) return true;
            latest[side] = Math.Max(latest[side], time);
        }

        return false;
    }

    private static void MarkGap(Lines lines, ulong from, ulong to, Entry[] records, int index)
    {
        ulong missing = to - from - 1;
        for (int i = index - 1; i >= 0 && records[i].Sequence > from; i--) missing--;
        if (missing > 0) lines.WriteMarker(missing);
    }

    private bool Reserve(int length)
    {
        if (_bytes + length + EntryCost > _limit)
        {
            _refused++;
            return false;
        }

        _bytes += length + EntryCost;
        return true;
    }

    /// <summary>Finds where everything without a number belongs among the numbered records, and leaves out what these already say.</summary>
    private List<(int Before, Entry Entry)> Place(Entry[] records, bool complete)
    {
        ulong[] latest = new ulong[records.Length];
        ulong most = 0;
        for (int i = 0; i < records.Length; i++) latest[i] = most = Math.Max(most, records[i].Microseconds ?? 0);

        SaidLines said = new(records, hasLines: _arrivals.Exists(e => e.Kind == EntryKind.Line));
        List<(int Before, Entry Entry)> loose = [];
        int here = 0;
        foreach (Entry entry in _arrivals)
        {
            switch (entry.Kind)
            {
                case EntryKind.Record:
                    here = IndexOf(records, entry.Sequence) + 1;
                    break;
                case EntryKind.Line:
                    if (said.Covers(entry)) break;
                    if (entry.Microseconds is ulong time) here = FirstAfter(latest, time);
                    loose.Add((here, entry));
                    break;
                case EntryKind.Loss when complete:
                    break; // the ring has what the console lost
                default:
                    loose.Add((here, entry));
                    break;
            }
        }

        // OrderBy is stable: what belongs to one place stays in order of arrival.
        return [.. loose.OrderBy(l => l.Before)];
    }

    private static int IndexOf(Entry[] records, ulong sequence)
    {
        int low = 0;
        int high = records.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (records[middle].Sequence < sequence) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    /// <summary>Index of the first record after which something later than <paramref name="time"/> has been said.</summary>
    private static int FirstAfter(ulong[] latest, ulong time)
    {
        int low = 0;
        int high = latest.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (latest[middle] > time) high = middle;
            else low = middle + 1;
        }

        return low;
    }

    /// <summary>What an entry is.</summary>
    internal enum EntryKind
    {
        Record,
        Line,
        Text,
        Loss,
    }

    /// <summary>One record, line, piece of text or marker.</summary>
    internal sealed class Entry
    {
        public EntryKind Kind { get; init; }

        public ulong Sequence { get; init; }

        public ulong? Microseconds { get; set; }

        public RecordOrigin Origin { get; set; }

        public bool Partial { get; set; }

        public ushort Port { get; init; }

        public int PrefixLength { get; init; }

        public byte[] Text { get; set; } = [];
    }

    /// <summary>Writes entries so that each begins on a line of its own, but pieces of classic text go on where they stopped.</summary>
    private sealed class Lines(ArrayBufferWriter<byte> output)
    {
        private bool _open;

        public void Write(Entry entry)
        {
            if (entry.Kind == EntryKind.Text)
            {
                output.Write(entry.Text);
                if (entry.Text.Length > 0) _open = entry.Text[^1] != '\n';
                return;
            }

            End();
            ConsoleText.Render(output, entry.Microseconds, entry.Text.AsSpan(entry.PrefixLength));
        }

        public void WriteMarker(ulong records)
        {
            End();
            LossMarker.Write(output, records, "records"u8);
            output.Write("\n"u8);
        }

        public void End()
        {
            if (_open) output.Write("\n"u8);
            _open = false;
        }
    }
}
