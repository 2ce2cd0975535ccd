using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Netdump.Client.Trust;

/// <summary>
/// Bytes of a secret. They lie outside the garbage collector's heap, which would copy them as it pleases, on whole pages, so that a file can be
/// read into them past the page cache; they are zeroed when disposed of. A dump shows freed memory too.
/// </summary>
internal sealed unsafe class SecretBytes : IDisposable
{
    /// <summary>What O_DIRECT wants of addresses, offsets and lengths on every file system and disk in use.</summary>
    public const int Alignment = 4096;

    private readonly int _capacity;
    private byte* _start;

    /// <summary>Makes room, zeroed.</summary>
    /// <param name="capacity">Bytes at most; rounded up to whole pages.</param>
    public SecretBytes(int capacity)
    {
        _capacity = (capacity + Alignment - 1) / Alignment * Alignment;
        _start = (byte*)NativeMemory.AlignedAlloc((nuint)_capacity, Alignment);
        Room.Clear();
    }

    /// <summary>Bytes in use.</summary>
    public int Length { get; set; }

    /// <summary>All the room there is.</summary>
    public Span<byte> Room => new(_start, _start is null ? 0 : _capacity);

    /// <summary>The bytes in use.</summary>
    public Span<byte> Span => Room[..Length];

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_start is null) return;
        CryptographicOperations.ZeroMemory(Room);
        NativeMemory.AlignedFree(_start);
        _start = null;
        Length = 0;
    }
}
