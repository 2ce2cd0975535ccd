using System.Security.Cryptography;

namespace Netdump.Client.Send.Secure;

/// <summary>A piece of the upload with its digest, held until the server has it on its disk. Its memory is used again and again.</summary>
internal sealed class UploadBlock(int size)
{
    private readonly byte[] _data = GC.AllocateUninitializedArray<byte>(size);
    private long _sent;

    /// <summary>Where it begins in the upload.</summary>
    public long Offset { get; private set; }

    /// <summary>Bytes in it.</summary>
    public int Length { get; private set; }

    /// <summary>Where the next one begins.</summary>
    public long End => Offset + Length;

    public bool IsFull => Length == _data.Length;

    public ReadOnlyMemory<byte> Bytes => _data.AsMemory(0, Length);

    /// <summary>SHA-256 of its bytes; set by <see cref="Seal"/>.</summary>
    public byte[] Digest { get; } = new byte[SHA256.HashSizeInBytes];

    /// <summary>Pages of memory that are sent when this block and all before it are.</summary>
    public ulong Pages { get; private set; }

    /// <summary>Bytes that were handed to the connection in the running try.</summary>
    public long Sent
    {
        get => Volatile.Read(ref _sent);
        set => Volatile.Write(ref _sent, value);
    }

    /// <summary>Begins anew at an offset.</summary>
    public void Begin(long offset) => (Offset, Length, Sent) = (offset, 0, 0);

    /// <summary>Where the next bytes go; empty when it is full.</summary>
    public Span<byte> Room => _data.AsSpan(Length);

    /// <summary>So many bytes were put at <see cref="Room"/>.</summary>
    public void Advance(int count) => Length += count;

    /// <summary>Nothing more comes into it.</summary>
    public void Seal(ulong pages)
    {
        Pages = pages;
        SHA256.HashData(Bytes.Span, Digest);
    }

    /// <summary>Leaves out what a server has already.</summary>
    public void CutBefore(long offset)
    {
        int cut = (int)(offset - Offset);
        _data.AsSpan(cut, Length - cut).CopyTo(_data);
        (Offset, Length) = (offset, Length - cut);
        SHA256.HashData(Bytes.Span, Digest);
    }
}
