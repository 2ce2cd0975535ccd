namespace Netdump.Client.Linux;

/// <summary>What makes an interface a VLAN's.</summary>
/// <param name="Id">Number of the VLAN, 1 to 4094.</param>
/// <param name="Protocol">Ethernet type of the tag: 0x8100 for 802.1Q, 0x88a8 for 802.1ad.</param>
public sealed record VlanOptions(int Id, int Protocol = VlanOptions.Customer)
{
    /// <summary>802.1Q.</summary>
    public const int Customer = 0x8100;

    /// <summary>802.1ad.</summary>
    public const int Service = 0x88a8;
}

/// <summary>How a bond works (if_link.h, IFLA_BOND_*; the numbers are the kernel's).</summary>
public sealed record BondOptions
{
    /// <summary>active-backup: one port sends.</summary>
    public const int ActiveBackup = 1;

    /// <summary>802.3ad: the switch has to agree (LACP).</summary>
    public const int Lacp = 4;

    private static readonly string[] Modes = ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];

    /// <summary>0 to 6.</summary>
    public int Mode { get; init; }

    /// <summary>Milliseconds between two looks at the ports' carriers; 0: never.</summary>
    public uint MonitorInterval { get; init; }

    /// <summary>xmit_hash_policy: which port a packet takes.</summary>
    public int HashPolicy { get; init; }

    /// <summary>fail_over_mac: 0 all ports have the bond's hardware address, 1 the bond has the active port's, 2 the port gets it when it becomes active.</summary>
    public int FailOverMac { get; init; }

    /// <summary>LACP: 0 slow (a message in 30 s), 1 fast (one a second).</summary>
    public int LacpRate { get; init; }

    /// <summary>LACP: false when the bond only answers; null when the kernel does not tell.</summary>
    public bool? LacpActive { get; init; }

    /// <summary>LACP: priority of this system; 0 when not told.</summary>
    public int SystemPriority { get; init; }

    /// <summary>LACP: the operator's part of the port key.</summary>
    public int PortKey { get; init; }

    /// <summary>LACP: the system's own address, when it is another than the bond's.</summary>
    public MacAddress? SystemMac { get; init; }

    /// <summary>Interface of the port that is preferred, or 0.</summary>
    public int Primary { get; init; }

    /// <summary>Interface of the port in use now, or 0; modes that use one at a time.</summary>
    public int Active { get; init; }

    /// <summary>LACP: address of the switch that agreed; null or zero before.</summary>
    public MacAddress? Partner { get; init; }

    /// <summary>True for the modes that have a port in use: active-backup, balance-tlb, balance-alb.</summary>
    public bool HasActivePort => Mode is ActiveBackup or 5 or 6;

    /// <summary>A mode's name as the kernel prints it.</summary>
    public static string NameOf(int mode) => mode >= 0 && mode < Modes.Length ? Modes[mode] : $"mode {mode}";
}

/// <summary>What matters of a bridge.</summary>
/// <param name="SpanningTree">It takes part in a spanning tree: there may be loops through it.</param>
/// <param name="FiltersVlans">Its ports belong to VLANs.</param>
public sealed record BridgeOptions(bool SpanningTree, bool FiltersVlans);

/// <summary>Behind which port of a bridge a hardware address was seen.</summary>
/// <param name="Port">The port's interface.</param>
/// <param name="Mac">The address.</param>
public sealed record ForwardingEntry(int Port, MacAddress Mac);

/// <summary>VLANs of a bridge's port, or of the bridge itself.</summary>
/// <param name="Index">The interface.</param>
/// <param name="First">First of the numbers.</param>
/// <param name="Last">Last of the numbers.</param>
/// <param name="IsDefault">Frames that come in without a tag belong to it (PVID).</param>
/// <param name="IsUntagged">Frames go out without a tag.</param>
public sealed record BridgeVlan(int Index, int First, int Last, bool IsDefault, bool IsUntagged);
