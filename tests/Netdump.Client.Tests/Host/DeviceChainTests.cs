using System.Net;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Host;

/// <summary>Ways down from an interface to the cards, in made-up hosts.</summary>
public sealed class DeviceChainTests : IDisposable
{
    private const string Hop = "10.2.0.1";

    private readonly FakeHost _host = new();
    private readonly List<Link> _links = [];
    private readonly List<ForwardingEntry> _seen = [];
    private readonly List<BridgeVlan> _vlans = [];
    private readonly List<Neighbour> _neighbours = [];

    public DeviceChainTests()
    {
        _host.AddVirtioCard("eno1");
        _host.AddVirtioCard("eno2", slot: 4);
    }

    private static MacAddress Mac(int last) => MacAddress.TryRead([2, 0, 0, 0, 0, (byte)last], out MacAddress mac) ? mac : default;

    private Link Add(string name, string kind = "", int master = 0, int lower = 0, VlanOptions? vlan = null, BondOptions? bond = null, BridgeOptions? bridge = null, int? state = null)
    {
        int index = _links.Count + 2;
        _links.Add(new Link(index, name, LinkFlags.Up | LinkFlags.Running | LinkFlags.LowerUp, Mac(index), null, 1500, master, lower, kind, vlan, bond, bridge, state));
        return _links[^1];
    }

    private DeviceChain Find(Link top)
    {
        IPAddress server = IPAddress.Parse("10.2.9.9"), own = IPAddress.Parse("10.2.0.15");
        ServerPath path = new(new Endpoint("dump.example", 6666), server, new Route(server, 32, IPAddress.Parse(Hop), own, top.Index), top,
            new InterfaceAddress(top.Index, own, 24, 0, 0), null);
        return DeviceChain.Find(new DeviceTree(_host.Files), new LinkTable(_links, _neighbours, _seen, _vlans), path);
    }

    private string Refusal(Link top)
    {
        ClientException refused = Assert.Throws<ClientException>(() => Find(top));
        Assert.Contains("set DEV", refused.Advice);
        return refused.Fact;
    }

    [Fact]
    public void A_card_is_its_own_way()
    {
        DeviceChain chain = Find(Add("eno1"));
        Assert.Equal((CaptureDeviceKind.Card, "eno1"), (chain.Kind, chain.ToString()));
        Assert.Equal(["virtio_pci", "virtio_net"], chain.Modules(new DeviceTree(_host.Files)));
    }

    [Fact]
    public void Item_52_a_VLAN_of_a_bond_goes_down_to_both_cards_and_says_so()
    {
        Link bond = Add("bond0", "bond", bond: new BondOptions { Mode = 4 });
        Add("eno1", master: bond.Index);
        Add("eno2", master: bond.Index);
        Link vlan = Add("bond0.120", "vlan", lower: bond.Index, vlan: new VlanOptions(120));
        DeviceChain chain = Find(vlan);
        Assert.Equal("bond0.120 -> bond0 (eno1, eno2)", chain.ToString());
        Assert.Equal("bond0.120 10.2.0.15 -> bond0 (eno1, eno2)", chain.With("10.2.0.15"));
        Assert.Equal(["eno1", "eno2"], chain.Cards.Select(c => c.Name));
        Assert.Equal(["virtio_pci", "virtio_net", "bonding", "8021q"], chain.Modules(new DeviceTree(_host.Files)));
        Assert.Equal("bond0 (eno1, eno2) 10.2.0.15", Find(bond).With("10.2.0.15"));
    }

    [Fact]
    public void A_bridge_of_guests_and_one_card_is_left_out()
    {
        Link bridge = Add("br0", "bridge", bridge: new BridgeOptions(false, false));
        Add("vnet0", "tun", bridge.Index);
        Add("veth0", "veth", bridge.Index);
        Add("eno1", master: bridge.Index);
        DeviceChain chain = Find(bridge);
        Assert.Null(chain.Kind);
        Assert.Equal("br0 -> eno1", chain.ToString());
        Assert.DoesNotContain("bridge", chain.Modules(new DeviceTree(_host.Files)));
    }

    [Fact]
    public void A_bridge_of_two_cards_without_a_spanning_tree_stays_a_bridge()
    {
        Link bridge = Add("br0", "bridge", bridge: new BridgeOptions(false, false));
        Add("eno1", master: bridge.Index);
        Add("vnet0", "tun", bridge.Index);
        Add("eno2", master: bridge.Index);
        DeviceChain chain = Find(bridge);
        Assert.Equal((CaptureDeviceKind.Bridge, "br0 (eno1, eno2)"), (chain.Kind, chain.ToString()));
        Assert.Equal("bridge", chain.Modules(new DeviceTree(_host.Files)).Last());
    }

