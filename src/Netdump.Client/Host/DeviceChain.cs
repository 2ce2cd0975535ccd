using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>
/// An interface and all that it is made of, down to the cards: what the capture kernel needs to send by it.
/// </summary>
/// <param name="Link">The interface.</param>
/// <param name="Kind">What the capture kernel makes of it; null: it is left out, and the one below takes its place.</param>
/// <param name="Below">What it lies on.</param>
public sealed record DeviceChain(Link Link, CaptureDeviceKind? Kind, IReadOnlyList<DeviceChain> Below)
{
    private const int Forwarding = 3; // BR_STATE_FORWARDING
    private const int Deepest = 8; // the kernel's own limit of stacked interfaces (MAX_NEST_DEV)

    private const string UseAnother = "give this host an address in the server's network on a card, bond, VLAN or Linux bridge, and set DEV to that interface";

    /// <summary>Follows the way to a server down from the interface of its route.</summary>
    /// <param name="tree">Tells which interfaces are cards.</param>
    /// <param name="table">The host's interfaces.</param>
    /// <param name="path">The way.</param>
    /// <exception cref="ClientException">Something on the way cannot be set up in the capture kernel.</exception>
    public static DeviceChain Find(DeviceTree tree, LinkTable table, ServerPath path)
    {
        MacAddress? hop = path.FixedMac is { } mac && MacAddress.TryParse(mac, out MacAddress known) ? known : table.MacOf(path.Device, path.NextHop);
        return new Search(tree, table, hop).Follow(table.Find(path.Device.Index) ?? path.Device, null, 0);
    }

    /// <summary>The cards, in the order in which they are used.</summary>
    public IEnumerable<Link> Cards => Kind == CaptureDeviceKind.Card ? [Link] : Below.SelectMany(b => b.Cards);

    /// <summary>Modules that the capture kernel needs, those of the lower ones first.</summary>
    /// <param name="tree">Knows the cards' drivers.</param>
    public IEnumerable<string> Modules(DeviceTree tree)
    {
        IEnumerable<string> own = Kind switch
        {
            CaptureDeviceKind.Card => tree.Read(Link.Name).Modules,
            CaptureDeviceKind.Vlan => ["8021q"],
            CaptureDeviceKind.Bond => ["bonding"],
            CaptureDeviceKind.Bridge => ["bridge"],
            _ => [],
        };
        return Below.SelectMany(b => b.Modules(tree)).Concat(own).Distinct();
    }

    /// <summary>In words, with a text behind the first interface: <c>bond0.120 10.2.0.15 -&gt; bond0 (eno1, eno2)</c>.</summary>
    public string With(string text)
    {
        bool several = Kind is CaptureDeviceKind.Bond or CaptureDeviceKind.Bridge;
        string ports = several ? $" ({string.Join(", ", Below)})" : "";
        string below = several || Below.Count == 0 ? "" : $" -> {Below[0]}";
        return $"{Link.Name}{ports}{(text.Length > 0 ? " " : "")}{text}{below}";
    }

    /// <summary>In words: <c>bond0.120 -&gt; bond0 (eno1, eno2)</c>.</summary>
    public override string ToString() => With("");

