using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>
/// Finds the cards and makes what lay on them on the dead host: bonds, VLANs, bridges, in the manifest's order, from below. What a child of pid 1
/// that was lost has made is taken over.
/// </summary>
/// <param name="wanted">The devices.</param>
/// <param name="netlink">The kernel's interfaces.</param>
/// <param name="findCards">Finds the interfaces of cards; null for one that is not there.</param>
/// <param name="say">Takes a line.</param>
internal sealed class LinkStack(
    IReadOnlyList<CaptureDevice> wanted, RouteNetlink netlink, Func<IReadOnlyList<CaptureDevice>, IReadOnlyList<Link?>> findCards, Action<string> say)
{
    private static readonly TimeSpan PartnerLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    private readonly int[] _indexes = new int[wanted.Count]; // 0: not there yet

    /// <summary>Finds and makes what is not there yet. What the kernel refuses is told, and what lies on it is left out.</summary>
    public void Make()
    {
        int[] cards = [.. Enumerable.Range(0, wanted.Count).Where(i => wanted[i].Kind == CaptureDeviceKind.Card && _indexes[i] == 0)];
        if (cards.Length > 0)
        {
            IReadOnlyList<Link?> found = findCards([.. cards.Select(i => wanted[i])]);
            for (int n = 0; n < cards.Length; n++)
            {
                if (found[n] is not { } link) continue;
                _indexes[cards[n]] = link.Index;
                if (MacAddress.TryParse(wanted[cards[n]].Mac, out MacAddress mac) && mac != link.Mac) Try(() => netlink.SetMac(link.Index, mac));
            }
        }
        for (int i = 0; i < wanted.Count; i++)
            if (_indexes[i] == 0 && wanted[i].Kind != CaptureDeviceKind.Card) Make(i);
    }

    /// <summary>The interface of a device as it is now; null when it is not there.</summary>
    public Link? Find(int device) => _indexes[device] == 0 ? null : netlink.Link(_indexes[device]);

    /// <summary>Switches a device on, and sets its MTU.</summary>
    public void SwitchOn(int device) => Try(() => netlink.SetUp(_indexes[device], wanted[device].Mtu));

    /// <summary>
    /// Waits until the switches of the LACP bonds in a device have agreed: before, some let nothing through. Those that speak no LACP never will, so
    /// the wait has an end.
    /// </summary>
    public void AwaitPartners(int device)
    {
        if (wanted[device].Bond?.Lacp is not null)
        {
            TimeSpan end = Uptime.Now + PartnerLimit;
            while (Find(device)?.Bond?.Partner is not { IsZero: false })
            {
                if (Uptime.Now >= end)
                {
                    say($"{wanted[device].Name}: the switch speaks no LACP after {PartnerLimit.TotalSeconds:0} s; trying all the same");
                    break;
                }
                Descriptors.Pause(LookAgain);
            }
        }
        foreach (int below in wanted[device].Below) AwaitPartners(below);
    }

    private void Make(int device)
    {
        CaptureDevice made = wanted[device];
        int[] below = [.. made.Below.Where(b => _indexes[b] != 0)];
        if (below.Length == 0) return; // it was told what is missing
        Try(() =>
        {
            switch (made.Kind)
            {
                case CaptureDeviceKind.Vlan: MakeVlan(device, below[0]); break;
                case CaptureDeviceKind.Bond: MakeBond(device, below); break;
                default: MakeBridge(device, below); break;
            }
            say(Describe(device, below));
        });
    }

    private void MakeVlan(int device, int below)
    {
        CaptureDevice made = wanted[device];
        int lower = _indexes[below];
        VlanOptions vlan = new(made.Vlan!.Id, made.Vlan.Protocol);
        SwitchOn(below); // a VLAN cannot be switched on before
        _indexes[device] = TakeOrMake(device, l => l.Lower == lower && l.Vlan == vlan, name => netlink.MakeVlan(name, MacOf(made), lower, vlan));
    }

    private void MakeBond(int device, int[] below)
    {
        CaptureDevice made = wanted[device];
        CaptureBond bond = made.Bond!;
        BondOptions options = new()
        {
            Mode = bond.Mode,
            MonitorInterval = bond.MonitorInterval,
            HashPolicy = bond.HashPolicy,
            FailOverMac = bond.FailOverMac,
            LacpRate = bond.Lacp?.Rate ?? 0,
            LacpActive = bond.Lacp?.Active,
            SystemPriority = bond.Lacp?.SystemPriority ?? 0,
            PortKey = bond.Lacp?.PortKey ?? 0,
            SystemMac = MacAddress.TryParse(bond.Lacp?.SystemMac, out MacAddress system) ? system : null,
        };
        int index = TakeOrMake(device, HasPorts, name => netlink.MakeBond(name, MacOf(made), options));
        AddPorts(index, below);
        if (bond.Primary is { } primary && below.Contains(primary)) Try(() => netlink.SetPrimary(index, _indexes[primary]));
        _indexes[device] = index;
    }

    private void MakeBridge(int device, int[] below)
    {
        int index = TakeOrMake(device, HasPorts, name => netlink.MakeBridge(name, MacOf(wanted[device])));
        AddPorts(index, below);
        foreach (int port in below) SwitchOn(port); // those of a bond are switched on by the bond
        _indexes[device] = index;
    }

    private void AddPorts(int master, int[] below)
    {
        foreach (int port in below)
            if (Find(port) is { } link && link.Master != master) Try(() => netlink.SetMaster(link.Index, master));
    }

    private bool HasPorts(Link master) => netlink.Links().Any(l => l.Master == master.Index);

    /// <summary>
    /// An interface of the wanted name and kind: made by an earlier child, or now. The bonding module makes a bond0 by itself, which must go; a name
    /// that is given away to something else is replaced by one that nobody has.
    /// </summary>
    private int TakeOrMake(int device, Func<Link, bool> isOurs, Action<string> make)
    {
        string kind = wanted[device].Kind.ToString().ToLowerInvariant();
        foreach (string name in new[] { wanted[device].Name, $"netdump{device}" })
        {
            if (netlink.Links().FirstOrDefault(l => l.Name == name) is { } there)
            {
                if (there.Kind != kind) continue;
                if (isOurs(there)) return there.Index;
                netlink.Delete(there.Index);
            }
            make(name);
            return netlink.Links().First(l => l.Name == name).Index;
        }
        throw new LinuxException($"make {wanted[device].Name}", Errno.Exists);
    }

    private static MacAddress? MacOf(CaptureDevice device) => MacAddress.TryParse(device.Mac, out MacAddress mac) ? mac : null;

    private string Describe(int device, int[] below)
    {
        CaptureDevice made = wanted[device];
        string what = made.Kind switch
        {
            CaptureDeviceKind.Vlan => $"VLAN {made.Vlan!.Id} of",
            CaptureDeviceKind.Bond => $"bond ({BondOptions.NameOf(made.Bond!.Mode)}) of",
            _ => "bridge of",
        };
        return $"{NameOf(device)}: {what} {string.Join(", ", below.Select(NameOf))}";
    }

    private string NameOf(int device)
    {
        string name = Find(device)?.Name ?? "?", before = wanted[device].Name;
        return name == before ? name : $"{name} ({before} before)";
    }

    private void Try(Action action)
    {
        try
        {
            action();
        }
        catch (Exception failure) when (failure is LinuxException or ArgumentException)
        {
            say(failure.Message);
        }
    }
}
