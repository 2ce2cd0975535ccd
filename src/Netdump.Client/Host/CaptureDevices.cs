using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>Collects the devices of the ways to the servers, each once, with the settings they have on the host as numbers.</summary>
internal sealed class CaptureDevices(DeviceTree tree)
{
    private const uint MonitorInterval = 100; // miimon of a bond that watches its ports in another way, or not at all

    private readonly List<CaptureDevice> _all = [];
    private readonly List<PhyBinding> _phys = [];
    private readonly Dictionary<int, int> _byLink = [];

    /// <summary>All devices; each comes after those below it.</summary>
    public IReadOnlyList<CaptureDevice> All => _all;

    /// <summary>PHY drivers of the cards.</summary>
    public IReadOnlyList<PhyBinding> Phys => _phys;

    /// <summary>Adds a chain; gives the index of its uppermost device.</summary>
    public int Add(DeviceChain chain) => Add(chain, chain.Link, isBonded: false);

    /// <summary>Adds a chain.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="stands">The interface whose hardware address and MTU it has to have: its own, or that of the bridge that is left out.</param>
    /// <param name="isBonded">A bond is above, which gives its ports their hardware addresses and MTU.</param>
    private int Add(DeviceChain chain, Link stands, bool isBonded)
    {
        if (chain.Kind is not { } kind) return Add(chain.Below[0], stands, isBonded);
        if (_byLink.TryGetValue(chain.Link.Index, out int there)) return there;
        int[] below = [.. chain.Below.Select(b => Add(b, b.Link, kind == CaptureDeviceKind.Bond))];
        PhysicalInterface? card = kind == CaptureDeviceKind.Card ? tree.Read(chain.Link.Name) : null;
        if (card is not null) _phys.AddRange(card.Phys);
        _byLink[chain.Link.Index] = _all.Count;
        _all.Add(new CaptureDevice
        {
            Kind = kind,
            Name = chain.Link.Name,
            Mac = isBonded ? null : MacOf(chain, stands)?.ToString(),
            Mtu = isBonded || stands.Mtu == 1500 ? 0 : stands.Mtu,
            Below = below,
            Card = card is null ? null : new CaptureCard((chain.Link.PermanentMac ?? chain.Link.Mac)!.Value.ToString(), card.BusPath),
            Vlan = kind == CaptureDeviceKind.Vlan ? new CaptureVlan(chain.Link.Vlan!.Id, chain.Link.Vlan.Protocol) : null,
            Bond = kind == CaptureDeviceKind.Bond ? Of(chain.Link.Bond!) : null,
        });
        return _all.Count - 1;
    }

    /// <summary>The address to set; null when the device has it by itself.</summary>
    private static MacAddress? MacOf(DeviceChain chain, Link stands) => chain.Kind switch
    {
        CaptureDeviceKind.Card => stands.Mac == (chain.Link.PermanentMac ?? chain.Link.Mac) ? null : stands.Mac,
        CaptureDeviceKind.Vlan => stands.Mac == chain.Below[0].Link.Mac ? null : stands.Mac,
        CaptureDeviceKind.Bond when chain.Link.Bond!.FailOverMac == 1 => null, // that of the port in use
        _ => stands.Mac,
    };

    private CaptureBond Of(BondOptions bond)
    {
        int preferred = bond.Primary != 0 ? bond.Primary : bond.HasActivePort ? bond.Active : 0;
        return new CaptureBond(bond.Mode, bond.MonitorInterval != 0 ? bond.MonitorInterval : MonitorInterval, bond.HashPolicy, bond.FailOverMac,
            _byLink.TryGetValue(preferred, out int port) ? port : null,
            bond.Mode != BondOptions.Lacp ? null : new CaptureLacp(bond.LacpRate, bond.LacpActive ?? true, bond.SystemPriority, bond.PortKey,
                bond.SystemMac is { IsZero: false } system ? system.ToString() : null));
    }
}
