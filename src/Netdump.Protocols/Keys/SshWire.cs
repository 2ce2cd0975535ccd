using System.Buffers.Binary;

namespace Netdump.Protocols.Keys;

/// <summary>Reads SSH's encoding (RFC 4251 section 5): numbers of 32 bits, big-endian; strings behind their length.</summary>
internal ref struct SshReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>What was not read yet.</summary>
    public ReadOnlySpan<byte> Rest { get; private set; } = bytes;

    public readonly bool IsAtEnd => Rest.IsEmpty;

    public bool TryBytes(int length, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        if (length > Rest.Length) return false;
        bytes = Rest[..length];
        Rest = Rest[length..];
        return true;
    }

    public bool TryNumber(out uint number)
    {
        number = 0;
        if (!TryBytes(sizeof(uint), out ReadOnlySpan<byte> bytes)) return false;
        number = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        return true;
    }

    public bool TryText(out ReadOnlySpan<byte> text)
    {
        text = default;
        return TryNumber(out uint length) && length <= (uint)Rest.Length && TryBytes((int)length, out text);
    }
}

/// <summary>Writes SSH's encoding into a buffer that is large enough.</summary>
internal ref struct SshWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    public void Bytes(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer[Length..]);
        Length += bytes.Length;
    }

    public void Number(uint number)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_buffer[Length..], number);
        Length += sizeof(uint);
    }

    public void Text(scoped ReadOnlySpan<byte> text)
    {
        Number((uint)text.Length);
        Bytes(text);
    }
}
