namespace Netdump.Vmcore.Flattened;

/// <summary>A flattened dump read in place: its records are looked up, nothing is copied. Bytes no record covers are zero.</summary>
public sealed class FlattenedBytes : DumpBytes
{
    /// <summary>More records than this are refused (48 MiB of index): 128 GiB in records as makedumpfile makes them.</summary>
    public const int MostRecords = 1 << 21;

    private readonly DumpBytes _file;
    private readonly Extent[] _extents;

    private FlattenedBytes(DumpBytes file, Extent[] extents, bool isWhole)
        : base(file.Path, extents.Length == 0 ? 0 : extents[^1].End)
    {
        _file = file;
        _extents = extents;
        IsWhole = isWhole;
    }

    /// <summary>Whether the stream ends with its end mark; without it the rest is missing.</summary>
    public bool IsWhole { get; }

    /// <summary>Whether a file's first bytes are of this format.</summary>
    public static bool IsFlattened(ReadOnlySpan<byte> start) => start.StartsWith(FlattenedFormat.Signature);

    /// <summary>Reads the headers of all records. A stream that ends inside a record opens with what came.</summary>
    /// <param name="file">The flattened file; is closed with these bytes.</param>
    /// <exception cref="VmcoreFormatException">Another type or version, a record that cannot be, or too many of them.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public static FlattenedBytes Open(DumpBytes file)
    {
        var start = new byte[FlattenedFormat.FileHeaderLength];
        FlattenedFormat.CheckFileHeader(start.AsSpan(0, file.Read(0, start)));
        var records = new List<Extent>();
        var isWhole = false;
        Span<byte> header = stackalloc byte[FlattenedFormat.RecordHeaderLength];
        long at = FlattenedFormat.FileHeaderLength;
        while (file.Read(at, header) == header.Length)
        {
            if (!FlattenedFormat.ReadRecord(header, at, out var offset, out var size))
            {
                isWhole = true;
                break;
            }
            if (records.Count == MostRecords)
                throw new VmcoreFormatException(at, $"more than {MostRecords} flattened records: arrange the dump first, with makedumpfile -R");
            at += header.Length;
            var there = Math.Min(size, file.Length - at);
            if (there > 0)
                records.Add(new Extent(offset, offset + there, at));
            if (there < size)
                break;
            at += size;
        }
        return new FlattenedBytes(file, Disjoint(records), isWhole);
    }

    /// <inheritdoc/>
    public override int Read(long offset, Span<byte> destination)
    {
        if (offset < 0 || offset >= Length)
            return 0;
        destination = destination[..(int)Math.Min(destination.Length, Length - offset)];
        var done = 0;
        for (var i = Find(offset); done < destination.Length; i++)
        {
            var at = offset + done;
            var extent = _extents[i];
            if (extent.Start > at)
            {
                var hole = (int)Math.Min(destination.Length - done, extent.Start - at);
                destination.Slice(done, hole).Clear();
                done += hole;
                at += hole;
            }
            var part = destination.Slice(done, (int)Math.Min(destination.Length - done, extent.End - at));
            var got = _file.Read(extent.At + (at - extent.Start), part);
            done += got;
            if (got < part.Length)
                break; // the file became shorter while it was read
        }
        return done;
    }

    /// <inheritdoc/>
    public override void Dispose() => _file.Dispose();

    // First extent that ends behind the offset.
    private int Find(long offset)
    {
        int low = 0, high = _extents.Length - 1;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_extents[middle].End <= offset)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    // Of overlapping records the last wins. A sweep over the starts with the newest record that is open on top.
    private static Extent[] Disjoint(List<Extent> records)
    {
        var order = new int[records.Count];
        for (var i = 0; i < order.Length; i++)
            order[i] = i;
        Array.Sort(order, (a, b) => records[a].Start.CompareTo(records[b].Start));
        var result = new List<Extent>(records.Count);
        var open = new PriorityQueue<int, int>(); // newest first
        var (next, at) = (0, 0L);
        while (next < order.Length || open.Count > 0)
        {
            if (open.Count == 0)
                at = records[order[next]].Start;
            for (; next < order.Length && records[order[next]].Start <= at; next++)
                open.Enqueue(order[next], -order[next]);
            var record = records[open.Peek()];
            if (record.End <= at)
            {
                open.Dequeue();
                continue;
            }
            // Up to its end, or to the start of the next record, which may be newer.
            var end = next < order.Length ? Math.Min(record.End, records[order[next]].Start) : record.End;
            Append(result, new Extent(at, end, record.At + (at - record.Start)));
            at = end;
        }
        return [.. result];
    }

    private static void Append(List<Extent> result, Extent extent)
    {
        if (result.Count > 0 && result[^1] is var last && last.End == extent.Start && last.At + (last.End - last.Start) == extent.At)
            result[^1] = last with { End = extent.End };
        else
            result.Add(extent);
    }

    /// <summary>Bytes of the dump from start to end, which lie in the file from a place on.</summary>
    private readonly record struct Extent(long Start, long End, long At);
}
