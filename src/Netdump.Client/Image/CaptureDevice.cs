namespace Netdump.Client.Image;

/// <summary>What an interface of the capture kernel is.</summary>
public enum CaptureDeviceKind
{
    /// <summary>A network card (a port of one).</summary>
    Card,

    /// <summary>A VLAN of another device.</summary>
    Vlan,

    /// <summary>A bond of cards.</summary>
    Bond,

    /// <summary>A bridge.</summary>
    Bridge,
}

/// <summary>
/// A network card. It is found again by hardware address and place on the bus, never by name: names differ between two boots of one machine.
/// </summary>
/// <param name="Mac">Hardware address that it has after a reset (the permanent one where the driver tells it).</param>
/// <param name="BusPath">Resolved path of the device below /sys, e.g. <c>/sys/devices/pci0000:00/0000:00:03.0/virtio0</c>; empty when it has none.</param>
public sealed record CaptureCard(string Mac, string BusPath);

/// <summary>A VLAN.</summary>
/// <param name="Id">Its number, 1 to 4094.</param>
/// <param name="Protocol">Ethernet type of the tag: 33024 (0x8100, 802.1Q) or 34984 (0x88a8, 802.1ad).</param>
public sealed record CaptureVlan(int Id, int Protocol);

/// <summary>How a bond works, in the kernel's numbers (Documentation/networking/bonding.rst).</summary>
/// <param name="Mode">0 balance-rr, 1 active-backup, 2 balance-xor, 3 broadcast, 4 802.3ad, 5 balance-tlb, 6 balance-alb.</param>
/// <param name="MonitorInterval">miimon: milliseconds between two looks at the ports' carriers, never 0.</param>
/// <param name="HashPolicy">xmit_hash_policy.</param>
/// <param name="FailOverMac">fail_over_mac.</param>
/// <param name="Primary">Index into <see cref="CaptureManifest.Devices"/> of the port to prefer; null: none.</param>
/// <param name="Lacp">What the switch is told in mode 4; null in others.</param>
public sealed record CaptureBond(int Mode, uint MonitorInterval, int HashPolicy, int FailOverMac, int? Primary, CaptureLacp? Lacp);

/// <summary>LACP as the host spoke it, so that the switch sees the same partner.</summary>
/// <param name="Rate">0 slow, 1 fast.</param>
/// <param name="Active">False: only answers.</param>
/// <param name="SystemPriority">Priority of this system; 0: the kernel's own.</param>
/// <param name="PortKey">The operator's part of the port key.</param>
/// <param name="SystemMac">The system's address when it is not the bond's; null: it is.</param>
public sealed record CaptureLacp(int Rate, bool Active, int SystemPriority, int PortKey, string? SystemMac);

/// <summary>One device that the capture kernel has to find or to make, so that packets reach a server.</summary>
public sealed record CaptureDevice
{
    /// <summary>What it is.</summary>
    public required CaptureDeviceKind Kind { get; init; }

    /// <summary>
    /// The running system's name. One that is made gets it again unless the capture kernel has given it away; of a card it is for messages only.
    /// </summary>
    public required string Name { get; init; }

    /// <summary>Hardware address that it has to have, as switches and DHCP servers know the host by it; null: as it comes.</summary>
    public required string? Mac { get; init; }

    /// <summary>Bytes of payload of a frame; 0: leave the driver's default.</summary>
    public required int Mtu { get; init; }

    /// <summary>Indexes into <see cref="CaptureManifest.Devices"/>, all smaller than its own, of what it is made of: ports in the order to add them.</summary>
    public required IReadOnlyList<int> Below { get; init; }

    /// <summary>Of a card: which.</summary>
    public required CaptureCard? Card { get; init; }

    /// <summary>Of a VLAN: which.</summary>
    public required CaptureVlan? Vlan { get; init; }

    /// <summary>Of a bond: how it works.</summary>
    public required CaptureBond? Bond { get; init; }
}
