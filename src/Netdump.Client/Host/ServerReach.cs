using System.Net;
using System.Net.Sockets;
using Netdump.Client.Configuration;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>How far a dump server can be reached now, as far as that can be known without crashing.</summary>
/// <param name="Path">The way there; null when there is none.</param>
/// <param name="PathCheck">The way in words; it failed when there is none.</param>
/// <param name="ServerCheck">What is known of the server.</param>
public sealed record ServerReach(ServerPath? Path, Check PathCheck, Check ServerCheck)
{
    /// <summary>
    /// The classic protocol answers to nobody but a crashed host. What can be known: whether the next hop answers, and whether the server's system
    /// says that nothing listens on the port.
    /// </summary>
    private const string NotAsked = "no-secure-channel";

    private static readonly TimeSpan RefusalLimit = TimeSpan.FromMilliseconds(500);

    /// <summary>Tries the way to a server.</summary>
    /// <param name="netlink">The kernel's tables.</param>
    /// <param name="devices">The host's devices.</param>
    /// <param name="server">The server.</param>
    /// <param name="configuration">The settings.</param>
    /// <param name="hops">Knows the next hop's hardware address when it answers.</param>
    public static ServerReach Examine(RouteNetlink netlink, DeviceTree devices, Endpoint server, ClientConfiguration configuration, NextHops hops)
    {
        ServerPath path;
        try
        {
            path = ArmingPlan.Find(netlink, server, configuration);
        }
        catch (ClientException e)
        {
            return new(null, e.AsCheck("path", "no-nic"), new(CheckLevel.Unknown, "server", $"{server}: not asked, there is no way to it"));
        }
        string? mac = hops.Find(path);
        DeviceChain chain;
        try
        {
            chain = DeviceChain.Find(devices, LinkTable.Read(netlink), path);
        }
        catch (ClientException e)
        {
            return new(null, e.AsCheck("path", "no-nic"), new(CheckLevel.Unknown, "server", $"{server}: not asked, the capture kernel could not reach it"));
        }
        string way = path.ToString(chain), drivers = Drivers(chain, devices);
        if (mac is null)
        {
            // A crash may come later than the server's return: this does not keep a host from being armed.
            return path.Route.Gateway is { } gateway
                ? new(path, new(CheckLevel.Warn, "path", $"{way}: the router {gateway} does not answer on {path.Device.Name}", "bring the network up", "no-nic"),
                    new(CheckLevel.Unknown, "server", $"{server}: not asked, the router to it does not answer"))
                : new(path, new(CheckLevel.Ok, "path", $"{way}{drivers}"),
                    new(CheckLevel.Warn, "server", $"{server} does not answer on {path.Device.Name}", "start it, or bring the network up", "server-down"));
        }
        var ok = new Check(CheckLevel.Ok, "path", $"{way}, next hop {mac}{drivers}");
        return Refuses(new IPEndPoint(path.Address, server.Port))
            ? new(path, ok, new(CheckLevel.Warn, "server", $"nothing listens on {server} (udp)", "start netdump-server there, or correct NETDUMPADDR and NETDUMPPORT", "server-down"))
            : new(path, ok, new(CheckLevel.Unknown, "server", $"{server} does not refuse; the classic protocol tells no more: not its version, not its free space, not whether it takes this host's dumps", Code: NotAsked));
    }

    /// <summary>True when the host says that nobody has the port (ICMP port unreachable). A datagram of no bytes is nothing to any netdump server.</summary>
    internal static bool Refuses(IPEndPoint server)
    {
        try
        {
            using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = (int)RefusalLimit.TotalMilliseconds };
            socket.Connect(server);
            socket.Send(ReadOnlySpan<byte>.Empty);
            socket.Receive(new byte[1]);
            return false;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
    }

    private static string Drivers(DeviceChain chain, DeviceTree devices)
    {
        string[] modules = [.. chain.Modules(devices)];
        return modules.Length > 0 ? $", drivers {string.Join('+', modules)}" : ", driver built in";
    }
}
