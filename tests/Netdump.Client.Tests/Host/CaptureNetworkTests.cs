using System.Net;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Host;

public sealed class CaptureNetworkTests : IDisposable
{
    private readonly FakeHost _host = new();

    public CaptureNetworkTests() => _host.AddVirtioCard();

    private static Link Card(string name = "eth0", int mtu = 1500) => new(2, name, LinkFlags.Up, Mac("52:54:00:12:34:57"), Mac("52:54:00:12:34:56"), mtu, 0, 0, "");

    private static MacAddress Mac(string text) => MacAddress.TryParse(text, out MacAddress mac) ? mac : throw new ArgumentException(text);

    private static ServerPath Way(string server, string? gateway, string local, int prefix, Link? link = null, string? mac = null)
    {
        IPAddress address = IPAddress.Parse(server), own = IPAddress.Parse(local);
        return new ServerPath(new Endpoint(server, 6666), address, new Route(address, 32, gateway is null ? null : IPAddress.Parse(gateway), own, 2),
            link ?? Card(), new InterfaceAddress(2, own, prefix, 0, 0), mac);
    }

    private CaptureNetwork Make(params ServerPath[] ways) => CaptureNetwork.Make(ways, new DeviceTree(_host.Files), new LinkTable([Card()]));

    [Fact]
    public void A_server_on_the_link_needs_only_the_address()
    {
        CaptureInterface card = Assert.Single(Make(Way("10.0.2.2", null, "10.0.2.15", 24)).Interfaces);
        Assert.Equal([new CaptureAddress("10.0.2.15", 24)], card.Addresses);
        Assert.Empty(card.Routes);
        CaptureDevice device = Assert.Single(Make(Way("10.0.2.2", null, "10.0.2.15", 24)).Devices);
        // The permanent address: what the device has after a reset.
        Assert.Equal(new CaptureCard("52:54:00:12:34:56", "/sys/devices/pci0000:00/0000:00:03.0/virtio0"), device.Card);
        Assert.Equal(0, device.Mtu);
    }

    [Fact]
    public void A_routed_server_gets_a_route_of_its_own()
    {
        Link card = Card(mtu: 9000);
        CaptureNetwork network = CaptureNetwork.Make([Way("192.0.2.9", "10.0.2.2", "10.0.2.15", 24, card)], new DeviceTree(_host.Files), new LinkTable([card]));
        Assert.Equal([new CaptureRoute("192.0.2.9", 32, "10.0.2.2", "10.0.2.15")], Assert.Single(network.Interfaces).Routes);
        Assert.Equal(9000, Assert.Single(network.Devices).Mtu);
    }

    [Fact]
    public void A_router_outside_the_network_is_reached_on_the_link_first()
    {
        CaptureInterface card = Assert.Single(Make(Way("192.0.2.9", "10.255.255.1", "10.0.2.15", 32)).Interfaces);
        Assert.Equal([new CaptureRoute("10.255.255.1", 32, null, "10.0.2.15"), new CaptureRoute("192.0.2.9", 32, "10.255.255.1", "10.0.2.15")], card.Routes);
    }

    [Fact]
    public void Two_servers_share_an_interface_and_its_settings_are_not_doubled()
    {
        CaptureNetwork network = Make(Way("10.0.2.2", null, "10.0.2.15", 24, mac: "02:00:00:00:00:01"), Way("fd00::2", null, "fd00::15", 64), Way("10.0.2.3", null, "10.0.2.15", 24));
        CaptureInterface card = Assert.Single(network.Interfaces);
        Assert.Equal([new CaptureAddress("10.0.2.15", 24), new CaptureAddress("fd00::15", 64)], card.Addresses);
        Assert.Equal([new CaptureNeighbour("10.0.2.2", "02:00:00:00:00:01")], card.Neighbours);
        Assert.Equal(["10.0.2.2", "fd00::2", "10.0.2.3"], network.Servers.Select(s => s.Address));
    }

    [Fact]
    public void A_link_local_server_is_carried_without_the_old_zone()
    {
        CaptureNetwork network = Make(Way("fe80::2%2", null, "fe80::15%2", 64));
        Assert.Equal("fe80::2", network.Servers[0].Address);
        Assert.Equal("fe80::15", network.Interfaces[0].Addresses[0].Address);
    }

    [Fact]
    public void A_bond_with_a_VLAN_on_top_is_carried_as_numbers()
    {
        _host.AddVirtioCard("eno2", slot: 4);
        Link bond = Card("bond0") with
        {
            Index = 5,
            Mac = Mac("52:54:00:12:34:56"),
            Mtu = 9000,
            Kind = "bond",
            Bond = new BondOptions { Mode = 1, HashPolicy = 2, Active = 3, FailOverMac = 2 },
        };
        Link vlan = Card("bond0.120") with { Index = 6, Mac = bond.Mac, Lower = 5, Kind = "vlan", Vlan = new VlanOptions(120) };
        Link first = Card() with { Master = 5, Mac = bond.Mac }, second = Card("eno2") with { Index = 3, Master = 5, Mac = bond.Mac, PermanentMac = Mac("52:54:00:12:34:99") };
        CaptureNetwork network = CaptureNetwork.Make([Way("10.0.2.2", null, "10.0.2.15", 24, vlan)], new DeviceTree(_host.Files), new LinkTable([first, second, bond, vlan]));
        Assert.Equal(["eth0", "eno2", "bond0", "bond0.120"], network.Devices.Select(d => d.Name));
        Assert.Equal([null, null, "52:54:00:12:34:56", null], network.Devices.Select(d => d.Mac)); // ports and VLANs have the bond's
        Assert.Equal([0, 0, 9000, 0], network.Devices.Select(d => d.Mtu));
        Assert.Equal(new CaptureCard("52:54:00:12:34:99", "/sys/devices/pci0000:00/0000:00:04.0/virtio1"), network.Devices[1].Card);
        // The port in use is preferred; a bond that did not watch its ports' carriers does now.
        Assert.Equal(new CaptureBond(1, 100, 2, 2, 1, null), network.Devices[2].Bond);
        Assert.Equal(new CaptureVlan(120, 0x8100), network.Devices[3].Vlan);
        Assert.Equal([0, 1], network.Devices[2].Below);
        Assert.Equal([2], network.Devices[3].Below);
        Assert.Equal(("bond0.120", 3), (network.Interfaces[0].Name, network.Interfaces[0].Device));
        Assert.Equal(["virtio_pci", "virtio_net", "bonding", "8021q"], network.Modules);
    }

