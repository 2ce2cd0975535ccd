using System.Buffers;

namespace Netdump.Protocols.NetConsole;

/// <summary>
/// Memory for records under assembly, shared by all streams of one thread: bounded as a whole, reused, so that neither forged
/// pieces nor steady traffic cost more. Not thread-safe.
/// </summary>
public sealed class FragmentPool
{
    private const int SpareLimit = 64;
    private const int SpareBytes = 8 * 1024;
    private readonly Stack<OpenRecord> _spares = new();
    private readonly int _limit;
    private int _used;

    /// <summary>A pool that hands out at most <paramref name="limit"/> bytes at a time.</summary>
    public FragmentPool(int limit = 16 * 1024 * 1024) => _limit = limit;

    /// <summary>Bytes handed out at this moment.</summary>
    public int Used => _used;

    /// <summary>Where partial records are put together.</summary>
    internal ArrayBufferWriter<byte> Scratch { get; } = new();

    /// <summary>A cleared record for a header and body of these lengths; null when the limit is reached.</summary>
    internal OpenRecord? TryRent(int headerLength, int total)
    {
        int bytes = headerLength + 1 + total;
        if (_used + bytes > _limit) return null;
        _used += bytes;
        OpenRecord record = _spares.TryPop(out OpenRecord? spare) ? spare : new OpenRecord();
        record.Reset(headerLength, total);
        return record;
    }

    internal void Return(OpenRecord record)
    {
        _used -= record.Bytes;
        if (_spares.Count < SpareLimit && record.Capacity <= SpareBytes) _spares.Push(record);
    }
}

/// <summary>A record under assembly: `header;body` and a map of the bytes of the body that have arrived.</summary>
internal sealed class OpenRecord
{
    private byte[] _buffer = [];
    private ulong[] _map = [];
    private int _headerLength;
    private int _received;

    public ulong Sequence { get; set; }

    public ulong Microseconds { get; set; }

    public TimeSpan FirstAt { get; set; }

    public TimeSpan LastAt { get; set; }

    /// <summary>Given up to make room.</summary>
    public bool Evicted { get; set; }

    public int Total { get; private set; }

    public int Bytes => _headerLength + 1 + Total;

    public int Capacity => _buffer.Length;

    public int Missing => Total - _received;

    /// <summary>Header, `;` and body in one piece: an unfragmented datagram once nothing is missing.</summary>
    public ReadOnlySpan<byte> Datagram => _buffer.AsSpan(0, Bytes);

    public ReadOnlySpan<byte> Header => _buffer.AsSpan(0, _headerLength);

    private Span<byte> Body => _buffer.AsSpan(_headerLength + 1, Total);

    public void Reset(int headerLength, int total)
    {
        _headerLength = headerLength;
        Total = total;
        _received = 0;
        Evicted = false;
        if (_buffer.Length < Bytes) _buffer = new byte[Bytes];
        int words = (total + 63) / 64;
        if (_map.Length < words) _map = new ulong[words];
        _map.AsSpan(0, words).Clear();
    }

    public void SetHeader(ReadOnlySpan<byte> header)
    {
        header.CopyTo(_buffer);
        _buffer[header.Length] = (byte)';';
    }

    /// <summary>Takes the bytes that have not arrived yet; tells how many, and whether others differ from what is here.</summary>
    public int Add(int offset, ReadOnlySpan<byte> slice, out bool conflict)
    {
        conflict = false;
        int fresh = 0;
        Span<byte> body = Body;
        for (int i = 0; i < slice.Length; i++)
        {
            int at = offset + i;
            ulong bit = 1UL << (at & 63);
            if ((_map[at >> 6] & bit) == 0)
            {
                _map[at >> 6] |= bit;
                body[at] = slice[i];
                fresh++;
            }
            else
            {
                conflict |= body[at] != slice[i];
            }
        }

        _received += fresh;
        return fresh;
    }

    /// <summary>Writes `header;body` with a marker in place of every hole.</summary>
    public void WritePartial(IBufferWriter<byte> output)
    {
        output.Write(_buffer.AsSpan(0, _headerLength + 1));
        int at = 0;
        while (at < Total)
        {
            bool here = Has(at);
            int start = at;
            while (at < Total && Has(at) == here) at++;
            if (here) output.Write(Body[start..at]);
            else LossMarker.Write(output, (ulong)(at - start), "bytes"u8);
        }
    }

    private bool Has(int at) => (_map[at >> 6] >> (at & 63) & 1) != 0;
}
