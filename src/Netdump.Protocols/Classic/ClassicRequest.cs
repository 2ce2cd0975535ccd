using System.Buffers.Binary;

namespace Netdump.Protocols.Classic;

/// <summary>A request of a server to a crashed client: 24 bytes, big-endian, fields at 0, 8, 12, 16 and 20 (redhat-netdump 2.2).</summary>
/// <param name="Magic">The shared cookie; original clients ignore it.</param>
/// <param name="Number">Chosen by the server, echoed in each reply.</param>
/// <param name="Command">What is asked.</param>
/// <param name="From">Page frame number, chunk number or version, by command.</param>
/// <param name="To">0, but for the acceptance of our extension in <see cref="ClassicCommand.AcknowledgeStart"/>.</param>
public readonly record struct ClassicRequest(ulong Magic, uint Number, ClassicCommand Command, uint From, uint To)
{
    /// <summary>Bytes of a request on the wire.</summary>
    public const int Size = 24;

    /// <summary>UDP port of both sides unless configured otherwise.</summary>
    public const int DefaultPort = 6666;

    /// <summary>Reads a request. Longer datagrams are taken, their extra bytes ignored, as original clients do.</summary>
    /// <returns>False if the datagram is shorter than <see cref="Size"/>.</returns>
    public static bool TryRead(ReadOnlySpan<byte> datagram, out ClassicRequest request)
    {
        if (datagram.Length < Size)
        {
            request = default;
            return false;
        }

        request = new ClassicRequest(
            BinaryPrimitives.ReadUInt64BigEndian(datagram),
            BinaryPrimitives.ReadUInt32BigEndian(datagram[8..]),
            (ClassicCommand)BinaryPrimitives.ReadUInt32BigEndian(datagram[12..]),
            BinaryPrimitives.ReadUInt32BigEndian(datagram[16..]),
            BinaryPrimitives.ReadUInt32BigEndian(datagram[20..]));
        return true;
    }

    /// <summary>Writes the 24 bytes of the request to the start of <paramref name="destination"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The destination is shorter than <see cref="Size"/>.</exception>
    public void Write(Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, Size);
        BinaryPrimitives.WriteUInt64BigEndian(destination, Magic);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], Number);
        BinaryPrimitives.WriteUInt32BigEndian(destination[12..], (uint)Command);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], From);
        BinaryPrimitives.WriteUInt32BigEndian(destination[20..], To);
    }
}
