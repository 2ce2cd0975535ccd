using System.Net;
using System.Net.Sockets;
using Netdump.Client.Capture.Dhcp;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>Brings an interface up as it was on the dead host: addresses, routes and neighbours as numbers. The network is asked for nothing but a leased address.</summary>
internal sealed class LinkSetup(RouteNetlink netlink, LinkStack stack, Action<string> say)
{
    private static readonly TimeSpan CarrierLimit = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Sets everything and waits for the carrier. What the kernel refuses is told and skipped, so that a part that is not needed cannot stop the
    /// dump.
    /// </summary>
    /// <returns>The interface as it is now, with what was set; null when its device is not there or has no carrier.</returns>
    public (Link Link, CaptureInterface Set)? BringUp(CaptureInterface wanted)
    {
        if (stack.Find(wanted.Device) is not { } device) return null; // it was told why
        int index = device.Index;
        stack.SwitchOn(wanted.Device);
        bool carrier = netlink.WaitForCarrier(index, CarrierLimit);
        if (!carrier) say($"{wanted.Name}: no carrier after {CarrierLimit.TotalSeconds:0} s; is the cable in?");
        if (carrier)
        {
            stack.AwaitPartners(wanted.Device);
            wanted = Renew(wanted, index);
        }
        foreach (CaptureAddress address in wanted.Addresses)
            Apply(() => netlink.AddAddress(index, IPAddress.Parse(address.Address), address.PrefixLength));
        foreach (CaptureNeighbour neighbour in wanted.Neighbours)
        {
            if (MacAddress.TryParse(neighbour.Mac, out MacAddress mac)) Apply(() => netlink.SetNeighbour(index, IPAddress.Parse(neighbour.Address), mac));
        }
        // Routes last: the kernel drops some of IPv6 when the carrier comes.
        foreach (CaptureRoute route in wanted.Routes) Apply(() => netlink.AddRoute(Read(route, index)));
        return carrier && netlink.Link(index) is { } link ? (link, wanted) : null;
    }

    internal static Route Read(CaptureRoute route, int index) => new(
        IPAddress.Parse(route.Destination),
        route.PrefixLength,
        route.Gateway is null ? null : IPAddress.Parse(route.Gateway),
        route.Source is null ? null : IPAddress.Parse(route.Source),
        index);

    /// <summary>Asks for a leased address once more, unless an earlier child has set it. Without an answer it is used as it was.</summary>
    private CaptureInterface Renew(CaptureInterface wanted, int index)
    {
        if (wanted.Lease is not { } lease || !IPAddress.TryParse(lease.Address, out IPAddress? address) || netlink.Link(index) is not { } link) return wanted;
        if (netlink.Addresses().Any(a => a.Index == index && a.Address.AddressFamily == AddressFamily.InterNetwork)) return wanted;
        try
        {
            TimeSpan start = Uptime.Now;
            LeaseRenewal renewal = LeaseClient.Renew(link, address, lease.ClientId is { } id ? Convert.FromHexString(id) : ReadOnlyMemory<byte>.Empty);
            string took = $"{(Uptime.Now - start).TotalSeconds:0.0} s";
            if (renewal is { End: RenewalEnd.Given, Lease: { } given })
            {
                CaptureInterface renewed = RenewedInterface.Of(wanted, given);
                say($"{link.Name}: DHCP gives {given.Given}{(ReferenceEquals(renewed, wanted) ? " again" : $" in place of {address}")}, {took}");
                return renewed;
            }
            say(renewal.End == RenewalEnd.Refused
                ? $"{link.Name}: DHCP refuses {address} and gives no other; it is used all the same"
                : $"{link.Name}: no DHCP server answers within {took}; {address} is used as it was");
        }
        catch (Exception failure) when (failure is SocketException or LinuxException or FormatException)
        {
            say($"{link.Name}: DHCP: {failure.Message}; {address} is used as it was");
        }
        return wanted;
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
