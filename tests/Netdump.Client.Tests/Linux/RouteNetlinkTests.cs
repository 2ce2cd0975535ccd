using System.Net;
using Netdump.Client.Linux;
using Netdump.Client.Tests.Host;

namespace Netdump.Client.Tests.Linux;

/// <summary>Against the real kernel. Each test runs in its own thread, which alone enters a network namespace made for it.</summary>
public sealed class RouteNetlinkTests
{
    private static readonly TimeSpan Enough = TimeSpan.FromSeconds(10);

    [Fact]
    public void The_loopback_interface_is_seen_with_its_addresses() => NetworkNamespace.Run(netlink =>
    {
        Link loopback = Assert.Single(netlink.Links(), l => l.Flags.HasFlag(LinkFlags.Loopback));
        Assert.Equal("lo", loopback.Name);
        Assert.False(loopback.HasCarrier);
        netlink.SetUp(loopback.Index);
        Assert.True(netlink.WaitForCarrier(loopback.Index, Enough));
        Assert.Contains(netlink.Addresses(), a => a.Index == loopback.Index && a.Address.Equals(IPAddress.Loopback) && a.PrefixLength == 8);
        Assert.Equal(Route.Local, netlink.Lookup(IPAddress.Loopback).Type);
    });

    [Fact]
    public void A_link_is_brought_up_with_address_route_and_neighbour() => NetworkNamespace.Run(netlink =>
    {
        NetworkNamespace.Ip("link add east type veth peer name west");
        Link east = netlink.Links().Single(l => l.Name == "east");
        Link west = netlink.Links().Single(l => l.Name == "west");
        Assert.Equal("veth", east.Kind);
        Assert.NotNull(east.Mac);
        Assert.False(netlink.WaitForCarrier(east.Index, TimeSpan.FromMilliseconds(300)));

        netlink.SetUp(east.Index, 1400);
        Assert.False(netlink.WaitForCarrier(east.Index, TimeSpan.FromMilliseconds(300)));
        netlink.SetUp(west.Index);
        Assert.True(netlink.WaitForCarrier(east.Index, Enough));
        Assert.Equal(1400, netlink.Link(east.Index)?.Mtu);

        netlink.AddAddress(east.Index, IPAddress.Parse("10.77.0.2"), 24);
        netlink.AddAddress(east.Index, IPAddress.Parse("10.77.0.2"), 24); // twice is no error: the child may be started again
        netlink.AddAddress(east.Index, IPAddress.Parse("fd77::2"), 64);
        Assert.Contains(netlink.Addresses(), a => a.Address.Equals(IPAddress.Parse("fd77::2")) && a.IsUsable);
        netlink.AddRoute(new Route(IPAddress.Any, 0, IPAddress.Parse("10.77.0.1"), null, east.Index));
        netlink.AddRoute(new Route(IPAddress.Any, 0, IPAddress.Parse("10.77.0.1"), null, east.Index));
        netlink.AddRoute(new Route(IPAddress.IPv6Any, 0, IPAddress.Parse("fd77::1"), null, east.Index));

        Route route = netlink.Lookup(IPAddress.Parse("192.0.2.9"));
        Assert.Equal((east.Index, IPAddress.Parse("10.77.0.1"), IPAddress.Parse("10.77.0.2")), (route.Index, route.Gateway, route.Source));
        Route direct = netlink.Lookup(IPAddress.Parse("10.77.0.9"));
        Assert.Null(direct.Gateway);
        Assert.Equal(IPAddress.Parse("10.77.0.9"), direct.Destination);
        Assert.Equal(IPAddress.Parse("fd77::1"), netlink.Lookup(IPAddress.Parse("2001:db8::1")).Gateway);
        Assert.Contains(netlink.Routes(), r => r is { PrefixLength: 0, Table: Route.MainTable } && r.Index == east.Index);

        Assert.True(MacAddress.TryParse("02:00:00:00:00:01", out MacAddress mac));
        netlink.SetNeighbour(east.Index, IPAddress.Parse("10.77.0.1"), mac);
        Neighbour? neighbour = netlink.Neighbour(east.Index, IPAddress.Parse("10.77.0.1"));
        Assert.Equal(mac, neighbour?.Mac);
        Assert.True(neighbour?.IsValid);
        Assert.Null(netlink.Neighbour(east.Index, IPAddress.Parse("10.77.0.3")));
    });

