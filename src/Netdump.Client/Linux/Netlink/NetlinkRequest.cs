using System.Buffers.Binary;
using System.Net;

namespace Netdump.Client.Linux;

/// <summary>
/// Builds the rtnetlink requests we send. Each method writes one message at the start of the buffer, which must hold
/// <see cref="MaximumSize"/> bytes, and returns its length.
/// </summary>
public static class NetlinkRequest
{
    /// <summary>No request of ours is longer.</summary>
    public const int MaximumSize = 256;

    private const NetlinkFlags Make = NetlinkFlags.Request | NetlinkFlags.Acknowledge | NetlinkFlags.Create | NetlinkFlags.Replace;
    private const byte UniverseScope = 0; // RT_SCOPE_UNIVERSE
    private const byte LinkScope = 253; // RT_SCOPE_LINK
    private const byte BootProtocol = 3; // RTPROT_BOOT: set while the system starts
    private const uint NoDuplicateDetection = 0x02; // IFA_F_NODAD: usable at once
    private const uint OnLink = 4; // RTNH_F_ONLINK: the gateway is on this link even if no address of ours says so

    /// <summary>All entries of a table (<see cref="NetlinkType.GetLink"/>, GetAddress, GetRoute, GetNeighbour), of all families.</summary>
    public static int Dump(Span<byte> buffer, NetlinkType type, uint sequence)
    {
        NetlinkWriter writer = new(buffer, type, NetlinkFlags.Request | NetlinkFlags.Dump, sequence);
        writer.Reserve(type switch
        {
            NetlinkType.GetLink => NetlinkAnswer.LinkHeaderSize,
            NetlinkType.GetAddress => NetlinkAnswer.AddressHeaderSize,
            _ => NetlinkAnswer.RouteHeaderSize,
        });
        return writer.Finish();
    }

    /// <summary>The forwarding tables of all bridges.</summary>
    public static int DumpForwarding(Span<byte> buffer, uint sequence)
    {
        NetlinkWriter writer = new(buffer, NetlinkType.GetNeighbour, NetlinkFlags.Request | NetlinkFlags.Dump, sequence);
        writer.Reserve(NetlinkAnswer.NeighbourHeaderSize)[0] = BridgeAnswer.Family;
        return writer.Finish();
    }

    /// <summary>The VLANs of all bridges' ports.</summary>
    public static int DumpBridgeVlans(Span<byte> buffer, uint sequence)
    {
        NetlinkWriter writer = new(buffer, NetlinkType.GetLink, NetlinkFlags.Request | NetlinkFlags.Dump, sequence);
        writer.Reserve(NetlinkAnswer.LinkHeaderSize)[0] = BridgeAnswer.Family;
        writer.Attribute(BridgeAnswer.ExtensionMask, BridgeAnswer.VlanRanges);
        return writer.Finish();
    }

    /// <summary>One interface.</summary>
    public static int GetLink(Span<byte> buffer, uint sequence, int index)
    {
        NetlinkWriter writer = new(buffer, NetlinkType.GetLink, NetlinkFlags.Request, sequence);
        BinaryPrimitives.WriteInt32LittleEndian(writer.Reserve(NetlinkAnswer.LinkHeaderSize)[4..], index);
        return writer.Finish();
    }

