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

    private CaptureNetwork Make(params ServerPath[] ways) => CaptureNetwork.Make(ways, new DeviceTree(_host.Files), [Card()]);

    [Fact]
    public void A_server_on_the_link_needs_only_the_address()
    {
        CaptureInterface card = Assert.Single(Make(Way("10.0.2.2", null, "10.0.2.15", 24)).Interfaces);
        Assert.Equal([new CaptureAddress("10.0.2.15", 24)], card.Addresses);
        Assert.Empty(card.Routes);
        Assert.Equal("52:54:00:12:34:56", card.Mac); // the permanent one: what the device has after a reset
        Assert.Equal(0, card.Mtu);
    }

    [Fact]
    public void A_routed_server_gets_a_route_of_its_own()
    {
        CaptureInterface card = Assert.Single(Make(Way("192.0.2.9", "10.0.2.2", "10.0.2.15", 24, Card(mtu: 9000))).Interfaces);
        Assert.Equal([new CaptureRoute("192.0.2.9", 32, "10.0.2.2", "10.0.2.15")], card.Routes);
        Assert.Equal(9000, card.Mtu);
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
    public void A_bridge_is_replaced_by_its_port_and_said_so()
    {
        _host.AddUpper("br0", "bridge", "eth0");
        CaptureNetwork network = Make(Way("10.0.2.2", null, "10.0.2.15", 24, Card("br0")));
        Assert.Equal("eth0", network.Interfaces[0].Name);
        Assert.Equal(CheckLevel.Warn, Assert.Single(network.Checks).Level);
    }

    [Fact]
    public void A_vlan_is_refused_with_advice()
    {
        _host.AddUpper("eth0.120", "vlan", "eth0");
        string message = Assert.Throws<ClientException>(() => Make(Way("10.0.2.2", null, "10.0.2.15", 24, Card("eth0.120")))).Message;
        Assert.Contains("VLAN", message);
        Assert.Contains("set DEV", message);
    }

    public void Dispose() => _host.Dispose();
}
