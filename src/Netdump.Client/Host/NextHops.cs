using Netdump.Client.Configuration;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>
/// The hardware addresses of next hops as one command needs them. All that may be needed are asked for at once, and together they are waited
/// for no longer than <see cref="Limit"/>: servers that are down must not hold up the boot, and not add up.
/// </summary>
public sealed class NextHops
{
    /// <summary>Longest wait for all of them. The kernel asks the link again after a second.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(1200);

    /// <summary>Longest wait for a carrier: at boot a card may need some seconds for its link, and no question leaves before.</summary>
    public static readonly TimeSpan CarrierLimit = TimeSpan.FromSeconds(5);

    private readonly RouteNetlink _netlink;
    private readonly HashSet<int> _waitedFor = [];
    private long _began = TimeProvider.System.GetTimestamp();

    /// <summary>Asks for the next hops to all servers and console receivers of a configuration, without waiting.</summary>
    /// <param name="netlink">The kernel's tables; stays the caller's.</param>
    /// <param name="configuration">The settings.</param>
    public NextHops(RouteNetlink netlink, ClientConfiguration configuration)
    {
        _netlink = netlink;
        foreach (Endpoint server in configuration.Servers) Ask(server, configuration);
        foreach ((_, ConsoleTarget target) in ConsolePlan.Targets(configuration)) Ask(target.Server, configuration);
    }

    /// <summary>The hardware address of a next hop; null when it has not answered by the end of the limit.</summary>
    public string? Find(ServerPath path)
    {
        // Once for each device; the limit of the answers begins with the carrier.
        if (path.FixedMac is null && !path.Device.HasCarrier && _waitedFor.Add(path.Device.Index) && _netlink.WaitForCarrier(path.Device.Index, CarrierLimit))
            _began = TimeProvider.System.GetTimestamp();
        TimeSpan left = Limit - TimeProvider.System.GetElapsedTime(_began);
        return path.FindNextHop(_netlink, left > TimeSpan.Zero ? left : TimeSpan.Zero);
    }

    private void Ask(Endpoint server, ClientConfiguration configuration)
    {
        try
        {
            ServerPath.Find(_netlink, server, configuration.Device, null).AskNextHop(_netlink);
        }
        catch (ClientException)
        {
            // the path's check says it
        }
    }
}
