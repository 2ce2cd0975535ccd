namespace Netdump.Protocols.Classic;

/// <summary>Takes the map of the pages that a client of our own left out (extension): chunks of 1024 bytes, asked ascending, several in flight.</summary>
internal sealed class LeftOutCollector(ulong pageCount)
{
    /// <summary>Pages that one chunk speaks of.</summary>
    public const uint PagesPerChunk = ClassicReplyHeader.ChunkSize * 8;

    /// <summary>Chunks in flight: an answer is one datagram.</summary>
    public const int Window = 32;

    private readonly ulong _chunks = (pageCount + PagesPerChunk - 1) / PagesPerChunk;
    private readonly byte[] _map = new byte[ClassicReplyHeader.ChunkSize];
    private uint _next;

    /// <summary>The newest chunk.</summary>
    public ReadOnlySpan<byte> Map => _map;

    /// <summary>True if every chunk was asked.</summary>
    public bool IsAsked => _next >= _chunks;

    /// <summary>True if another chunk should be asked now.</summary>
    public bool TryTakeNext(int inFlight, out uint chunk)
    {
        chunk = _next;
        if (IsAsked || inFlight >= Window)
            return false;
        _next++;
        return true;
    }

    /// <summary>Takes the bytes of a chunk.</summary>
    /// <returns>Whether it names a page.</returns>
    public bool Take(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_map);
        return bytes.ContainsAnyExcept((byte)0);
    }
}
