namespace Netdump.Client.Host;

/// <summary>Will a hardware watchdog that runs now reset the machine in the middle of the dump?</summary>
public static class WatchdogCheck
{
    private const string Class = "/sys/class/watchdog";

    /// <summary>Looks at each watchdog of the host.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="drivers">Modules in the image, or that will be.</param>
    /// <param name="tree">Modules of the running kernel; null: not known.</param>
    public static IEnumerable<Check> Examine(HostFiles host, IReadOnlyCollection<string> drivers, Image.ModuleTree? tree)
    {
        int running = 0;
        // Some drivers tell no device, so nothing says which one it is: a watchdog's driver in the image will be it.
        bool carried = drivers.Any(d => tree?.IsWatchdog(d) == true);
        foreach (string name in host.Names(Class))
        {
            string identity = host.Read($"{Class}/{name}/identity") ?? name;
            // Kernels without CONFIG_WATCHDOG_SYSFS do not tell the state: taken as running.
            if (host.Read($"{Class}/{name}/state") is not (null or "active") || identity == "Software Watchdog") continue; // softdog dies with its kernel
            running++;
            string seconds = host.Read($"{Class}/{name}/timeout") is { } timeout ? $" {timeout} s" : "";
            string[] needed = Drivers(host, name);
            string? missing = needed.FirstOrDefault(m => !drivers.Contains(m));
            if (missing is not null)
                yield return new(CheckLevel.Warn, "watchdog", $"{identity}{seconds} runs, and its driver {missing} is not in the image: it may reset the host in the middle of the dump", "netdump restart", "watchdog");
            else if (needed.Length == 0 && host.Resolve($"{Class}/{name}/device/driver") is null && !carried)
                yield return new(CheckLevel.Warn, "watchdog", $"{identity}{seconds} runs, and no device in /sys tells its driver: it may reset the host in the middle of the dump", "put the driver's name into EXTRA_MODULES, then netdump restart", "watchdog");
            else
                yield return new(CheckLevel.Ok, "watchdog", $"{identity}{seconds}, {(needed.Length > 0 || carried ? "driver in the image" : "driver built in")}");
        }
        if (running == 0) yield return new(CheckLevel.Ok, "watchdog", "none is running");
    }

    /// <summary>Modules of the drivers of a watchdog's device; none when they are built in or there is no device.</summary>
    private static string[] Drivers(HostFiles host, string name) =>
        host.Resolve($"{Class}/{name}/device/driver/module") is { } module ? [Path.GetFileName(module)] : [];
}
