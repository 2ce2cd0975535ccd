using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>A physical network device as the capture kernel sees it.</summary>
/// <param name="Link">Its interface.</param>
/// <param name="BusPath">Resolved path of the device below /sys.</param>
public sealed record NetworkDevice(Link Link, string BusPath);

/// <summary>The network devices of this kernel.</summary>
internal static class NetworkDevices
{
    private const string Class = "/sys/class/net";

    /// <summary>All interfaces that lie on a device; virtual ones do not.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static IReadOnlyList<NetworkDevice> List(RouteNetlink netlink)
    {
        List<NetworkDevice> devices = [];
        foreach (Link link in netlink.Links())
        {
            if (BusPath(link.Name) is { } path) devices.Add(new NetworkDevice(link, path));
        }
        return devices;
    }

    private static string? BusPath(string name)
    {
        try
        {
            // In two steps: "device" is relative to the place the first link leads to.
            string? place = Directory.ResolveLinkTarget($"{Class}/{name}", returnFinalTarget: true)?.FullName;
            return place is null ? null : Directory.ResolveLinkTarget($"{place}/device", returnFinalTarget: true)?.FullName;
        }
        catch (IOException)
        {
            return null; // it has no device, or has just gone
        }
    }
}
