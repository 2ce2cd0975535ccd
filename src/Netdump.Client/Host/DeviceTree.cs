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

    /// <summary>Kind of a virtual interface as DEVTYPE of its uevent tells (<c>vlan</c>, <c>bond</c>, <c>bridge</c>, <c>wlan</c>), or "".</summary>
    public string KindOf(string name) =>
        host.Lines($"{Net}/{name}/uevent").FirstOrDefault(l => l.StartsWith("DEVTYPE=", StringComparison.Ordinal))?[8..] ?? "";

    /// <summary>
    /// Interfaces on the way from the named one down to a device on a bus; the last is that device. Of several ports the one a bond has active
    /// is taken, else the first with a carrier.
    /// </summary>
    /// <exception cref="ClientException">There is no device below it.</exception>
    public IReadOnlyList<string> PathDown(string name)
    {
        var path = new List<string> { name };
        while (!host.Exists($"{Net}/{name}/device"))
        {
            string[] ports = [.. host.Names($"{Net}/{name}").Where(n => n.StartsWith("lower_", StringComparison.Ordinal)).Select(n => n[6..])
                .Where(n => !path.Contains(n))];
            string? active = host.Read($"{Net}/{name}/bonding/active_slave");
            name = ports.FirstOrDefault(p => p == active)
                ?? ports.Where(LeadsToDevice).OrderByDescending(p => host.Read($"{Net}/{p}/carrier") == "1").FirstOrDefault()
                ?? throw new ClientException($"{path[0]} has no network device on a bus below it", "set DEV to an interface that has");
            path.Add(name);
        }
        return path;
    }

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

    private bool LeadsToDevice(string name) =>
        host.Exists($"{Net}/{name}/device") || host.Names($"{Net}/{name}").Any(n => n.StartsWith("lower_", StringComparison.Ordinal));

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
