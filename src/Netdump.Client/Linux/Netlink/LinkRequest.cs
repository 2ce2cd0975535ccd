using System.Buffers.Binary;
using System.Text;

namespace Netdump.Client.Linux;

/// <summary>
/// Builds the requests that make and change virtual interfaces. Each method writes one message at the start of the buffer, which must hold
/// <see cref="NetlinkRequest.MaximumSize"/> bytes, and returns its length. A name has at most <see cref="LongestName"/> bytes.
/// </summary>
public static class LinkRequest
{
    /// <summary>Bytes of an interface's name (IFNAMSIZ without its NUL).</summary>
    public const int LongestName = 15;

    private const NetlinkFlags Change = NetlinkFlags.Request | NetlinkFlags.Acknowledge;
    private const NetlinkFlags Make = Change | NetlinkFlags.Create | NetlinkFlags.Exclusive;

    /// <summary>Makes a VLAN's interface.</summary>
    /// <param name="buffer">Where to write.</param>
    /// <param name="sequence">Request number.</param>
    /// <param name="name">Its name.</param>
    /// <param name="mac">Its hardware address; null: that of the interface below.</param>
    /// <param name="lower">The interface it lies on.</param>
    /// <param name="vlan">The VLAN.</param>
    public static int MakeVlan(Span<byte> buffer, uint sequence, string name, MacAddress? mac, int lower, VlanOptions vlan)
    {
        NetlinkWriter writer = Begin(buffer, sequence, Make, 0);
        Describe(ref writer, name, mac);
        writer.Attribute(NetlinkAnswer.LinkLower, (uint)lower);
        LinkInfo.Write(ref writer, vlan);
        return writer.Finish();
    }

    /// <summary>Makes a bond without ports.</summary>
    /// <param name="buffer">Where to write.</param>
    /// <param name="sequence">Request number.</param>
    /// <param name="name">Its name.</param>
    /// <param name="mac">Its hardware address; null: that of its first port.</param>
    /// <param name="bond">How it works; primary, active port and partner are not written.</param>
    public static int MakeBond(Span<byte> buffer, uint sequence, string name, MacAddress? mac, BondOptions bond)
    {
        NetlinkWriter writer = Begin(buffer, sequence, Make, 0);
        Describe(ref writer, name, mac);
        LinkInfo.Write(ref writer, bond);
        return writer.Finish();
    }

    /// <summary>Makes a bridge without ports that forwards at once and takes part in no spanning tree.</summary>
    public static int MakeBridge(Span<byte> buffer, uint sequence, string name, MacAddress? mac)
    {
        NetlinkWriter writer = Begin(buffer, sequence, Make, 0);
        Describe(ref writer, name, mac);
        LinkInfo.WriteBridge(ref writer);
        return writer.Finish();
    }

    /// <summary>Puts an interface under a bond or bridge.</summary>
    public static int SetMaster(Span<byte> buffer, uint sequence, int index, int master)
    {
        NetlinkWriter writer = Begin(buffer, sequence, Change, index);
        writer.Attribute(NetlinkAnswer.LinkMaster, (uint)master);
        return writer.Finish();
    }

    /// <summary>Prefers a port of a bond.</summary>
    public static int SetPrimary(Span<byte> buffer, uint sequence, int bond, int port)
    {
        NetlinkWriter writer = Begin(buffer, sequence, Change, bond);
        LinkInfo.WritePrimary(ref writer, port);
        return writer.Finish();
    }

    /// <summary>Gives an interface a hardware address.</summary>
    public static int SetMac(Span<byte> buffer, uint sequence, int index, MacAddress mac)
    {
        NetlinkWriter writer = Begin(buffer, sequence, Change, index);
        writer.Attribute(NetlinkAnswer.LinkAddress, mac);
        return writer.Finish();
    }

    /// <summary>Removes a virtual interface.</summary>
    public static int Delete(Span<byte> buffer, uint sequence, int index) => Begin(buffer, sequence, Change, index, NetlinkType.DeleteLink).Finish();

    private static NetlinkWriter Begin(Span<byte> buffer, uint sequence, NetlinkFlags flags, int index, NetlinkType type = NetlinkType.NewLink)
    {
        NetlinkWriter writer = new(buffer, type, flags, sequence);
        BinaryPrimitives.WriteInt32LittleEndian(writer.Reserve(NetlinkAnswer.LinkHeaderSize)[4..], index);
        return writer;
    }

    private static void Describe(ref NetlinkWriter writer, string name, MacAddress? mac)
    {
        if (Encoding.UTF8.GetByteCount(name) > LongestName) throw new ArgumentException($"'{name}' is too long for an interface's name", nameof(name));
        writer.Attribute(NetlinkAnswer.LinkName, name);
        if (mac is { } address) writer.Attribute(NetlinkAnswer.LinkAddress, address);
    }
}
