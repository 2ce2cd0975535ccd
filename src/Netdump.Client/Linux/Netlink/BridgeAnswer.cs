using System.Buffers.Binary;

namespace Netdump.Client.Linux;

/// <summary>Reads what bridges tell through rtnetlink (include/uapi/linux/if_bridge.h, neighbour.h). Never throws on wrong bytes.</summary>
public static class BridgeAnswer
{
    internal const byte Family = 7; // AF_BRIDGE
    internal const ushort ExtensionMask = 29; // IFLA_EXT_MASK
    internal const uint VlanRanges = 4; // RTEXT_FILTER_BRVLAN_COMPRESSED

    private const ushort Specific = 26; // IFLA_AF_SPEC
    private const ushort VlanEntry = 2; // IFLA_BRIDGE_VLAN_INFO: flags u16, number u16
    private const ushort Default = 2, Untagged = 4, RangeBegin = 8, RangeEnd = 16; // BRIDGE_VLAN_INFO_*

    /// <summary>Reads the body of RTM_NEWNEIGH of a bridge's forwarding table.</summary>
    public static ForwardingEntry? ReadForwarding(ReadOnlySpan<byte> body)
    {
        if (body.Length < NetlinkAnswer.NeighbourHeaderSize || body[0] != Family) return null;
        int port = BinaryPrimitives.ReadInt32LittleEndian(body[4..]);
        MacAddress? mac = null;
        NetlinkAttributes attributes = new(body[NetlinkAnswer.NeighbourHeaderSize..]);
        while (attributes.TryNext(out NetlinkAttribute attribute))
            if (attribute.Type == NetlinkAnswer.NeighbourHardware) mac = attribute.Mac;
        return port > 0 && mac is { } address ? new ForwardingEntry(port, address) : null;
    }

    /// <summary>Reads the body of RTM_NEWLINK of the bridge family: the VLANs of one port. Null when it tells of none.</summary>
    public static IReadOnlyList<BridgeVlan>? ReadVlans(ReadOnlySpan<byte> body)
    {
        if (body.Length < NetlinkAnswer.LinkHeaderSize || body[0] != Family) return null;
        int index = BinaryPrimitives.ReadInt32LittleEndian(body[4..]);
        List<BridgeVlan>? vlans = null;
        NetlinkAttributes attributes = new(body[NetlinkAnswer.LinkHeaderSize..]);
        while (attributes.TryNext(out NetlinkAttribute attribute))
            if (attribute.Type == Specific) vlans = ReadSpecific(index, attribute.Value);
        return vlans;
    }

    private static List<BridgeVlan> ReadSpecific(int index, ReadOnlySpan<byte> nested)
    {
        List<BridgeVlan> vlans = [];
        int first = 0;
        NetlinkAttributes attributes = new(nested);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type != VlanEntry || attribute.Value.Length < 4) continue;
            int flags = BinaryPrimitives.ReadUInt16LittleEndian(attribute.Value), number = BinaryPrimitives.ReadUInt16LittleEndian(attribute.Value[2..]);
            if ((flags & RangeBegin) != 0)
            {
                first = number;
                continue;
            }
            if ((flags & RangeEnd) == 0) first = number;
            vlans.Add(new BridgeVlan(index, first, number, (flags & Default) != 0, (flags & Untagged) != 0));
        }
        return vlans;
    }
}
