using Netdump.Client.Image;

namespace Netdump.Client.Capture.Dhcp;

/// <summary>An interface whose leased address became another one.</summary>
public static class RenewedInterface
{
    /// <summary>
    /// Puts the new address in place of the old. Its network may be another one, so the router the server named takes the place of the old one;
    /// the same address changes nothing.
    /// </summary>
    /// <param name="wanted">The interface as the host had it.</param>
    /// <param name="lease">What the server gave.</param>
    public static CaptureInterface Of(CaptureInterface wanted, DhcpMessage lease)
    {
        string old = wanted.Lease?.Address ?? "", given = lease.Given?.ToString() ?? old;
        if (given == old) return wanted;
        string? oldGateway = wanted.Routes.FirstOrDefault(r => r.Gateway is not null && r.Source == old)?.Gateway;
        string? newGateway = lease.Gateway?.ToString() ?? oldGateway;
        return wanted with
        {
            Lease = wanted.Lease is null ? null : wanted.Lease with { Address = given },
            Addresses = [.. wanted.Addresses.Select(a => a.Address == old ? new CaptureAddress(given, lease.PrefixLength ?? a.PrefixLength) : a)],
            Routes = [.. wanted.Routes.Select(r => r.Source != old ? r : r with
            {
                Source = given,
                Gateway = r.Gateway == oldGateway ? newGateway : r.Gateway,
                Destination = r.Gateway is null && r.Destination == oldGateway ? newGateway! : r.Destination,
            })],
            // The hardware address of the old router.
            Neighbours = [.. wanted.Neighbours.Where(n => n.Address != oldGateway || newGateway == oldGateway)],
        };
    }
}
