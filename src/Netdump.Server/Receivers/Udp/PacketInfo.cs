using System.Buffers.Binary;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// Control messages: which of our addresses a datagram came to (IP_PKTINFO, IPV6_PKTINFO), which one an answer leaves from, and where a
/// message of several datagrams is cut (UDP_GRO).
/// </summary>
internal static unsafe class PacketInfo
{
    /// <summary>Room for what the kernel may attach to one datagram.</summary>
    public const int ReceiveSpace = 128;

    /// <summary>Room for one packet-info message to send.</summary>
    public const int SendSpace = 40;

    private const int IPv4DataLength = 12; // interface index, address for routing, destination address
    private const int IPv6DataLength = 20; // address, interface index

    /// <summary>Reads the control messages of one message. Absent ones leave their value as it was.</summary>
    public static void Read(byte* control, nuint length, ref AddressKey local, ref int segment)
    {
        int end = (int)Math.Min(length, ReceiveSpace);
        int at = 0;
        while (at + ControlHeader.Size <= end)
        {
            ControlHeader* header = (ControlHeader*)(control + at);
            if (header->Length < ControlHeader.Size || header->Length > (nuint)(end - at)) return;
            int dataLength = (int)header->Length - ControlHeader.Size;
            ReadOnlySpan<byte> data = new(control + at + ControlHeader.Size, dataLength);
            if (header->Level == SocketCalls.IPv6Level && header->Type == SocketCalls.IPv6PacketInfo && dataLength >= IPv6DataLength)
                local = new AddressKey(BinaryPrimitives.ReadUInt64BigEndian(data), BinaryPrimitives.ReadUInt64BigEndian(data[8..]), 0);
            else if (header->Level == SocketCalls.IPLevel && header->Type == SocketCalls.IPPacketInfo && dataLength >= IPv4DataLength)
                local = AddressKey.FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(data[8..]));
            else if (header->Level == SocketCalls.UdpLevel && header->Type == SocketCalls.UdpReceiveOffload && dataLength >= 4)
                segment = *(int*)(control + at + ControlHeader.Size);
            at += ControlHeader.Space(dataLength);
        }
    }

    /// <summary>Whether an answer can leave from this address: a group or broadcast address cannot.</summary>
    public static bool CanSendFrom(in AddressKey local)
    {
        if (local.IsEmpty) return false;
        if (local.IsIPv4) return local.IPv4 >> 28 < 14;
        return local.High >> 56 != 0xff;
    }

    /// <summary>Writes the message that makes a datagram leave from <paramref name="peer"/>'s local address; returns its length.</summary>
    public static nuint Write(byte* control, in Peer peer, bool socketIsIPv6)
    {
        ControlHeader* header = (ControlHeader*)control;
        int dataLength = socketIsIPv6 ? IPv6DataLength : IPv4DataLength;
        new Span<byte>(control, ControlHeader.Space(dataLength)).Clear();
        Span<byte> data = new(control + ControlHeader.Size, dataLength);
        header->Length = (nuint)(ControlHeader.Size + dataLength);
        if (socketIsIPv6)
        {
            header->Level = SocketCalls.IPv6Level;
            header->Type = SocketCalls.IPv6PacketInfo;
            BinaryPrimitives.WriteUInt64BigEndian(data, peer.Local.High);
            BinaryPrimitives.WriteUInt64BigEndian(data[8..], peer.Local.Low);
            // A link-local address means nothing without its interface, which is the one the peer is on.
            *(uint*)(control + ControlHeader.Size + 16) = peer.Key.Scope;
        }
        else
        {
            header->Level = SocketCalls.IPLevel;
            header->Type = SocketCalls.IPPacketInfo;
            BinaryPrimitives.WriteUInt32BigEndian(data[4..], peer.Local.IPv4);
        }

        return (nuint)ControlHeader.Space(dataLength);
    }
}