    [Fact]
    public void A_switch_that_speaks_LACP_sees_the_same_partner()
    {
        Link bond = Card("bond0") with
        {
            Index = 5,
            Kind = "bond",
            Bond = new BondOptions { Mode = 4, MonitorInterval = 50, LacpRate = 1, LacpActive = true, SystemPriority = 100, PortKey = 7, SystemMac = Mac("00:00:00:00:00:00") },
        };
        CaptureNetwork network = CaptureNetwork.Make([Way("10.0.2.2", null, "10.0.2.15", 24, bond)], new DeviceTree(_host.Files), new LinkTable([Card() with { Master = 5 }, bond]));
        Assert.Equal(new CaptureBond(4, 50, 0, 0, null, new CaptureLacp(1, true, 100, 7, null)), network.Devices[1].Bond);
    }

    [Fact]
    public void The_card_of_a_bridge_takes_its_place_with_its_hardware_address_and_MTU()
    {
        Link bridge = Card("br0", mtu: 1400) with { Index = 5, Mac = Mac("52:54:00:99:99:99"), Kind = "bridge", Bridge = new BridgeOptions(false, false) };
        CaptureNetwork network = CaptureNetwork.Make([Way("10.0.2.2", null, "10.0.2.15", 24, bridge)], new DeviceTree(_host.Files), new LinkTable([Card(mtu: 9000) with { Master = 5 }, bridge]));
        CaptureDevice card = Assert.Single(network.Devices);
        Assert.Equal((CaptureDeviceKind.Card, "eth0", "52:54:00:99:99:99", 1400), (card.Kind, card.Name, card.Mac, card.Mtu));
        Assert.Equal("52:54:00:12:34:56", card.Card!.Mac);
        Assert.Equal("br0", Assert.Single(network.Interfaces).Name);
        Assert.Equal(["virtio_pci", "virtio_net"], network.Modules);
    }

    [Fact]
    public void Two_VLANs_of_one_card_share_it()
    {
        Link first = Card("eth0.1") with { Index = 5, Lower = 2, Kind = "vlan", Vlan = new VlanOptions(1) };
        Link second = Card("eth0.2") with { Index = 6, Lower = 2, Kind = "vlan", Vlan = new VlanOptions(2, VlanOptions.Service), Mac = Mac("02:00:00:00:00:02") };
        CaptureNetwork network = CaptureNetwork.Make([Way("10.0.1.2", null, "10.0.1.15", 24, first), Way("10.0.2.2", null, "10.0.2.15", 24, second)],
            new DeviceTree(_host.Files), new LinkTable([Card(), first, second]));
        Assert.Equal(["eth0", "eth0.1", "eth0.2"], network.Devices.Select(d => d.Name));
        Assert.Equal(["52:54:00:12:34:57", null, "02:00:00:00:00:02"], network.Devices.Select(d => d.Mac));
        Assert.Equal(new CaptureVlan(2, 0x88a8), network.Devices[2].Vlan);
        Assert.Equal([0, 1], network.Servers.Select(s => s.Interface));
    }

    [Fact]
    public void A_hardware_address_that_was_set_by_hand_is_kept()
    {
        Assert.Equal("52:54:00:12:34:57", Make(Way("10.0.2.2", null, "10.0.2.15", 24)).Devices[0].Mac);
        CaptureNetwork usual = CaptureNetwork.Make([Way("10.0.2.2", null, "10.0.2.15", 24)], new DeviceTree(_host.Files), new LinkTable([Card() with { Mac = Mac("52:54:00:12:34:56") }]));
        Assert.Null(usual.Devices[0].Mac);
    }

    [Fact]
    public void A_leased_address_is_known_by_its_end_and_by_the_name_it_was_asked_for()
    {
        Assert.Null(Make(Way("10.0.2.2", null, "10.0.2.15", 24)).Interfaces[0].Lease);
        ServerPath leased = Way("10.0.2.2", null, "10.0.2.15", 24), six = Way("fd00::2", null, "fd00::15", 64);
        leased = leased with { Local = leased.Local with { ValidSeconds = 3600 } };
        Assert.Equal(new CaptureLease("10.0.2.15", null), Make(leased).Interfaces[0].Lease);
        Assert.Null(Make(six with { Local = six.Local with { ValidSeconds = 3600 } }).Interfaces[0].Lease);
        _host.Write("/run/systemd/netif/leases/2", "ADDRESS=10.0.2.15\nCLIENTID=ff11223344\n");
        Assert.Equal(new CaptureLease("10.0.2.15", "ff11223344"), Make(leased).Interfaces[0].Lease);
        // Another interface's address that moves to this one is not this one's lease.
        Assert.Null(Make(leased with { Local = leased.Local with { Index = 9 } }).Interfaces[0].Lease);
    }

    public void Dispose() => _host.Dispose();
}
