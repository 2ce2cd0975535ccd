using System.Buffers;

namespace Netdump.Protocols.NetConsole;

/// <summary>
/// Joins the pieces of one sender's records (netconsole.md 2.7), in whatever order they come. A piece that never comes is marked,
/// and never holds a record back for longer than <see cref="HoleTimeout"/> after the last one that came.
/// Call <see cref="Add"/>, then <see cref="TryTake"/> until it says false; the latter also when <see cref="NextDeadline"/> has come.
/// </summary>
public sealed class FragmentAssembler
{
    /// <summary>How long a hole is waited for after the last new piece.</summary>
    public static readonly TimeSpan HoleTimeout = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a record may be under assembly in all, however slowly its pieces come.</summary>
    public static readonly TimeSpan RecordTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Records under assembly at a time; one more, and the oldest is delivered as it is.</summary>
    public const int MaximumOpen = 8;

    private const int MaximumBytes = 160 * 1024;
    private readonly FragmentPool _pool;
    private readonly List<OpenRecord> _open = [];
    private OpenRecord? _taken;
    private byte[]? _loose;
    private int _looseLost;

    /// <summary>An assembler that takes its memory from <paramref name="pool"/>.</summary>
    public FragmentAssembler(FragmentPool pool) => _pool = pool;

    /// <summary>Pieces dropped because no sender can mean them.</summary>
    public long Invalid { get; private set; }

    /// <summary>Pieces that disagreed with bytes already here; those stayed.</summary>
    public long Conflicting { get; private set; }

    /// <summary>Records under assembly.</summary>
    public int OpenCount => _open.Count;

    /// <summary>When the last piece of what <see cref="TryTake"/> yielded came: it may have waited since.</summary>
    public TimeSpan TakenArrival { get; private set; }

    /// <summary>When the next hole is given up; <see cref="TimeSpan.MaxValue"/> when nothing is open.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan next = TimeSpan.MaxValue;
            foreach (OpenRecord record in _open)
                if (Deadline(record) is var at && at < next) next = at;
            return next;
        }
    }

    /// <summary>Takes one piece. An impossible one is counted and dropped; bytes that are already here change nothing.</summary>
    public void Add(in ExtendedRecord piece, TimeSpan now)
    {
        if (piece.Fragment != FragmentMark.Piece)
        {
            Invalid++;
            return;
        }

        OpenRecord? record = Find(piece);
        if (record is null)
        {
            record = Open(piece, now);
            if (record is null) return;
        }
        else if (record.Total != piece.FragmentTotal || !record.Header.SequenceEqual(piece.CommonHeader))
        {
            Invalid++;
            return;
        }

        if (record.Add(piece.FragmentOffset, piece.Body, out bool conflict) > 0) record.LastAt = now;
        if (conflict) Conflicting++;
    }

    /// <summary>
    /// Yields a record that is whole, or whose holes have been waited for long enough, as one unfragmented datagram, valid until the
    /// next call on any assembler of this pool. <paramref name="lost"/> counts the bytes that markers stand for.
    /// </summary>
    public bool TryTake(TimeSpan now, out ReadOnlySpan<byte> datagram, out int lost)
    {
        datagram = default;
        lost = 0;
        if (_taken is not null)
        {
            _pool.Return(_taken);
            _taken = null;
        }

        for (int i = 0; i < _open.Count; i++)
        {
            OpenRecord record = _open[i];
            if (record.Missing > 0 && !record.Evicted && Deadline(record) > now) continue;
            _open.RemoveAt(i);
            _taken = record;
            lost = record.Missing;
            TakenArrival = record.LastAt;
            datagram = lost == 0 ? record.Datagram : Partial(record);
            return true;
        }

        if (_loose is null) return false;
        datagram = _loose;
        TakenArrival = now;
        lost = _looseLost;
        _loose = null;
        return true;
    }

    /// <summary>Gives up all holes now: the next calls of <see cref="TryTake"/> deliver everything that is here.</summary>
    public void GiveUp()
    {
        foreach (OpenRecord record in _open) record.Evicted = true;
    }

    private static TimeSpan Deadline(OpenRecord record)
    {
        TimeSpan hole = record.LastAt + HoleTimeout;
        TimeSpan all = record.FirstAt + RecordTimeout;
        return hole < all ? hole : all;
    }

    private OpenRecord? Find(in ExtendedRecord piece)
    {
        foreach (OpenRecord record in _open)
            if (record.Sequence == piece.Sequence && record.Microseconds == piece.Microseconds && !record.Evicted) return record;
        return null;
    }

    private OpenRecord? Open(in ExtendedRecord piece, TimeSpan now)
    {
        int bytes = piece.CommonHeader.Length + 1 + piece.FragmentTotal;
        MakeRoom(bytes);
        OpenRecord? record = _pool.TryRent(piece.CommonHeader.Length, piece.FragmentTotal);
        if (record is null)
        {
            // All streams together hold too much: this piece is shown by itself rather than not at all.
            KeepLoose(piece);
            return null;
        }

        record.SetHeader(piece.CommonHeader);
        record.Sequence = piece.Sequence;
        record.Microseconds = piece.Microseconds;
        record.FirstAt = record.LastAt = now;
        _open.Add(record);
        return record;
    }

    /// <summary>Gives up the oldest records until one more fits the bounds; they are delivered by the next <see cref="TryTake"/>.</summary>
    private void MakeRoom(int bytes)
    {
        int count = 0;
        int held = 0;
        for (int i = _open.Count - 1; i >= 0; i--)
        {
            count++;
            held += _open[i].Bytes;
            if (count >= MaximumOpen || held + bytes > MaximumBytes) _open[i].Evicted = true;
        }
    }

    private ReadOnlySpan<byte> Partial(OpenRecord record)
    {
        _pool.Scratch.ResetWrittenCount();
        record.WritePartial(_pool.Scratch);
        return _pool.Scratch.WrittenSpan;
    }

    private void KeepLoose(in ExtendedRecord piece)
    {
        ArrayBufferWriter<byte> scratch = _pool.Scratch;
        scratch.ResetWrittenCount();
        scratch.Write(piece.CommonHeader);
        scratch.Write(";"u8);
        int after = piece.FragmentTotal - piece.FragmentOffset - piece.Body.Length;
        if (piece.FragmentOffset > 0) LossMarker.Write(scratch, (ulong)piece.FragmentOffset, "bytes"u8);
        scratch.Write(piece.Body);
        if (after > 0) LossMarker.Write(scratch, (ulong)after, "bytes"u8);
        _loose = scratch.WrittenSpan.ToArray();
        _looseLost = piece.FragmentTotal - piece.Body.Length;
    }
}
