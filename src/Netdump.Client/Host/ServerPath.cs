using System.Net;
using System.Net.Sockets;
using Netdump.Client.Configuration;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>How packets reach a server from this host, as the kernel's routing tables say now.</summary>
/// <param name="Server">The server as configured.</param>
/// <param name="Address">Its address.</param>
/// <param name="Route">The kernel's answer.</param>
/// <param name="Device">Interface the route takes.</param>
/// <param name="Local">Source address and the network it lies in.</param>
/// <param name="FixedMac">The next hop's hardware address as configured; null: it is asked for.</param>
public sealed record ServerPath(Endpoint Server, IPAddress Address, Route Route, Link Device, InterfaceAddress Local, string? FixedMac)
{
    /// <summary>The address that is resolved to a hardware address: the router's, or the server's own.</summary>
    public IPAddress NextHop => Route.Gateway ?? Address;

    /// <summary>The way in words: interface, own address, server, router.</summary>
    public override string ToString() => $"{Device.Name} {Local.Address} -> {Target}";

    /// <summary>The way in words, with what the interface is made of.</summary>
    public string ToString(DeviceChain chain) => $"{chain.With(Local.Address.ToString())} -> {Target}";

    private string Target
    {
        get
        {
            string address = Server.Host == Address.ToString() ? "" : $" ({Address})";
            return $"{Server}{address}{(Route.Gateway is { } gateway ? $" via {gateway}" : "")}";
        }
    }

    /// <summary>Finds the way to a server.</summary>
    /// <param name="netlink">The kernel's routing tables.</param>
    /// <param name="server">Name or address.</param>
    /// <param name="device">Only by this interface (DEV), or null.</param>
    /// <param name="fixedMac">The next hop's hardware address as configured, or null.</param>
    /// <exception cref="ClientException">The name is unknown, there is no route, or the server is this host.</exception>
    public static ServerPath Find(RouteNetlink netlink, Endpoint server, string? device, string? fixedMac)
    {
        int index = 0;
        if (device is not null)
        {
            index = netlink.Links().FirstOrDefault(l => l.Name == device)?.Index
                ?? throw new ClientException($"DEV={device}: there is no such interface", "leave DEV empty to take the one the route uses");
        }
        ClientException? failure = null;
        foreach (IPAddress address in server.Resolve())
        {
            try
            {
                Route route = netlink.Lookup(address, index);
                if (route.Type == Route.Local) throw new ClientException($"server {server.Host} is this host itself", "a crashed host cannot receive: name another one");
                Link link = netlink.Link(route.Index) ?? throw new ClientException($"no route to server {server.Host} ({address})");
                IPAddress source = route.Source ?? throw new ClientException($"{link.Name} has no address to send to {server.Host} from");
                InterfaceAddress[] own = [.. netlink.Addresses().Where(a => a.Address.WithoutScope().Equals(source.WithoutScope()))];
                InterfaceAddress local = own.FirstOrDefault(a => a.Index == link.Index)
                    // The address of another interface (a loopback one, say): in the capture kernel it moves to the one that sends.
                    ?? new InterfaceAddress(link.Index, source, source.AddressFamily == AddressFamily.InterNetwork ? 32 : 128, 0, 0);
                return new ServerPath(server, address, route, link, local, fixedMac);
            }
            catch (LinuxException e)
            {
                failure ??= new ClientException($"no route to server {server.Host}{(server.Host == address.ToString() ? "" : $" ({address})")}", "bring the network up, or correct NETDUMPADDR", e);
            }
        }
        throw failure!; // there is at least one address
    }

    /// <summary>
    /// The hardware address of the next hop as the link answers now. An entry of the kernel that was not confirmed lately may be that of a router
    /// that was replaced; traffic makes the kernel confirm it, or find the new one, in some seconds. Null when nobody answers.
    /// </summary>
    /// <param name="netlink">The kernel's neighbour tables.</param>
    /// <param name="limit">How long to wait for an answer. What was known is given when the kernel is not done by then.</param>
    public string? ConfirmNextHop(RouteNetlink netlink, TimeSpan limit)
    {
        if (FixedMac is not null) return FixedMac;
        const NeighbourState Sure = NeighbourState.Reachable | NeighbourState.Permanent | NeighbourState.NoArp;
        Neighbour? known = null;
        Provoke(limit, () => (known = netlink.Neighbour(Device.Index, NextHop)) is { Mac: not null } && (known.State & Sure) != NeighbourState.None);
        return known is { IsValid: true } ? known.Mac.ToString() : null;
    }

    /// <summary>The hardware address of the next hop: the configured one, else the kernel's, else asked for with a datagram. Null when nobody answers.</summary>
    /// <param name="netlink">The kernel's neighbour tables.</param>
    /// <param name="limit">How long to wait for an answer.</param>
    public string? FindNextHop(RouteNetlink netlink, TimeSpan limit)
    {
        if (FixedMac is not null) return FixedMac;
        if (netlink.Neighbour(Device.Index, NextHop) is { IsValid: true } known) return known.Mac.ToString();
        string? mac = null;
        Provoke(limit, () => (mac = netlink.Neighbour(Device.Index, NextHop) is { IsValid: true } found ? found.Mac.ToString() : null) is not null);
        return mac;
    }

    /// <summary>Makes the kernel resolve the next hop where it does not know it, without waiting.</summary>
    /// <param name="netlink">The kernel's neighbour tables.</param>
    public void AskNextHop(RouteNetlink netlink)
    {
        if (FixedMac is not null || netlink.Neighbour(Device.Index, NextHop) is { IsValid: true }) return;
        using var socket = new Socket(NextHop.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        Provoke(socket);
    }

    /// <summary>Sends to the next hop, about twice a second, so that the kernel has to resolve it, until done or the time is up.</summary>
    private void Provoke(TimeSpan limit, Func<bool> done)
    {
        if (done()) return;
        using var socket = new Socket(NextHop.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        long start = TimeProvider.System.GetTimestamp();
        for (int round = 0; TimeProvider.System.GetElapsedTime(start) < limit; round++)
        {
            if (round % 10 == 0) Provoke(socket);
            socket.Poll(50_000, SelectMode.SelectError);
            if (done()) return;
        }
    }

    private void Provoke(Socket socket)
    {
        const int DiscardPort = 9; // RFC 863: nobody has to answer, the question of the link below is what matters
        try
        {
            socket.SendTo([0], new IPEndPoint(NextHop, DiscardPort));
        }
        catch (SocketException)
        {
            // "no route to host" until the neighbour answers
        }
    }
}
