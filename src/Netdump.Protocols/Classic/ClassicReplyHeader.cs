using System.Buffers.Binary;

namespace Netdump.Protocols.Classic;

/// <summary>The 13 bytes before the payload of every reply, big-endian, unaligned: fields at 0, 1, 5 and 9 (redhat-netdump 2.3).</summary>
/// <param name="Version">4 or 5; no format differs between them.</param>
/// <param name="Number">Echo of the request; machine in START; 0 in LOG and END.</param>
/// <param name="Code">Kind of the reply.</param>
/// <param name="Info">Meaning depends on the code.</param>
public readonly record struct ClassicReplyHeader(byte Version, uint Number, ClassicReplyCode Code, uint Info)
{
    /// <summary>Bytes of the header; the payload follows.</summary>
    public const int Size = 13;

    /// <summary>Bytes of memory in one <see cref="ClassicReplyCode.Memory"/> reply.</summary>
    public const int ChunkSize = 1024;

    /// <summary>The lowest version, spoken before anything is negotiated and by all console text.</summary>
    public const byte BaseVersion = 4;

    /// <summary>The highest version.</summary>
    public const byte MaximumVersion = 5;

    /// <summary>Reads the header of a reply; the payload is <c>datagram[13..]</c>. Any version byte is read: the caller judges it.</summary>
    /// <returns>False if the datagram is shorter than <see cref="Size"/>.</returns>
    public static bool TryRead(ReadOnlySpan<byte> datagram, out ClassicReplyHeader header)
    {
        if (datagram.Length < Size)
        {
            header = default;
            return false;
        }

        header = new ClassicReplyHeader(
            datagram[0],
            BinaryPrimitives.ReadUInt32BigEndian(datagram[1..]),
            (ClassicReplyCode)BinaryPrimitives.ReadUInt32BigEndian(datagram[5..]),
            BinaryPrimitives.ReadUInt32BigEndian(datagram[9..]));
        return true;
    }

    /// <summary>Writes the 13 bytes of the header to the start of <paramref name="destination"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The destination is shorter than <see cref="Size"/>.</exception>
    public void Write(Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, Size);
        destination[0] = Version;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], Number);
        BinaryPrimitives.WriteUInt32BigEndian(destination[5..], (uint)Code);
        BinaryPrimitives.WriteUInt32BigEndian(destination[9..], Info);
    }
}
