using System.Buffers.Binary;

namespace Netdump.Client.Linux;

/// <summary>
/// IFLA_LINKINFO, the attribute that says what a virtual interface is (include/uapi/linux/if_link.h): read from answers, written into requests.
/// Reading never throws on wrong bytes.
/// </summary>
internal ref struct LinkInfo
{
    public const ushort Attribute = 18; // IFLA_LINKINFO
    public const string VlanKind = "vlan", BondKind = "bond", BridgeKind = "bridge";

    private const ushort InfoKind = 1, InfoData = 2, InfoSlaveKind = 4, InfoSlaveData = 5;
    private const ushort VlanId = 1, VlanProtocol = 5;
    private const ushort BondMode = 1, BondActive = 2, BondMonitor = 3, BondPrimary = 11, BondFailOverMac = 13, BondHashPolicy = 14, BondLacpRate = 21,
        BondLacpInfo = 23, BondSystemPriority = 24, BondPortKey = 25, BondSystemMac = 26, BondLacpActive = 29;
    private const ushort LacpPartner = 5;
    private const ushort BridgeForwardDelay = 1, BridgeSpanningTree = 5, BridgeVlanFiltering = 7;
    private const ushort PortState = 1, SlavePermanentMac = 4;

    public string Kind { get; private set; }

    public VlanOptions? Vlan { get; private set; }

    public BondOptions? Bond { get; private set; }

    public BridgeOptions? Bridge { get; private set; }

    /// <summary>Of a bridge's port: its state, 3 when it forwards.</summary>
    public int? BridgePortState { get; private set; }

    /// <summary>Of a bond's port: the hardware address it had before.</summary>
    public MacAddress? PermanentMac { get; private set; }

    public static LinkInfo Read(ReadOnlySpan<byte> nested)
    {
        LinkInfo info = new() { Kind = "" };
        string slaveKind = "";
        ReadOnlySpan<byte> data = default, slaveData = default;
        NetlinkAttributes attributes = new(nested);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case InfoKind: info.Kind = attribute.Text; break;
                case InfoData: data = attribute.Value; break;
                case InfoSlaveKind: slaveKind = attribute.Text; break;
                case InfoSlaveData: slaveData = attribute.Value; break;
                default: break;
            }
        }
        if (info.Kind == VlanKind) info.Vlan = ReadVlan(data);
        else if (info.Kind == BondKind) info.Bond = ReadBond(data);
        else if (info.Kind == BridgeKind) info.Bridge = ReadBridge(data);
        NetlinkAttributes ofSlave = new(slaveData);
        while (ofSlave.TryNext(out NetlinkAttribute attribute))
        {
            if (slaveKind == BridgeKind && attribute.Type == PortState) info.BridgePortState = attribute.Small;
            else if (slaveKind == BondKind && attribute.Type == SlavePermanentMac) info.PermanentMac = attribute.Mac;
        }
        return info;
    }

    public static void Write(ref NetlinkWriter writer, VlanOptions vlan)
    {
        int info = Open(ref writer, VlanKind, out int data);
        Span<byte> number = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(number, (ushort)vlan.Id);
        writer.Attribute(VlanId, number);
        BinaryPrimitives.WriteUInt16BigEndian(number, (ushort)vlan.Protocol);
        writer.Attribute(VlanProtocol, number);
        writer.Close(data);
        writer.Close(info);
    }

    /// <summary>All but the ports, which are not there yet.</summary>
    public static void Write(ref NetlinkWriter writer, BondOptions bond)
    {
        int info = Open(ref writer, BondKind, out int data);
        writer.Attribute(BondMode, (byte)bond.Mode);
        writer.Attribute(BondMonitor, bond.MonitorInterval);
        writer.Attribute(BondHashPolicy, (byte)bond.HashPolicy);
        if (bond.FailOverMac != 0) writer.Attribute(BondFailOverMac, (byte)bond.FailOverMac);
        if (bond.Mode == BondOptions.Lacp)
        {
            // The kernel refuses these in other modes.
            writer.Attribute(BondLacpRate, (byte)bond.LacpRate);
            if (bond.LacpActive == false) writer.Attribute(BondLacpActive, 0);
            Span<byte> number = stackalloc byte[2];
            if (bond.SystemPriority != 0)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(number, (ushort)bond.SystemPriority);
                writer.Attribute(BondSystemPriority, number);
            }
            if (bond.PortKey != 0)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(number, (ushort)bond.PortKey);
                writer.Attribute(BondPortKey, number);
            }
            if (bond.SystemMac is { IsZero: false } system) writer.Attribute(BondSystemMac, system);
        }
        writer.Close(data);
        writer.Close(info);
    }

    public static void WritePrimary(ref NetlinkWriter writer, int port)
    {
        int info = Open(ref writer, BondKind, out int data);
        writer.Attribute(BondPrimary, (uint)port);
        writer.Close(data);
        writer.Close(info);
    }

    /// <summary>A bridge that forwards at once.</summary>
    public static void WriteBridge(ref NetlinkWriter writer)
    {
        int info = Open(ref writer, BridgeKind, out int data);
        writer.Attribute(BridgeForwardDelay, 0u);
        writer.Attribute(BridgeSpanningTree, 0u);
        writer.Close(data);
        writer.Close(info);
    }

    private static int Open(ref NetlinkWriter writer, string kind, out int data)
    {
        int info = writer.Open(Attribute);
        writer.Attribute(InfoKind, kind);
        data = writer.Open(InfoData);
        return info;
    }

    private static VlanOptions? ReadVlan(ReadOnlySpan<byte> data)
    {
        int id = 0, protocol = VlanOptions.Customer;
        NetlinkAttributes attributes = new(data);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == VlanId) id = attribute.Short;
            else if (attribute.Type == VlanProtocol && attribute.Value.Length == 2) protocol = BinaryPrimitives.ReadUInt16BigEndian(attribute.Value);
        }
        return id is > 0 and < 4095 ? new VlanOptions(id, protocol) : null;
    }

    private static BondOptions ReadBond(ReadOnlySpan<byte> data)
    {
        BondOptions bond = new();
        NetlinkAttributes attributes = new(data);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            bond = attribute.Type switch
            {
                BondMode => bond with { Mode = attribute.Small },
                BondActive => bond with { Active = (int)Math.Min(attribute.Number, int.MaxValue) },
                BondMonitor => bond with { MonitorInterval = attribute.Number },
                BondPrimary => bond with { Primary = (int)Math.Min(attribute.Number, int.MaxValue) },
                BondFailOverMac => bond with { FailOverMac = attribute.Small },
                BondHashPolicy => bond with { HashPolicy = attribute.Small },
                BondLacpRate => bond with { LacpRate = attribute.Small },
                BondLacpInfo => bond with { Partner = ReadPartner(attribute.Value) },
                BondSystemPriority => bond with { SystemPriority = attribute.Short },
                BondPortKey => bond with { PortKey = attribute.Short },
                BondSystemMac => bond with { SystemMac = attribute.Mac },
                BondLacpActive => bond with { LacpActive = attribute.Small != 0 },
                _ => bond,
            };
        }
        return bond;
    }

    private static MacAddress? ReadPartner(ReadOnlySpan<byte> nested)
    {
        NetlinkAttributes attributes = new(nested);
        while (attributes.TryNext(out NetlinkAttribute attribute))
            if (attribute.Type == LacpPartner) return attribute.Mac;
        return null;
    }

    private static BridgeOptions ReadBridge(ReadOnlySpan<byte> data)
    {
        BridgeOptions bridge = new(false, false);
        NetlinkAttributes attributes = new(data);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == BridgeSpanningTree) bridge = bridge with { SpanningTree = attribute.Number != 0 };
            else if (attribute.Type == BridgeVlanFiltering) bridge = bridge with { FiltersVlans = attribute.Small != 0 };
        }
        return bridge;
    }
}
