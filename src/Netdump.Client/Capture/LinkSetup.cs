using System.Net;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>Brings an interface up as it was on the dead host: addresses, routes and neighbours as numbers, nothing is asked of the network.</summary>
internal sealed class LinkSetup(RouteNetlink netlink, Action<string> say)
{
    private static readonly TimeSpan ExactLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DeviceLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CarrierLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Waits for the device, sets everything and waits for the carrier. What the kernel refuses is told and skipped, so that
    /// a part that is not needed cannot stop the dump.
    /// </summary>
    /// <returns>The interface as it is now, or null when its device did not appear or has no carrier.</returns>
    public Link? BringUp(CaptureInterface wanted)
    {
        NetworkDevice? device = Await(wanted);
        if (device is null)
        {
            say($"{wanted.Name}: no device with address {wanted.Mac} or at {wanted.BusPath} after {DeviceLimit.TotalSeconds:0} s; is its driver in the image (EXTRA_MODULES)?");
            return null;
        }
        int index = device.Link.Index;
        Apply(() => netlink.SetUp(index, wanted.Mtu));
        foreach (CaptureAddress address in wanted.Addresses)
            Apply(() => netlink.AddAddress(index, IPAddress.Parse(address.Address), address.PrefixLength));
        foreach (CaptureNeighbour neighbour in wanted.Neighbours)
        {
            if (MacAddress.TryParse(neighbour.Mac, out MacAddress mac)) Apply(() => netlink.SetNeighbour(index, IPAddress.Parse(neighbour.Address), mac));
        }
        bool carrier = netlink.WaitForCarrier(index, CarrierLimit);
        // Routes last: the kernel drops some of IPv6 when the carrier comes.
        foreach (CaptureRoute route in wanted.Routes) Apply(() => netlink.AddRoute(Read(route, index)));
        if (!carrier) say($"{wanted.Name}: no carrier after {CarrierLimit.TotalSeconds:0} s; is the cable in?");
        return carrier ? netlink.Link(index) : null;
    }

    internal static Route Read(CaptureRoute route, int index) => new(
        IPAddress.Parse(route.Destination),
        route.PrefixLength,
        route.Gateway is null ? null : IPAddress.Parse(route.Gateway),
        route.Source is null ? null : IPAddress.Parse(route.Source),
        index);

    private NetworkDevice? Await(CaptureInterface wanted)
    {
        TimeSpan start = Uptime.Now;
        while (true)
        {
            TimeSpan waited = Uptime.Now - start;
            // A device that agrees only in part is taken when the right one had its time to appear.
            NetworkDevice? device = InterfaceMatch.Find(wanted, NetworkDevices.List(netlink), exact: waited < ExactLimit);
            if (device is not null || waited >= DeviceLimit) return device;
            Descriptors.Pause(LookAgain);
        }
    }

    private void Apply(Action action)
    {
        try
        {
            action();
        }
        catch (Exception failure) when (failure is LinuxException or FormatException or ArgumentException)
        {
            say(failure.Message);
        }
    }
}