    /// <summary>Switches an interface on, and sets its MTU unless <paramref name="mtu"/> is 0.</summary>
    public static int SetUp(Span<byte> buffer, uint sequence, int index, int mtu)
    {
        NetlinkWriter writer = new(buffer, NetlinkType.NewLink, NetlinkFlags.Request | NetlinkFlags.Acknowledge, sequence);
        Span<byte> header = writer.Reserve(NetlinkAnswer.LinkHeaderSize);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], index);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], (uint)LinkFlags.Up);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)LinkFlags.Up);
        if (mtu > 0) writer.Attribute(NetlinkAnswer.LinkMtu, (uint)mtu);
        return writer.Finish();
    }

    /// <summary>Adds or replaces an address; an IPv6 one is usable at once, without duplicate address detection.</summary>
    public static int AddAddress(Span<byte> buffer, uint sequence, int index, IPAddress address, int prefixLength)
    {
        byte family = NetlinkFamily.Of(address);
        NetlinkWriter writer = new(buffer, NetlinkType.NewAddress, Make, sequence);
        Span<byte> header = writer.Reserve(NetlinkAnswer.AddressHeaderSize);
        header[0] = family;
        header[1] = (byte)prefixLength;
        header[3] = address.IsIPv6LinkLocal ? LinkScope : UniverseScope;
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], index);
        writer.Attribute(NetlinkAnswer.AddressLocal, address);
        writer.Attribute(NetlinkAnswer.AddressItself, address);
        if (family == NetlinkFamily.Inter6) writer.Attribute(NetlinkAnswer.AddressFlags, NoDuplicateDetection);
        return writer.Finish();
    }

    /// <summary>Adds or replaces a unicast route in its table.</summary>
    public static int AddRoute(Span<byte> buffer, uint sequence, Route route)
    {
        byte family = NetlinkFamily.Of(route.Destination);
        NetlinkWriter writer = new(buffer, NetlinkType.NewRoute, Make, sequence);
        Span<byte> header = writer.Reserve(NetlinkAnswer.RouteHeaderSize);
        header[0] = family;
        header[1] = (byte)route.PrefixLength;
        header[4] = (byte)Math.Min(route.Table, 255);
        header[5] = BootProtocol;
        header[6] = route.Gateway is null && family == NetlinkFamily.Inter ? LinkScope : UniverseScope;
        header[7] = route.Type;
        if (route.Gateway is not null) BinaryPrimitives.WriteUInt32LittleEndian(header[8..], OnLink);
        if (route.PrefixLength > 0) writer.Attribute(NetlinkAnswer.RouteDestination, route.Destination);
        if (route.Gateway is { } gateway)
        {
            if (NetlinkFamily.Of(gateway) == family) writer.Attribute(NetlinkAnswer.RouteGateway, gateway);
            else
            {
                Span<byte> via = stackalloc byte[18]; // struct rtvia: family u16, address
                BinaryPrimitives.WriteUInt16LittleEndian(via, NetlinkFamily.Of(gateway));
                gateway.TryWriteBytes(via[2..], out int length);
                writer.Attribute(NetlinkAnswer.RouteVia, via[..(2 + length)]);
            }
        }
        if (route.Source is { } source) writer.Attribute(NetlinkAnswer.RouteSource, source);
        if (route.Metric != 0) writer.Attribute(NetlinkAnswer.RoutePriority, route.Metric);
        writer.Attribute(NetlinkAnswer.RouteOutput, (uint)route.Index);
        writer.Attribute(NetlinkAnswer.RouteTable, route.Table);
        return writer.Finish();
    }

    /// <summary>Which route a packet to <paramref name="destination"/> would take.</summary>
    /// <param name="buffer">Where to write.</param>
    /// <param name="sequence">Request number.</param>
    /// <param name="destination">IPv4 or IPv6 address; its scope, if any, is the interface asked for.</param>
    /// <param name="index">Only by this interface; 0: any.</param>
    public static int Lookup(Span<byte> buffer, uint sequence, IPAddress destination, int index)
    {
        NetlinkWriter writer = new(buffer, NetlinkType.GetRoute, NetlinkFlags.Request, sequence);
        Span<byte> header = writer.Reserve(NetlinkAnswer.RouteHeaderSize);
        header[0] = NetlinkFamily.Of(destination);
        header[1] = (byte)(8 * NetlinkFamily.Length(header[0]));
        writer.Attribute(NetlinkAnswer.RouteDestination, destination);
        int output = index == 0 && destination.IsIPv6LinkLocal ? (int)destination.ScopeId : index;
        if (output != 0) writer.Attribute(NetlinkAnswer.RouteOutput, (uint)output);
        return writer.Finish();
    }

    /// <summary>Sets a permanent neighbour entry, replacing what is known.</summary>
    public static int SetNeighbour(Span<byte> buffer, uint sequence, int index, IPAddress address, MacAddress mac)
    {
        NetlinkWriter writer = new(buffer, NetlinkType.NewNeighbour, Make, sequence);
        Span<byte> header = writer.Reserve(NetlinkAnswer.NeighbourHeaderSize);
        header[0] = NetlinkFamily.Of(address);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], index);
        BinaryPrimitives.WriteUInt16LittleEndian(header[8..], (ushort)NeighbourState.Permanent);
        writer.Attribute(NetlinkAnswer.NeighbourAddress, address);
        Span<byte> bytes = stackalloc byte[MacAddress.Size];
        mac.Write(bytes);
        writer.Attribute(NetlinkAnswer.NeighbourHardware, bytes);
        return writer.Finish();
    }
}
