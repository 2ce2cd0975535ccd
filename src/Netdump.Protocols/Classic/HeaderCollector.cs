namespace Netdump.Protocols.Classic;

/// <summary>Takes the ELF header area of a client of our own (extension): chunks of 1024 bytes, asked ascending, several in flight, up to the first ERROR.</summary>
internal sealed class HeaderCollector(int maximumLength)
{
    /// <summary>Chunks in flight; the area is a few pages as a rule.</summary>
    public const int Window = 8;

    private byte[] _bytes = new byte[16 * ClassicReplyHeader.ChunkSize];
    private uint _next;
    private uint _end = uint.MaxValue;

    /// <summary>The area, once all chunks below its end have come.</summary>
    public ReadOnlySpan<byte> Bytes => _end == uint.MaxValue ? default : _bytes.AsSpan(0, (int)_end * ClassicReplyHeader.ChunkSize);

    /// <summary>True if the end is known.</summary>
    public bool EndKnown => _end != uint.MaxValue;

    /// <summary>True if the client still had chunks where the limit lies.</summary>
    public bool TooLong { get; private set; }

    /// <summary>True if another chunk should be asked now.</summary>
    public bool TryTakeNext(int inFlight, out uint chunk)
    {
        chunk = _next;
        if (EndKnown || TooLong || inFlight >= Window)
            return false;
        _next++;
        return true;
    }

    public static bool IsChunk(uint chunk, uint offset, int length) =>
        length == ClassicReplyHeader.ChunkSize && offset == (ulong)chunk * ClassicReplyHeader.ChunkSize;

    /// <summary>Stores a chunk that <see cref="IsChunk"/> accepted.</summary>
    public void Store(uint chunk, ReadOnlySpan<byte> bytes)
    {
        long start = (long)chunk * ClassicReplyHeader.ChunkSize;
        if (start + ClassicReplyHeader.ChunkSize > maximumLength)
        {
            TooLong = true;
            return;
        }

        if (start + ClassicReplyHeader.ChunkSize > _bytes.Length)
            Array.Resize(ref _bytes, (int)Math.Min(Math.Max(_bytes.Length * 2L, start + ClassicReplyHeader.ChunkSize), maximumLength));
        bytes.CopyTo(_bytes.AsSpan((int)start));
    }

    /// <summary>The client has no such chunk: the area ends there or before.</summary>
    public void EndAt(uint chunk) => _end = Math.Min(_end, chunk);
}
