using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// The memory that Kestrel receives into. Its own is of 4 KiB, so that a dump comes in by system calls of 2 to 4 KiB each, and they cost more than TLS;
/// here it is of 64. A connection holds some only while bytes of it are on their way. Thread-safe.
/// </summary>
internal sealed class BodyMemory : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    private const int Length = 64 << 10;
    private const int MostKept = 256; // 16 MiB; what is more goes back to the collector

    private readonly ConcurrentBag<Piece> _free = [];
    private int _kept;

    /// <inheritdoc/>
    public override int MaxBufferSize => Length;

    /// <inheritdoc/>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    /// <inheritdoc/>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, Length);
        if (!_free.TryTake(out Piece? piece))
            return new Piece(this);
        Interlocked.Decrement(ref _kept);
        return piece;
    }

    /// <summary>Nothing: it belongs to all listeners.</summary>
    protected override void Dispose(bool disposing)
    {
    }

    private void Return(Piece piece)
    {
        if (Interlocked.Increment(ref _kept) <= MostKept)
            _free.Add(piece);
        else
            Interlocked.Decrement(ref _kept);
    }

    // Pinned, as sockets receive into it.
    private sealed class Piece(BodyMemory pool) : IMemoryOwner<byte>
    {
        public Memory<byte> Memory { get; } = MemoryMarshal.CreateFromPinnedArray(GC.AllocateUninitializedArray<byte>(Length, pinned: true), 0, Length);

        public void Dispose() => pool.Return(this);
    }
}
