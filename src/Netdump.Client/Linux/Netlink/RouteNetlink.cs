using System.Diagnostics;
using System.Net;

namespace Netdump.Client.Linux;

/// <summary>
/// Asks the kernel about interfaces, addresses, routes and neighbours, and sets them, as <c>ip</c> does. Not for several
/// threads at once.
/// </summary>
public sealed class RouteNetlink : IDisposable
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);
    private const int ReadsOfAChangingTable = 5;

    private readonly NetlinkSocket _socket = new();
    private readonly byte[] _request = new byte[NetlinkRequest.MaximumSize];
    private readonly byte[] _answer = new byte[64 * 1024];
    private uint _sequence;

    private delegate T? Reader<T>(ReadOnlySpan<byte> body)
        where T : class;

    /// <summary>All interfaces.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public IReadOnlyList<Link> Links() => Dump(NetlinkType.GetLink, NetlinkType.NewLink, NetlinkAnswer.ReadLink);

    /// <summary>All addresses of all interfaces, both families.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public IReadOnlyList<InterfaceAddress> Addresses() => Dump(NetlinkType.GetAddress, NetlinkType.NewAddress, NetlinkAnswer.ReadAddress);

    /// <summary>All routes of all tables, both families.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public IReadOnlyList<Route> Routes() => Dump(NetlinkType.GetRoute, NetlinkType.NewRoute, NetlinkAnswer.ReadRoute);

    /// <summary>All neighbours of all interfaces, both families.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public IReadOnlyList<Neighbour> Neighbours() => Dump(NetlinkType.GetNeighbour, NetlinkType.NewNeighbour, NetlinkAnswer.ReadNeighbour);

    /// <summary>What all bridges have learned.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public IReadOnlyList<ForwardingEntry> Forwarding() =>
        Dump(() => NetlinkRequest.DumpForwarding(_request, ++_sequence), NetlinkType.NewNeighbour, BridgeAnswer.ReadForwarding);

    /// <summary>VLANs of all bridges and their ports.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public IReadOnlyList<BridgeVlan> BridgeVlans() =>
        [.. Dump(() => NetlinkRequest.DumpBridgeVlans(_request, ++_sequence), NetlinkType.NewLink, BridgeAnswer.ReadVlans).SelectMany(v => v)];

    /// <summary>One interface by its index; null when there is none.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public Link? Link(int index)
    {
        try
        {
            return Ask(NetlinkRequest.GetLink(_request, ++_sequence, index), NetlinkType.NewLink, NetlinkAnswer.ReadLink, $"look up interface {index}");
        }
        catch (LinuxException missing) when (missing.Error == Errno.NoDevice)
        {
            return null;
        }
    }

    /// <summary>The route a packet to <paramref name="destination"/> takes: interface, next hop, source address.</summary>
    /// <param name="destination">IPv4 or IPv6 address.</param>
    /// <param name="index">Only by this interface; 0: any.</param>
    /// <exception cref="LinuxException">ENETUNREACH and others: there is no route.</exception>
    public Route Lookup(IPAddress destination, int index = 0) =>
        Ask(NetlinkRequest.Lookup(_request, ++_sequence, destination, index), NetlinkType.NewRoute, NetlinkAnswer.ReadRoute, $"route to {destination}")
        ?? throw new LinuxException($"route to {destination}", Errno.NetworkUnreachable);

    /// <summary>What is known about a neighbour; null when nothing is.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public Neighbour? Neighbour(int index, IPAddress address)
    {
        IPAddress wanted = address.WithoutScope(); // which a link-local address may or may not carry
        return Neighbours().FirstOrDefault(n => n.Index == index && n.Address.WithoutScope().Equals(wanted));
    }

    /// <summary>Switches an interface on and sets its MTU unless <paramref name="mtu"/> is 0.</summary>
    /// <exception cref="LinuxException">The kernel or the driver refused.</exception>
    public void SetUp(int index, int mtu = 0) => Tell(NetlinkRequest.SetUp(_request, ++_sequence, index, mtu), $"switch interface {index} on");

    /// <summary>Makes a VLAN's interface on <paramref name="lower"/>; without a hardware address it has that one's.</summary>
    /// <exception cref="LinuxException">The kernel refused; EEXIST: the name is taken.</exception>
    public void MakeVlan(string name, MacAddress? mac, int lower, VlanOptions vlan) =>
        Tell(LinkRequest.MakeVlan(_request, ++_sequence, name, mac, lower, vlan), $"make VLAN {vlan.Id} as {name}");

    /// <summary>Makes a bond without ports; without a hardware address it takes that of its first port.</summary>
    /// <exception cref="LinuxException">The kernel refused; EEXIST: the name is taken.</exception>
    public void MakeBond(string name, MacAddress? mac, BondOptions bond) =>
        Tell(LinkRequest.MakeBond(_request, ++_sequence, name, mac, bond), $"make bond {name} ({BondOptions.NameOf(bond.Mode)})");

    /// <summary>Makes a bridge without ports that forwards at once.</summary>
    /// <exception cref="LinuxException">The kernel refused; EEXIST: the name is taken.</exception>
    public void MakeBridge(string name, MacAddress? mac) => Tell(LinkRequest.MakeBridge(_request, ++_sequence, name, mac), $"make bridge {name}");

    /// <summary>Puts an interface under a bond or bridge. A bond takes only one that is switched off.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void SetMaster(int index, int master) => Tell(LinkRequest.SetMaster(_request, ++_sequence, index, master), $"put interface {index} under {master}");

    /// <summary>Prefers a port of a bond.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void SetPrimary(int bond, int port) => Tell(LinkRequest.SetPrimary(_request, ++_sequence, bond, port), $"prefer port {port} of bond {bond}");

    /// <summary>Gives an interface a hardware address.</summary>
    /// <exception cref="LinuxException">The kernel or the driver refused.</exception>
    public void SetMac(int index, MacAddress mac) => Tell(LinkRequest.SetMac(_request, ++_sequence, index, mac), $"set hardware address {mac} of interface {index}");

    /// <summary>Removes a virtual interface.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void Delete(int index) => Tell(LinkRequest.Delete(_request, ++_sequence, index), $"remove interface {index}");

    /// <summary>Adds an address; one that is there already is no error.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void AddAddress(int index, IPAddress address, int prefixLength)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)prefixLength, (uint)(8 * NetlinkFamily.Length(NetlinkFamily.Of(address))), nameof(prefixLength));
        Tell(NetlinkRequest.AddAddress(_request, ++_sequence, index, address, prefixLength), $"set address {address}/{prefixLength}");
    }

    /// <summary>Adds a route or replaces the one with the same destination and metric.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void AddRoute(Route route) =>
        Tell(NetlinkRequest.AddRoute(_request, ++_sequence, route), $"set route {route.Destination}/{route.PrefixLength}");

    /// <summary>Sets a permanent neighbour entry.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void SetNeighbour(int index, IPAddress address, MacAddress mac) =>
        Tell(NetlinkRequest.SetNeighbour(_request, ++_sequence, index, address, mac), $"set neighbour {address}");

    /// <summary>Waits until an interface can send.</summary>
    /// <returns>False when it could not within <paramref name="limit"/>, or is gone.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public bool WaitForCarrier(int index, TimeSpan limit)
    {
        TimeSpan between = TimeSpan.FromMilliseconds(200); // some drivers announce late: look again in any case
        long start = Stopwatch.GetTimestamp();
        using NetlinkSocket changes = new(NetlinkSocket.LinkChanges);
        while (true)
        {
            Link? link = Link(index);
            if (link is null) return false;
            if (link.HasCarrier) return true;
            TimeSpan left = limit - Stopwatch.GetElapsedTime(start);
            if (left <= TimeSpan.Zero) return false;
            changes.Receive(_answer, left < between ? left : between);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private List<T> Dump<T>(NetlinkType request, NetlinkType entry, Reader<T> read)
        where T : class => Dump(() => NetlinkRequest.Dump(_request, request, ++_sequence), entry, read);

    private List<T> Dump<T>(Func<int> write, NetlinkType entry, Reader<T> read)
        where T : class
    {
        for (int attempt = 1; ; attempt++)
        {
            List<T> found = [];
            _socket.Send(_request.AsSpan(0, write()));
            bool changed = Receive(entry, body => Add(found, read(body)), one: false, "list the network");
            if (!changed || attempt == ReadsOfAChangingTable) return found;
        }
    }

    private T? Ask<T>(int length, NetlinkType entry, Reader<T> read, string operation)
        where T : class
    {
        List<T> found = [];
        _socket.Send(_request.AsSpan(0, length));
        Receive(entry, body => Add(found, read(body)), one: true, operation);
        return found.FirstOrDefault();
    }

    private void Tell(int length, string operation)
    {
        _socket.Send(_request.AsSpan(0, length));
        Receive(NetlinkType.Nothing, _ => { }, one: true, operation);
    }

    private static void Add<T>(List<T> list, T? entry)
        where T : class
    {
        if (entry is not null) list.Add(entry);
    }

    /// <summary>Takes answers to the last request until its end. True when a dump says that the table changed meanwhile.</summary>
    private bool Receive(NetlinkType entry, Action<ReadOnlySpan<byte>> take, bool one, string operation)
    {
        bool changed = false;
        while (true)
        {
            int length = _socket.Receive(_answer, AnswerLimit);
            if (length == 0) throw new LinuxException(operation, Errno.TimedOut);
            NetlinkMessages messages = new(_answer.AsSpan(0, length));
            while (messages.TryNext(out NetlinkMessage message))
            {
                if (message.Sequence != _sequence) continue; // the rest of an answer that was given up
                changed |= message.Flags.HasFlag(NetlinkFlags.Interrupted);
                if (message.Type == NetlinkType.Done) return changed;
                if (message.Type == NetlinkType.Error)
                {
                    int error = message.ReadError() ?? Errno.Invalid;
                    return error == 0 ? changed : throw new LinuxException(operation, error);
                }
                if (message.Type != entry) continue;
                take(message.Body);
                if (one) return changed;
            }
        }
    }
}