    [Theory]
    [InlineData(true, true, "br0 -> eno2")] // where the next hop was seen, forwarding or not
    [InlineData(false, true, "br0 -> eno2")] // the one that forwards
    [InlineData(false, false, "br0 -> eno1")]
    public void A_bridge_with_a_spanning_tree_sends_by_one_port(bool isSeen, bool forwards, string way)
    {
        Link bridge = Add("br0", "bridge", bridge: new BridgeOptions(true, false));
        Add("eno1", master: bridge.Index, state: 4);
        Link second = Add("eno2", master: bridge.Index, state: forwards ? 3 : 4);
        _neighbours.Add(new Neighbour(bridge.Index, IPAddress.Parse(Hop), Mac(99), NeighbourState.Reachable));
        if (isSeen) _seen.Add(new ForwardingEntry(second.Index, Mac(99)));
        Assert.Equal(way, Find(bridge).ToString());
    }

    [Fact]
    public void A_bridge_over_a_VLAN_of_a_bond_goes_all_the_way_down()
    {
        Link bridge = Add("br120", "bridge", bridge: new BridgeOptions(false, false));
        Link bond = Add("bond0", "bond", bond: new BondOptions());
        Add("bond0.120", "vlan", bridge.Index, bond.Index, new VlanOptions(120));
        Add("vnet0", "tun", bridge.Index);
        Add("eno1", master: bond.Index);
        Assert.Equal("br120 -> bond0.120 -> bond0 (eno1)", Find(bridge).ToString());
    }

    [Theory]
    [InlineData(null, 1, true, null)] // as bridges are made: VLAN 1, without a tag
    [InlineData(null, 10, false, "puts a tag on VLAN 10")]
    [InlineData(120, 1, true, null)] // br0.120, tagged at the port
    [InlineData(200, 1, true, "is not in VLAN 200")]
    public void A_bridge_that_filters_VLANs_is_left_out_where_frames_leave_as_they_come(int? tag, int own, bool untagged, string? refusal)
    {
        Link bridge = Add("br0", "bridge", bridge: new BridgeOptions(false, true));
        Link port = Add("eno1", master: bridge.Index);
        _vlans.Add(new BridgeVlan(bridge.Index, own, own, true, true));
        _vlans.Add(new BridgeVlan(port.Index, own, own, untagged, untagged));
        _vlans.Add(new BridgeVlan(port.Index, 100, 150, false, false));
        Link top = tag is { } id ? Add($"br0.{id}", "vlan", lower: bridge.Index, vlan: new VlanOptions(id)) : bridge;
        if (refusal is null) Assert.EndsWith("br0 -> eno1", Find(top).ToString());
        else Assert.Contains(refusal, Refusal(top));
    }

    [Theory]
    [InlineData("team0", "team", "make it a bond")]
    [InlineData("ovs0", "openvswitch", "Open vSwitch")]
    [InlineData("mac0", "macvlan", "a macvlan interface")]
    [InlineData("wg0", "wireguard", "a wireguard interface")]
    [InlineData("bond9", "bond", "")]
    [InlineData("dummy0", "", "a virtual interface")]
    public void What_the_capture_kernel_cannot_make_is_refused_by_name_with_advice(string name, string kind, string said)
    {
        string fact = Refusal(Add(name, kind));
        Assert.Contains(name, fact);
        Assert.Contains(said, fact);
    }

    [Fact]
    public void Bonds_without_ports_bridges_without_cards_wireless_and_circles_are_refused()
    {
        Assert.Contains("without ports", Refusal(Add("bond0", "bond", bond: new BondOptions())));
        Link bridge = Add("br0", "bridge", bridge: new BridgeOptions(false, false));
        Add("vnet0", "tun", bridge.Index);
        Assert.Contains("without a card", Refusal(bridge));
        Link circle = Add("x", "vlan", lower: _links.Count + 2, vlan: new VlanOptions(1));
        Assert.Contains("too many", Refusal(circle));
        _host.Write("/sys/devices/pci0000:00/0000:00:03.0/virtio0/net/eno1/uevent", "DEVTYPE=wlan\n");
        Assert.Contains("a wireless interface", Refusal(Add("eno1")));
    }

    public void Dispose() => _host.Dispose();
}
