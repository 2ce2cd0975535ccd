using System.Net;
using System.Net.Sockets;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Linux;
using Netdump.Client.Tests.Linux;

namespace Netdump.Client.Tests.Host;

/// <summary>Ways to servers, asked of the real kernel in a network namespace of the test.</summary>
public sealed class ServerPathTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    private static Endpoint Server(string host) => new(host, 6666);

    /// <summary>Makes the kernel ask a link for a neighbour.</summary>
    internal static void Provoke(IPAddress neighbour)
    {
        using var socket = new Socket(neighbour.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.SendTo([0], new IPEndPoint(neighbour, 9));
    }

    private static void Cable(RouteNetlink netlink)
    {
        NetworkNamespace.Ip("link add east type veth peer name west");
        foreach (Link end in netlink.Links().Where(l => l.Name is "east" or "west")) netlink.SetUp(end.Index);
        netlink.AddAddress(netlink.Links().Single(l => l.Name == "east").Index, IPAddress.Parse("10.79.0.2"), 24);
    }

    [Fact]
    public void A_next_hop_that_does_not_answer_has_no_hardware_address() => NetworkNamespace.Run(netlink =>
    {
        Cable(netlink);
        ServerPath path = ServerPath.Find(netlink, Server("10.79.0.9"), device: null, fixedMac: null);
        Assert.Equal("east 10.79.0.2 -> 10.79.0.9:6666", path.ToString());
        Assert.Null(path.FindNextHop(netlink, Short));
        Assert.True(MacAddress.TryParse("02:00:00:00:00:09", out MacAddress mac));
        netlink.SetNeighbour(path.Device.Index, path.Address, mac);
        Assert.Equal("02:00:00:00:00:09", path.FindNextHop(netlink, Short));
    });

    [Fact]
    public void The_configured_hardware_address_is_that_of_the_first_configured_server_even_when_only_others_are_reached() => NetworkNamespace.Run(netlink =>
    {
        Cable(netlink);
        var configuration = new ClientConfiguration { Servers = [Server("192.0.2.1"), Server("10.79.0.9")], ServerMac = "02:00:00:00:00:01" };
        Assert.Throws<ClientException>(() => ArmingPlan.Find(netlink, configuration.Servers[0], configuration)); // no route
        Assert.Null(ArmingPlan.Find(netlink, configuration.Servers[1], configuration).FindNextHop(netlink, Short));
        configuration = configuration with { Servers = [Server("10.79.0.9")] };
        Assert.Equal("02:00:00:00:00:01", ArmingPlan.Find(netlink, configuration.Servers[0], configuration).FindNextHop(netlink, Short));
    });

    [Theory]
    [InlineData("127.0.0.1", null, "this host itself")]
    [InlineData("10.79.0.9", "nosuch", "there is no such interface")]
    [InlineData("192.0.2.1", null, "no route to server")]
    [InlineData("name.invalid", null, "cannot be resolved")]
    public void A_server_that_cannot_be_reached_is_one_line(string host, string? device, string message) => NetworkNamespace.Run(netlink =>
    {
        netlink.SetUp(1);
        Cable(netlink);
        Assert.Contains(message, Assert.Throws<ClientException>(() => ServerPath.Find(netlink, Server(host), device, null)).Message);
    });

    [Fact]
    public void A_port_that_nobody_has_is_known_as_its_system_says_so()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var server = (IPEndPoint)taken.LocalEndPoint!;
        Assert.False(ServerReach.Refuses(server));
        taken.Dispose();
        Assert.True(ServerReach.Refuses(server));
    }

    [Fact]
    public void An_entry_that_was_not_confirmed_lately_is_confirmed_before_it_is_believed() => NetworkNamespace.Run(netlink =>
    {
        Cable(netlink);
        // The kernel doubts for 5 s and asks for 3 s; here it is quicker.
        File.WriteAllText("/proc/sys/net/ipv4/neigh/east/delay_first_probe_time", "1");
        File.WriteAllText("/proc/sys/net/ipv4/neigh/east/retrans_time_ms", "100");
        NetworkNamespace.Ip("neigh replace 10.79.0.9 lladdr 02:00:00:00:00:09 dev east nud stale");
        ServerPath path = ServerPath.Find(netlink, Server("10.79.0.9"), device: null, fixedMac: null);
        Assert.Equal("02:00:00:00:00:09", path.FindNextHop(netlink, Short));
        Assert.Equal("02:00:00:00:00:09", path.ConfirmNextHop(netlink, Short)); // the kernel is still in doubt
        // Nobody is behind the cable: the entry is given up, and what it said with it.
        Assert.Null(path.ConfirmNextHop(netlink, TimeSpan.FromSeconds(6)));
    });
}
