using System.Net;
using System.Net.Sockets;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>The network as the capture kernel has to set it up: from the ways to the servers to cards, what lies on them, addresses and routes.</summary>
/// <param name="Servers">The servers, in the order to try.</param>
/// <param name="Interfaces">Interfaces that send.</param>
/// <param name="Devices">Devices that the interfaces are made of, the lower ones first.</param>
/// <param name="Modules">Modules of all of them.</param>
/// <param name="Phys">PHY drivers of the cards.</param>
public sealed record CaptureNetwork(
    IReadOnlyList<CaptureServer> Servers, IReadOnlyList<CaptureInterface> Interfaces, IReadOnlyList<CaptureDevice> Devices, IReadOnlyList<string> Modules,
    IReadOnlyList<PhyBinding> Phys)
{
    /// <summary>Works it out.</summary>
    /// <param name="paths">Ways to the servers, in the order to try.</param>
    /// <param name="tree">The host's devices.</param>
    /// <param name="table">The host's interfaces.</param>
    /// <exception cref="ClientException">An interface cannot be set up in the capture kernel.</exception>
    public static CaptureNetwork Make(IReadOnlyList<ServerPath> paths, DeviceTree tree, LinkTable table)
    {
        var servers = new List<CaptureServer>();
        var interfaces = new List<CaptureInterface>();
        var modules = new List<string>();
        var devices = new CaptureDevices(tree);
        foreach (ServerPath path in paths)
        {
            DeviceChain chain = DeviceChain.Find(tree, table, path);
            modules.AddRange(chain.Modules(tree).Except(modules).ToArray());
            int device = devices.Add(chain);
            int index = interfaces.FindIndex(i => i.Device == device);
            if (index < 0)
            {
                index = interfaces.Count;
                interfaces.Add(new CaptureInterface { Name = path.Device.Name, Device = device, Addresses = [], Routes = [], Neighbours = [], Lease = null });
            }
            interfaces[index] = WithPath(interfaces[index], path, tree);
            servers.Add(new CaptureServer(Plain(path.Address), path.Server.Port, path.Server.Host, index));
        }
        return new CaptureNetwork(servers, interfaces, devices.All, modules, devices.Phys);
    }

    private static string Plain(IPAddress address) => address.WithoutScope().ToString();

    private static CaptureInterface WithPath(CaptureInterface to, ServerPath path, DeviceTree tree)
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
            Lease = to.Lease ?? LeaseOf(path, tree),
        };
    }

    /// <summary>The kernel tells that an address is for a time; a file of the DHCP client may tell more. IPv6 addresses are kept as they are.</summary>
    private static CaptureLease? LeaseOf(ServerPath path, DeviceTree tree)
    {
        if (path.Local.Address.AddressFamily != AddressFamily.InterNetwork || path.Local.Index != path.Device.Index) return null;
        LeaseFile? file = tree.Lease(path.Device, path.Local.Address);
        return path.Local.IsForATime || file is { IsInForce: true } ? new CaptureLease(Plain(path.Local.Address), file?.ClientId) : null;
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
