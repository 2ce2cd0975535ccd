using Netdump.Client.Image;

namespace Netdump.Client.Host;

/// <summary>A physical network interface and the drivers from it up to its bus.</summary>
/// <param name="Name">The running system's name.</param>
/// <param name="BusPath">Resolved path of its device below /sys.</param>
/// <param name="Modules">Modules of the drivers, the bus first; built-in drivers that have no module are not among them.</param>
/// <param name="Phys">PHY drivers bound to it.</param>
public sealed record PhysicalInterface(string Name, string BusPath, IReadOnlyList<string> Modules, IReadOnlyList<PhyBinding> Phys);

/// <summary>What sysfs says of network interfaces: who lies on whom, and which drivers are at work (Documentation/ABI/testing/sysfs-class-net).</summary>
public sealed class DeviceTree(HostFiles host)
{
    private const string Net = "/sys/class/net";

    /// <summary>The interface netconsole must use: the bond, bridge or team when the named one is its port, as ports refuse it.</summary>
    public string UpperOf(string name)
    {
        for (int depth = 0; depth < 8 && host.LinkName($"{Net}/{name}/master") is { } master; depth++) name = master;
        return name;
    }

    /// <summary>True for an interface of a device on a bus; virtual ones have none.</summary>
    public bool HasDevice(string name) => host.Exists($"{Net}/{name}/device");

    /// <summary>True for a wireless one.</summary>
    public bool IsWireless(string name) => host.Exists($"{Net}/{name}/phy80211") || host.Lines($"{Net}/{name}/uevent").Contains("DEVTYPE=wlan");

    /// <summary>What the host's DHCP client wrote down of an address; null when it is nothing.</summary>
    public LeaseFile? Lease(Linux.Link link, System.Net.IPAddress address) => new LeaseFiles(host).Find(link.Index, link.Name, address);

    /// <summary>Reads an interface that has a device.</summary>
    public PhysicalInterface Read(string name)
    {
        string device = host.Resolve($"{Net}/{name}/device") ?? "";
        var modules = new List<string>();
        var phys = new List<PhyBinding>();
        AddDrivers(device, modules);
        if (host.Resolve($"{Net}/{name}/phydev") is { } phy)
        {
            AddDrivers(phy, modules);
            // "Generic PHY" is what every PHY gets that no driver was found for; it needs no binding.
            if (host.LinkName($"{phy}/driver") is { } driver && !driver.StartsWith("Generic", StringComparison.Ordinal))
                phys.Add(new PhyBinding(Path.GetFileName(phy), driver));
        }
        return new PhysicalInterface(name, device, modules, phys);
    }

    /// <summary>Modules of hardware watchdogs, and whether one of them is running now.</summary>
    public (IReadOnlyList<string> Modules, bool InUse) Watchdogs()
    {
        var modules = new List<string>();
        bool inUse = false;
        foreach (string name in host.Names("/sys/class/watchdog"))
        {
            // A watchdog without a device (softdog) dies with its kernel.
            if (host.Resolve($"/sys/class/watchdog/{name}/device") is not { } device) continue;
            AddDrivers(device, modules);
            // Kernels without CONFIG_WATCHDOG_SYSFS do not tell; feeding one that was idle does no harm.
            inUse |= host.Read($"/sys/class/watchdog/{name}/state") is null or "active";
        }
        return (modules, inUse);
    }

    /// <summary>Modules of the drivers of a disk or a partition; null when it is no such thing (a volume, a loop).</summary>
    /// <param name="name">Its name in /dev.</param>
    public IReadOnlyList<string>? OfBlockDevice(string name)
    {
        string? place = host.Resolve($"/sys/class/block/{name}");
        if (place is null || place.StartsWith("/sys/devices/virtual/", StringComparison.Ordinal)) return null;
        var modules = new List<string>();
        AddDrivers(place, modules);
        return modules;
    }

    /// <summary>Adds the modules of a device's driver and of its parents', the topmost first.</summary>
    private void AddDrivers(string device, List<string> modules)
    {
        var chain = new List<string>();
        for (string at = device; at.StartsWith("/sys/devices/", StringComparison.Ordinal); at = Path.GetDirectoryName(at)!)
            if (host.Resolve($"{at}/driver/module") is { } module) chain.Add(Path.GetFileName(module));
        chain.Reverse();
        foreach (string module in chain)
            if (!modules.Contains(module)) modules.Add(module);
    }
}
