using System.Buffers.Binary;

namespace Netdump.Server.Receivers.Udp;

/// <summary>struct sockaddr_in and sockaddr_in6 in memory, to and from keys, without objects.</summary>
internal static unsafe class SocketAddress
{
    /// <summary>Room for either family.</summary>
    public const int MaxLength = 28;

    private const int IPv4Length = 16;
    private const ushort IPv4Family = 2;
    private const ushort IPv6Family = 10;

    /// <summary>Reads what the kernel wrote; false for a family that is not IP.</summary>
    public static bool TryRead(byte* name, uint length, out AddressKey key, out ushort port)
    {
        ReadOnlySpan<byte> bytes = new(name, (int)Math.Min(length, MaxLength));
        key = default;
        port = 0;
        if (bytes.Length < IPv4Length) return false;
        ushort family = *(ushort*)name;
        port = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        if (family == IPv4Family)
        {
            key = AddressKey.FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]));
            return true;
        }

        if (family != IPv6Family || bytes.Length < MaxLength) return false;
        key = new AddressKey(
            BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]), *(uint*)(name + 24));
        return true;
    }

    /// <summary>Writes an address for a socket of the given family; returns its length.</summary>
    public static uint Write(byte* name, in AddressKey key, ushort port, bool socketIsIPv6)
    {
        Span<byte> bytes = new(name, MaxLength);
        bytes.Clear();
        *(ushort*)name = socketIsIPv6 ? IPv6Family : IPv4Family;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], port);
        if (!socketIsIPv6)
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], key.IPv4);
            return IPv4Length;
        }

        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], key.High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], key.Low);
        *(uint*)(name + 24) = key.Scope;
        return MaxLength;
    }
}