    private sealed class Search(DeviceTree tree, LinkTable table, MacAddress? hop)
    {
        /// <summary>Follows one interface down.</summary>
        /// <param name="link">The interface.</param>
        /// <param name="tag">The VLAN that the interface above puts on frames; null: none.</param>
        /// <param name="depth">Interfaces above.</param>
        public DeviceChain Follow(Link link, int? tag, int depth)
        {
            if (depth > Deepest) throw Refuse(link, "too many interfaces upon each other");
            if (tree.HasDevice(link.Name))
            {
                if (tree.IsWireless(link.Name)) throw Refuse(link, "a wireless interface");
                if (link.Mac is null) throw new ClientException($"{link.Name} has no Ethernet hardware address", "set DEV to an Ethernet interface");
                return new(link, CaptureDeviceKind.Card, []);
            }
            if (link.Vlan is { } vlan)
            {
                Link lower = table.Find(link.Lower) ?? throw Refuse(link, "a VLAN of an interface that is not here");
                return new(link, CaptureDeviceKind.Vlan, [Follow(lower, vlan.Id, depth + 1)]);
            }
            if (link.Bond is not null)
            {
                DeviceChain[] ports = [.. table.Ports(link).Select(p => Follow(p, null, depth + 1))];
                return ports.Length > 0 ? new(link, CaptureDeviceKind.Bond, ports) : throw Refuse(link, "a bond without ports");
            }
            return link.Bridge is { } bridge ? FollowBridge(link, bridge, tag, depth) : throw Refuse(link, NameOf(link.Kind));
        }

        /// <summary>
        /// A bridge joins guests and cards; to send, one card is enough, and then the bridge is left out. With several the way may change, and a real
        /// bridge finds it: unless there may be loops, or VLANs to be kept apart. Then the port is taken behind which the next hop was seen.
        /// </summary>
        private DeviceChain FollowBridge(Link link, BridgeOptions bridge, int? tag, int depth)
        {
            Link[] outward = [.. table.Ports(link).Where(p => LeadsOut(p, depth + 1))];
            if (outward.Length == 0) throw Refuse(link, "a bridge without a card");
            if (outward.Length > 1 && !bridge.SpanningTree && !bridge.FiltersVlans)
                return new(link, CaptureDeviceKind.Bridge, [.. outward.Select(p => Follow(p, null, depth + 1))]);
            Link port = outward.FirstOrDefault(p => table.Forwarding.Any(f => f.Port == p.Index && f.Mac == hop))
                ?? outward.FirstOrDefault(p => p.PortState == Forwarding && p.HasCarrier) ?? outward[0];
            if (bridge.FiltersVlans) CheckVlan(link, port, tag);
            return new(link, null, [Follow(port, null, depth + 1)]);
        }

        private bool LeadsOut(Link link, int depth)
        {
            if (depth > Deepest) return false;
            if (tree.HasDevice(link.Name)) return !tree.IsWireless(link.Name) && link.Mac is not null;
            if (link.Vlan is not null) return table.Find(link.Lower) is { } lower && LeadsOut(lower, depth + 1);
            return link.Bond is not null && table.Ports(link).Any(p => LeadsOut(p, depth + 1));
        }

        /// <summary>Frames must leave the port as they come to the bridge: with the same tag, or without one.</summary>
        private void CheckVlan(Link bridge, Link port, int? tag)
        {
            int? number = tag ?? table.BridgeVlans.FirstOrDefault(v => v.Index == bridge.Index && v.IsDefault)?.First;
            if (number is null) throw Refuse(bridge, "a bridge that takes no frames without a VLAN");
            BridgeVlan? at = table.BridgeVlans.FirstOrDefault(v => v.Index == port.Index && v.First <= number && number <= v.Last);
            if (at is null) throw Refuse(bridge, $"a bridge whose port {port.Name} is not in VLAN {number}");
            if (at.IsUntagged != tag is null) throw Refuse(bridge, $"a bridge that {(tag is null ? "puts a tag on" : "takes the tag off")} VLAN {number} at {port.Name}");
        }

        private static ClientException Refuse(Link link, string what) =>
            new($"the route to the server leads over {link.Name}, {what}, which the capture kernel cannot set up", UseAnother);

        private static string NameOf(string kind) => kind switch
        {
            "" => "a virtual interface",
            "team" => "a team (make it a bond: netdump can do those)",
            "openvswitch" => "an interface of Open vSwitch",
            "tun" => "a tunnel or a virtual machine's interface",
            "veth" => "an end of a virtual cable",
            _ => $"a {kind} interface",
        };
    }
}
