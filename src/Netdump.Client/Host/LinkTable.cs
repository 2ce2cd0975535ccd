using System.Net;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>The host's interfaces and what is known on them, as the kernel told it at one time.</summary>
/// <param name="Links">All interfaces.</param>
/// <param name="Neighbours">Hardware addresses of neighbours.</param>
/// <param name="Forwarding">What bridges have learned.</param>
/// <param name="BridgeVlans">VLANs of bridges and their ports.</param>
public sealed record LinkTable(
    IReadOnlyList<Link> Links, IReadOnlyList<Neighbour> Neighbours, IReadOnlyList<ForwardingEntry> Forwarding, IReadOnlyList<BridgeVlan> BridgeVlans)
{
    /// <summary>Interfaces alone.</summary>
    public LinkTable(IReadOnlyList<Link> links)
        : this(links, [], [], [])
    {
    }

    /// <summary>Asks the kernel.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static LinkTable Read(RouteNetlink netlink)
    {
        IReadOnlyList<Link> links = netlink.Links();
        return links.Any(l => l.Bridge is not null) ? new(links, netlink.Neighbours(), netlink.Forwarding(), netlink.BridgeVlans()) : new(links);
    }

    /// <summary>An interface by its index; null when there is none.</summary>
    public Link? Find(int index) => Links.FirstOrDefault(l => l.Index == index);

    /// <summary>The ports of a bond or bridge, in the order of their indexes.</summary>
    public IEnumerable<Link> Ports(Link master) => Links.Where(l => l.Master == master.Index).OrderBy(l => l.Index);

    /// <summary>A neighbour's hardware address; null when it is not known.</summary>
    public MacAddress? MacOf(Link link, IPAddress neighbour)
    {
        IPAddress wanted = neighbour.WithoutScope();
        return Neighbours.FirstOrDefault(n => n.Index == link.Index && n.IsValid && n.Address.WithoutScope().Equals(wanted))?.Mac;
    }
}