    [Fact]
    public void A_gateway_outside_our_network_is_accepted_on_its_link() => NetworkNamespace.Run(netlink =>
    {
        // Cloud networks give /32 addresses and a gateway that no prefix of ours covers.
        NetworkNamespace.Ip("link add east type veth peer name west");
        int east = netlink.Links().Single(l => l.Name == "east").Index;
        netlink.SetUp(east);
        netlink.SetUp(netlink.Links().Single(l => l.Name == "west").Index);
        netlink.AddAddress(east, IPAddress.Parse("10.78.0.2"), 32);
        netlink.AddRoute(new Route(IPAddress.Any, 0, IPAddress.Parse("169.254.1.1"), IPAddress.Parse("10.78.0.2"), east));
        Assert.Equal(IPAddress.Parse("169.254.1.1"), netlink.Lookup(IPAddress.Parse("192.0.2.9")).Gateway);
    });

    [Fact]
    public void Masters_and_lower_interfaces_are_told() => NetworkNamespace.Run(netlink =>
    {
        NetworkNamespace.Ip("link add east type veth peer name west");
        NetworkNamespace.Ip("link add br9 type bridge");
        NetworkNamespace.Ip("link set east master br9");
        Link bridge = netlink.Links().Single(l => l.Name == "br9");
        Link east = netlink.Links().Single(l => l.Name == "east");
        Assert.Equal("bridge", bridge.Kind);
        Assert.Equal(bridge.Index, east.Master);
        Assert.Equal(netlink.Links().Single(l => l.Name == "west").Index, east.Lower);
    });

    [Fact]
    public void A_bridge_is_made_forwards_at_once_learns_and_is_removed() => NetworkNamespace.Run(netlink =>
    {
        NetworkNamespace.Ip("link add east type veth peer name west");
        int east = netlink.Links().Single(l => l.Name == "east").Index, west = netlink.Links().Single(l => l.Name == "west").Index;
        Assert.True(MacAddress.TryParse("02:00:00:00:00:0a", out MacAddress mac));
        Assert.True(MacAddress.TryParse("02:00:00:00:00:0b", out MacAddress other));
        netlink.SetMac(west, other);
        netlink.MakeBridge("br9", mac);
        Assert.Equal(Errno.Exists, Assert.Throws<LinuxException>(() => netlink.MakeBridge("br9", null)).Error);
        Link bridge = netlink.Links().Single(l => l.Name == "br9");
        Assert.Equal((mac, new BridgeOptions(false, false)), (bridge.Mac, bridge.Bridge));
        netlink.SetMaster(east, bridge.Index);
        foreach (int index in new[] { east, west, bridge.Index }) netlink.SetUp(index);
        Assert.True(netlink.WaitForCarrier(bridge.Index, Enough));
        Assert.Equal(3, netlink.Link(east)?.PortState); // forwarding, without a delay
        netlink.AddAddress(west, IPAddress.Parse("10.77.0.2"), 24);
        ServerPathTests.Provoke(IPAddress.Parse("10.77.0.9"));
        for (int i = 0; !netlink.Forwarding().Contains(new ForwardingEntry(east, other)); i++)
        {
            Assert.True(i < 100, "the bridge did not learn");
            Task.Delay(20).Wait();
        }
        netlink.Delete(bridge.Index);
        Assert.Equal(0, netlink.Link(east)?.Master);
    });

    [Fact]
    public void An_address_with_an_end_is_told_from_one_for_good() => NetworkNamespace.Run(netlink =>
    {
        NetworkNamespace.Ip("link add east type veth peer name west");
        NetworkNamespace.Ip("address add 10.77.0.2/24 dev east");
        NetworkNamespace.Ip("address add 10.77.0.3/24 dev east valid_lft 3600 preferred_lft 1800");
        Assert.False(netlink.Addresses().Single(a => a.Address.Equals(IPAddress.Parse("10.77.0.2"))).IsForATime);
        InterfaceAddress leased = netlink.Addresses().Single(a => a.Address.Equals(IPAddress.Parse("10.77.0.3")));
        Assert.True(leased.IsForATime);
        Assert.InRange(leased.ValidSeconds, 3500u, 3600u);
    });

    [Fact]
    public void What_the_kernel_refuses_says_why_in_one_line() => NetworkNamespace.Run(netlink =>
    {
        LinuxException unreachable = Assert.Throws<LinuxException>(() => netlink.Lookup(IPAddress.Parse("192.0.2.9")));
        Assert.Equal(Errno.NetworkUnreachable, unreachable.Error);
        Assert.Equal("route to 192.0.2.9: Network is unreachable", unreachable.Message);
        Assert.Equal(Errno.NoDevice, Assert.Throws<LinuxException>(() => netlink.SetUp(4711)).Error);
        Assert.Null(netlink.Link(4711));
        Assert.False(netlink.WaitForCarrier(4711, Enough));
    });
}
