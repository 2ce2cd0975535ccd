using System.Buffers.Binary;
using System.Net;

namespace Netdump.Client.Linux;

/// <summary>
/// Reads the bodies of rtnetlink messages (rtnetlink(7); include/uapi/linux/if_link.h, if_addr.h, rtnetlink.h, neighbour.h).
/// Each method is pure, never throws on wrong bytes and answers null for a body it cannot use.
/// </summary>
public static class NetlinkAnswer
{
    internal const int LinkHeaderSize = 16; // struct ifinfomsg
    internal const int AddressHeaderSize = 8; // struct ifaddrmsg
    internal const int RouteHeaderSize = 12; // struct rtmsg
    internal const int NeighbourHeaderSize = 12; // struct ndmsg

    internal const ushort LinkAddress = 1;
    internal const ushort LinkName = 3;
    internal const ushort LinkMtu = 4;
    internal const ushort LinkLower = 5;
    internal const ushort LinkMaster = 10;
    internal const ushort AddressItself = 1;
    internal const ushort AddressLocal = 2;
    internal const ushort AddressValidity = 6;
    internal const ushort AddressFlags = 8;
    internal const ushort RouteDestination = 1;
    internal const ushort RouteOutput = 4;
    internal const ushort RouteGateway = 5;
    internal const ushort RoutePriority = 6;
    internal const ushort RouteSource = 7;
    internal const ushort RouteTable = 15;
    internal const ushort RouteVia = 18;
    internal const ushort NeighbourAddress = 1;
    internal const ushort NeighbourHardware = 2;

    /// <summary>Reads the body of RTM_NEWLINK.</summary>
    public static Link? ReadLink(ReadOnlySpan<byte> body)
    {
        if (body.Length < LinkHeaderSize) return null;
        int index = BinaryPrimitives.ReadInt32LittleEndian(body[4..]);
        LinkFlags flags = (LinkFlags)BinaryPrimitives.ReadUInt32LittleEndian(body[8..]);
        string name = "";
        MacAddress? mac = null, permanent = null;
        LinkInfo info = new();
        int mtu = 0, master = 0, lower = 0;
        NetlinkAttributes attributes = new(body[LinkHeaderSize..]);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case LinkAddress: mac = attribute.Mac; break;
                case LinkName: name = attribute.Text; break;
                case LinkMtu: mtu = (int)Math.Min(attribute.Number, int.MaxValue); break;
                case LinkLower: lower = (int)Math.Min(attribute.Number, int.MaxValue); break;
                case LinkMaster: master = (int)Math.Min(attribute.Number, int.MaxValue); break;
                case LinkInfo.Attribute: info = LinkInfo.Read(attribute.Value); break;
                case 54: permanent = attribute.Mac; break; // IFLA_PERM_ADDRESS
                default: break;
            }
        }
        permanent ??= info.PermanentMac;
        return index > 0 && name.Length > 0
            ? new Link(index, name, flags, mac, permanent, mtu, master, lower, info.Kind ?? "", info.Vlan, info.Bond, info.Bridge, info.BridgePortState) : null;
    }

    /// <summary>Reads the body of RTM_NEWADDR.</summary>
    public static InterfaceAddress? ReadAddress(ReadOnlySpan<byte> body)
    {
        if (body.Length < AddressHeaderSize) return null;
        byte family = body[0];
        uint flags = body[2], valid = InterfaceAddress.Forever;
        int index = BinaryPrimitives.ReadInt32LittleEndian(body[4..]);
        IPAddress? local = null, itself = null;
        NetlinkAttributes attributes = new(body[AddressHeaderSize..]);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case AddressItself: itself = ReadAddress(attribute.Value, family, index); break;
                case AddressLocal: local = ReadAddress(attribute.Value, family, index); break;
                case AddressFlags: flags = attribute.Number; break;
                // struct ifa_cacheinfo: preferred u32, valid u32, ...
                case AddressValidity when attribute.Value.Length >= 8: valid = BinaryPrimitives.ReadUInt32LittleEndian(attribute.Value[4..]); break;
                default: break;
            }
        }
        // On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL ours; IPv6 usually gives IFA_ADDRESS alone.
        IPAddress? address = local ?? itself;
        bool usable = index > 0 && address is not null && body[1] <= 8 * NetlinkFamily.Length(family);
        return usable ? new InterfaceAddress(index, address!, body[1], body[3], flags, valid) : null;
    }

    /// <summary>Reads the body of RTM_NEWROUTE; null for routes of other families and cloned ones (RTM_F_CLONED in a dump).</summary>
    public static Route? ReadRoute(ReadOnlySpan<byte> body)
    {
        if (body.Length < RouteHeaderSize) return null;
        byte family = body[0], prefix = body[1];
        if (family is not (NetlinkFamily.Inter or NetlinkFamily.Inter6) || prefix > 8 * NetlinkFamily.Length(family)) return null;
        IPAddress? destination = null, gateway = null, source = null;
        uint table = body[4], metric = 0;
        int index = 0;
        NetlinkAttributes attributes = new(body[RouteHeaderSize..]);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case RouteDestination: destination = ReadAddress(attribute.Value, family, 0); break;
                case RouteOutput: index = (int)Math.Min(attribute.Number, int.MaxValue); break;
                case RouteGateway: gateway = ReadAddress(attribute.Value, family, 0); break;
                case RouteVia when attribute.Value.Length > 2: gateway = NetlinkFamily.Read(attribute.Value[2..]); break;
                case RoutePriority: metric = attribute.Number; break;
                case RouteSource: source = ReadAddress(attribute.Value, family, 0); break;
                case RouteTable: table = attribute.Number; break;
                default: break;
            }
        }
        if (destination is null && prefix > 0) return null;
        destination ??= family == NetlinkFamily.Inter6 ? IPAddress.IPv6Any : IPAddress.Any;
        return new Route(destination, prefix, WithScope(gateway, index), source, index, table, body[7], metric);
    }

    /// <summary>Reads the body of RTM_NEWNEIGH.</summary>
    public static Neighbour? ReadNeighbour(ReadOnlySpan<byte> body)
    {
        if (body.Length < NeighbourHeaderSize) return null;
        byte family = body[0];
        int index = BinaryPrimitives.ReadInt32LittleEndian(body[4..]);
        NeighbourState state = (NeighbourState)BinaryPrimitives.ReadUInt16LittleEndian(body[8..]);
        IPAddress? address = null;
        MacAddress? mac = null;
        NetlinkAttributes attributes = new(body[NeighbourHeaderSize..]);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case NeighbourAddress: address = ReadAddress(attribute.Value, family, index); break;
                case NeighbourHardware: mac = attribute.Mac; break;
                default: break;
            }
        }
        return index > 0 && address is not null ? new Neighbour(index, address, mac, state) : null;
    }

    private static IPAddress? ReadAddress(ReadOnlySpan<byte> bytes, byte family, int scope) =>
        bytes.Length == NetlinkFamily.Length(family) ? NetlinkFamily.Read(bytes, scope) : null;

    private static IPAddress? WithScope(IPAddress? address, int index) =>
        address is { IsIPv6LinkLocal: true } && index > 0 ? new IPAddress(address.GetAddressBytes(), index) : address;
}
