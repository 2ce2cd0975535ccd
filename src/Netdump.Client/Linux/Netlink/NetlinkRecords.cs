using System.Net;
using System.Net.Sockets;

namespace Netdump.Client.Linux;

/// <summary>A network interface.</summary>
/// <param name="Index">Interface index, 1 and up.</param>
/// <param name="Name">Name.</param>
/// <param name="Flags">Flags.</param>
/// <param name="Mac">Hardware address, when the device has one of six bytes.</param>
/// <param name="PermanentMac">The address the device has after a reset, when the driver tells it (kernel 5.6 and later).</param>
/// <param name="Mtu">Bytes of payload of a frame.</param>
/// <param name="Master">Index of the bond, bridge or team it belongs to, or 0.</param>
/// <param name="Lower">Index of the interface a VLAN or macvlan lies on, or 0.</param>
/// <param name="Kind">Kind of a virtual interface (<c>vlan</c>, <c>bond</c>, <c>bridge</c>, <c>veth</c>), empty for a device.</param>
/// <param name="Vlan">Of a VLAN's interface: which.</param>
/// <param name="Bond">Of a bond: how it works.</param>
/// <param name="Bridge">Of a bridge: what matters of it.</param>
/// <param name="PortState">Of a bridge's port: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking (BR_STATE_*).</param>
public sealed record Link(
    int Index, string Name, LinkFlags Flags, MacAddress? Mac, MacAddress? PermanentMac, int Mtu, int Master, int Lower, string Kind,
    VlanOptions? Vlan = null, BondOptions? Bond = null, BridgeOptions? Bridge = null, int? PortState = null)
{
    /// <summary>Switched on and able to send.</summary>
    public bool HasCarrier => (Flags & (LinkFlags.Up | LinkFlags.Running | LinkFlags.LowerUp)) == (LinkFlags.Up | LinkFlags.Running | LinkFlags.LowerUp);
}

/// <summary>An address of an interface.</summary>
/// <param name="Index">The interface.</param>
/// <param name="Address">IPv4 or IPv6 address of this host. Link-local IPv6 addresses carry the interface as scope.</param>
/// <param name="PrefixLength">Length of the network's prefix in bits.</param>
/// <param name="Scope">0 global, 253 link, 254 host (rtnetlink.h, rt_scope_t).</param>
/// <param name="Flags">IFA_F_* (if_addr.h).</param>
/// <param name="ValidSeconds">How long it stays valid; <see cref="Forever"/> when nobody set an end.</param>
public sealed record InterfaceAddress(int Index, IPAddress Address, int PrefixLength, byte Scope, uint Flags, uint ValidSeconds = InterfaceAddress.Forever)
{
    /// <summary>Validity of an address that was set for good.</summary>
    public const uint Forever = uint.MaxValue;

    private const uint TentativeFlag = 0x40; // IFA_F_TENTATIVE
    private const uint FailedFlag = 0x08; // IFA_F_DADFAILED

    /// <summary>True when its validity ends: whoever set it has it from somebody who gives addresses for a time.</summary>
    public bool IsForATime => ValidSeconds != Forever;

    /// <summary>False while duplicate address detection runs or when it failed.</summary>
    public bool IsUsable => (Flags & (TentativeFlag | FailedFlag)) == 0;
}

/// <summary>A route, of a table or as the answer to a lookup.</summary>
/// <param name="Destination">Network; the address itself in a lookup.</param>
/// <param name="PrefixLength">Bits of <paramref name="Destination"/>; 0 is the default route.</param>
/// <param name="Gateway">Next hop, or null when the destination is on the link. May be IPv6 for an IPv4 route.</param>
/// <param name="Source">Preferred source address, or null.</param>
/// <param name="Index">Interface that leads there, or 0 (unreachable, multipath).</param>
/// <param name="Table">Routing table; 254 is main.</param>
/// <param name="Type">1 unicast, 2 local, 7 unreachable... (rtnetlink.h, RTN_*).</param>
/// <param name="Metric">Priority, lower wins; 0 when none is given.</param>
public sealed record Route(
    IPAddress Destination, int PrefixLength, IPAddress? Gateway, IPAddress? Source, int Index, uint Table = Route.MainTable, byte Type = Route.Unicast,
    uint Metric = 0)
{
    /// <summary>RT_TABLE_MAIN.</summary>
    public const uint MainTable = 254;

    /// <summary>RTN_UNICAST.</summary>
    public const byte Unicast = 1;

    /// <summary>RTN_LOCAL: the destination is this host itself.</summary>
    public const byte Local = 2;
}

/// <summary>A neighbour: which hardware address an IP address on the link has.</summary>
/// <param name="Index">The interface.</param>
/// <param name="Address">The neighbour's IP address.</param>
/// <param name="Mac">Its hardware address, when known.</param>
/// <param name="State">How sure the kernel is.</param>
public sealed record Neighbour(int Index, IPAddress Address, MacAddress? Mac, NeighbourState State)
{
    /// <summary>True when packets can be sent to it without asking first.</summary>
    public bool IsValid => Mac is not null &&
        (State & (NeighbourState.Reachable | NeighbourState.Stale | NeighbourState.Delay | NeighbourState.Probe | NeighbourState.Permanent | NeighbourState.NoArp)) != NeighbourState.None;
}

/// <summary>Address families as rtnetlink numbers them.</summary>
internal static class NetlinkFamily
{
    public const byte Any = 0;
    public const byte Inter = 2; // AF_INET
    public const byte Inter6 = 10; // AF_INET6, which .NET numbers 23

    public static byte Of(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? Inter6 : Inter;

    public static int Length(byte family) => family == Inter6 ? 16 : 4;

    /// <summary>An address of 4 or 16 bytes; null for any other length. A link-local one gets the interface as its scope.</summary>
    public static IPAddress? Read(ReadOnlySpan<byte> bytes, int scope = 0)
    {
        if (bytes.Length is not (4 or 16)) return null;
        IPAddress address = new(bytes);
        return address.IsIPv6LinkLocal && scope > 0 ? new IPAddress(bytes, scope) : address;
    }
}
