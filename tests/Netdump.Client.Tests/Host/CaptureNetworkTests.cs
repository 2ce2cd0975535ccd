using System.Net;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Tests.Host;

public sealed class CaptureNetworkTests : IDisposable
{
    private readonly FakeHost _host = new();
    private readonly List<Link> _more = [];

    public CaptureNetworkTests() => _host.AddVirtioCard();

    private static Link Card(string name = "eth0", int mtu = 1500) => new(2, name, LinkFlags.Up, Mac("52:54:00:12:34:57"), Mac("52:54:00:12:34:56"), mtu, 0, 0, "");

    private static MacAddress Mac(string text) => MacAddress.TryParse(text, out MacAddress mac) ? mac : throw new ArgumentException(text);

    private static ServerPath Way(string server, string? gateway, string local, int prefix, Link? link = null, string? mac = null)
    {
        IPAddress address = IPAddress.Parse(server), own = IPAddress.Parse(local);
        return new ServerPath(new Endpoint(server, 6666), address, new Route(address, 32, gateway is null ? null : IPAddress.Parse(gateway), own, 2),
            link ?? Card(), new InterfaceAddress(2, own, prefix, 0, 0), mac);
    }

    private CaptureNetwork Make(params ServerPath[] ways) => CaptureNetwork.Make(ways, new DeviceTree(_host.Files), new LinkTable([Card(), .. _more]));

    [Fact]
    public void A_server_on_the_link_needs_only_the_address()
    {
        CaptureNetwork network = Make(Way("10.0.2.2", null, "10.0.2.15", 24));
        CaptureInterface card = Assert.Single(network.Interfaces);
        Assert.Equal([new CaptureAddress("10.0.2.15", 24)], card.Addresses);
        Assert.Empty(card.Routes);
        Assert.Equal("52:54:00:12:34:56", Assert.Single(network.Devices).Card!.Mac); // the permanent one: what the device has after a reset
        Assert.Equal(0, network.Devices[0].Mtu);
    }

    [Fact]
    public void A_routed_server_gets_a_route_of_its_own()
    {
        Link jumbo = Card(mtu: 9000) with { Index = 3 };
        _more.Add(jumbo);
        CaptureNetwork network = Make(Way("192.0.2.9", "10.0.2.2", "10.0.2.15", 24, jumbo));
        CaptureInterface card = Assert.Single(network.Interfaces);
        Assert.Equal([new CaptureRoute("192.0.2.9", 32, "10.0.2.2", "10.0.2.15")], card.Routes);
        Assert.Equal(9000, network.Devices[0].Mtu);
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

    public void Dispose() => _host.Dispose();
}
