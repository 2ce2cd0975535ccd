using System.Net;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>The network as the capture kernel has to set it up: from the ways to the servers to physical interfaces, addresses and routes.</summary>
public sealed record CaptureNetwork(
    IReadOnlyList<CaptureServer> Servers, IReadOnlyList<CaptureInterface> Interfaces, IReadOnlyList<PhysicalInterface> Devices, IReadOnlyList<Check> Checks)
{
    /// <summary>Works it out.</summary>
    /// <param name="paths">Ways to the servers, in the order to try.</param>
    /// <param name="tree">The host's devices.</param>
    /// <param name="links">The host's interfaces.</param>
    /// <exception cref="ClientException">An interface cannot be set up in the capture kernel.</exception>
    public static CaptureNetwork Make(IReadOnlyList<ServerPath> paths, DeviceTree tree, IReadOnlyList<Link> links)
    {
        var servers = new List<CaptureServer>();
        var interfaces = new List<CaptureInterface>();
        var devices = new List<PhysicalInterface>();
        var checks = new List<Check>();
        foreach (ServerPath path in paths)
        {
            IReadOnlyList<string> down = tree.PathDown(path.Device.Name);
            string? hard = down.FirstOrDefault(d => tree.KindOf(d) is "vlan" or "wlan");
            if (hard is not null)
                throw new ClientException($"the route to {path.Server.Host} leads over {hard}, a {(tree.KindOf(hard) == "vlan" ? "VLAN" : "wireless")} interface, which the capture kernel cannot set up",
                    "set DEV to an interface that carries the server's network untagged");
            if (down.Count > 1)
                checks.Add(new(CheckLevel.Warn, "path", $"{string.Join(" -> ", down)}: the dump is sent by {down[^1]} alone, without {path.Device.Name}", Code: "no-nic"));
            Link physical = links.FirstOrDefault(l => l.Name == down[^1]) ?? throw new ClientException($"{down[^1]} is gone");
            int index = interfaces.FindIndex(i => i.Name == physical.Name);
            if (index < 0)
            {
                index = interfaces.Count;
                PhysicalInterface device = tree.Read(physical.Name);
                MacAddress mac = physical.PermanentMac ?? physical.Mac ?? throw new ClientException($"{physical.Name} has no Ethernet hardware address", "set DEV to an Ethernet interface");
                devices.Add(device);
                interfaces.Add(new CaptureInterface
                {
                    Name = physical.Name,
                    Mac = mac.ToString(),
                    BusPath = device.BusPath,
                    Mtu = path.Device.Mtu == 1500 ? 0 : path.Device.Mtu,
                    Addresses = [],
                    Routes = [],
                    Neighbours = [],
                });
            }
            interfaces[index] = WithPath(interfaces[index], path);
            servers.Add(new CaptureServer(Plain(path.Address), path.Server.Port, path.Server.Host, index));
        }
        return new CaptureNetwork(servers, interfaces, devices, checks);
    }

    private static string Plain(IPAddress address) => address.WithoutScope().ToString();

    private static CaptureInterface WithPath(CaptureInterface to, ServerPath path)
    {
        var own = new CaptureAddress(Plain(path.Local.Address), path.Local.PrefixLength);
        var routes = new List<CaptureRoute>();
        string hop = Plain(path.NextHop);
        int full = path.Address.GetAddressBytes().Length * 8;
        bool onLink = new IPNetwork(Network(path.Local.Address, own.PrefixLength), own.PrefixLength).Contains(IPAddress.Parse(hop));
        if (!onLink && path.NextHop.AddressFamily == path.Address.AddressFamily) routes.Add(new CaptureRoute(hop, full, null, own.Address));
        if (path.Route.Gateway is not null) routes.Add(new CaptureRoute(Plain(path.Address), full, hop, own.Address));
        return to with
        {
            Addresses = [.. to.Addresses.Append(own).Distinct()],
            Routes = [.. to.Routes.Concat(routes).Distinct()],
            Neighbours = path.FixedMac is { } mac ? [.. to.Neighbours, new CaptureNeighbour(hop, mac)] : to.Neighbours,
        };
    }

    /// <summary>An address with the bits behind the prefix cleared.</summary>
    private static IPAddress Network(IPAddress address, int prefixLength)
    {
        byte[] bytes = address.GetAddressBytes();
        for (int i = 0; i < bytes.Length; i++)
        {
            int bits = Math.Clamp(prefixLength - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF00 >> bits);
        }
        return new IPAddress(bytes);
    }
}
