using System.Globalization;
using Netdump.Client.Configuration;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>Looks at an armed host without changing it.</summary>
public sealed class HostStatus(HostFiles host, ClientConfiguration configuration)
{
    /// <summary>
    /// What the capture kernel and our program take besides the image: an estimate, not a measurement. A virtual machine with 6.12 came up
    /// in 80 MiB, image included; larger machines have more drivers and tables.
    /// </summary>
    private const long KernelShare = 64L << 20;

    private static readonly TimeSpan NeighbourLimit = TimeSpan.FromSeconds(2);

    /// <summary>Checks everything.</summary>
    public StatusReport Report()
    {
        ArmedState? state = ArmedState.Read(host);
        var checks = new List<Check> { Reserve(state), Loaded(state) };
        checks.AddRange(Paths());
        checks.AddRange(Consoles(state));
        checks.Add(Triggers());
        if (Freshness(state) is { } stale) checks.Add(stale);
        return StatusReport.Of(checks);
    }

    private Check Reserve(ArmedState? state)
    {
        Check check = new HostChecks(host).Reservation();
        if (check.Level == CheckLevel.Fail || state is not { ImageBytes: > 0 }) return check;
        long needed = KernelShare + state.ImageBytes + state.UnpackedBytes;
        bool small = new HostChecks(host).Reserved < needed;
        return check with
        {
            Fact = $"{check.Fact}; this image needs about {(needed >> 20) + 1} MiB",
            Level = small ? CheckLevel.Warn : check.Level,
            Code = small ? "reserve-small" : check.Code,
        };
    }

    private Check Loaded(ArmedState? state)
    {
        bool loaded = new HostChecks(host).CrashKernelLoaded;
        if (loaded && state is { CrashKernel: true })
        {
            return new(CheckLevel.Ok, "loaded", string.Create(CultureInfo.InvariantCulture,
                $"{state.Kernel} ({state.Release}, the running one), image {state.ImageBytes / 1048576.0:F1} MiB, since {state.ArmedAt:yyyy-MM-dd HH:mm} UTC"));
        }
        return loaded ? new(CheckLevel.Fail, "loaded", "a crash kernel is loaded, but not by netdump", "stop its service, then netdump start", "busy")
            : new(CheckLevel.Fail, "loaded", state is { CrashKernel: true } ? "our crash kernel was unloaded by somebody" : "no crash kernel is loaded", "netdump start", "not-loaded");
    }

    private IEnumerable<Check> Paths()
    {
        if (configuration.Servers.Count == 0)
            return [new(CheckLevel.Fail, "path", "no server is named", $"set NETDUMPADDR= in {configuration.Source ?? ClientConfiguration.Files[0]}", "no-server")];
        using var netlink = new RouteNetlink();
        Check[] checks = [.. configuration.Servers.Select(s => Path(netlink, s))];
        // With several servers one that is out of reach is a warning, as long as another can be reached.
        return checks.Any(c => c.Level != CheckLevel.Fail) ? checks.Select(c => c.Level == CheckLevel.Fail ? c with { Level = CheckLevel.Warn } : c) : checks;
    }

    private Check Path(RouteNetlink netlink, Endpoint server)
    {
        try
        {
            ServerPath path = ArmingPlan.Find(netlink, server, configuration);
            if (path.FindNextHop(netlink, NeighbourLimit) is { } mac) return new(CheckLevel.Ok, "path", $"{path}, next hop {mac}");
            // An armed host stays armed while its server is away.
            return new(CheckLevel.Warn, "path", $"{path}: {path.NextHop} does not answer", "start the server, or bring the network up", "no-nic");
        }
        catch (ClientException e)
        {
            return new(CheckLevel.Fail, "path", e.Fact, e.Advice, "no-nic");
        }
    }

    private IEnumerable<Check> Consoles(ArmedState? state)
    {
        var consoles = new Consoles(host);
        foreach ((string name, _) in ArmingPlan.ConsoleTargets(configuration))
        {
            var target = new NetConsoleTarget(host, name);
            if (!target.IsEnabled)
            {
                string fact = target.Exists ? $"target {name} is switched off (its device may have joined a bond or bridge)" : $"target {name} does not exist";
                yield return new(CheckLevel.Warn, "console", fact, state is null ? "netdump start" : "netdump restart", "console-off");
                continue;
            }
            string errors = target.TransmitErrors is { } n ? $", {n} transmit errors" : "";
            yield return new(CheckLevel.Ok, "console", $"{target.Read("dev_name")} -> {target.Read("remote_ip")}:{target.Read("remote_port")} ({target.Read("remote_mac")}){errors}");
            if (target.Read("remote_mac") == "ff:ff:ff:ff:ff:ff")
                yield return new(CheckLevel.Warn, "console", "lines go to every station of the network", "netdump restart, or set NETLOGMACADDR", "console-off");
        }
        if (consoles.PanicLines() is { } note) yield return note;
        if ((configuration.NetLog ?? configuration.SysLog) is not null && consoles.LogLevel() is { } quiet) yield return quiet;
    }

    private Check Triggers()
    {
        string[] names = ["panic_on_oops", "softlockup_panic", "hung_task_panic", "unknown_nmi_panic"];
        string fact = string.Join(' ', names.Select(n => (n, host.Read($"/proc/sys/kernel/{n}"))).Where(p => p.Item2 is not null).Select(p => $"{p.n}={p.Item2}"));
        return new HostChecks(host).PanicOnOops == "1" || !configuration.PanicOnOops ? new(CheckLevel.Ok, "triggers", fact)
            : new(CheckLevel.Warn, "triggers", $"{fact}: an oops in a process is not dumped", "sysctl kernel.panic_on_oops=1", "no-panic-on-oops");
    }

    private Check? Freshness(ArmedState? state)
    {
        if (state?.Configuration is not { } file || state.ConfigurationTime is not { } then || !host.Exists(file)) return null;
        return new DateTimeOffset(File.GetLastWriteTimeUtc(host.Map(file))) > then
            ? new(CheckLevel.Warn, "config", $"{file} was changed after netdump start", "netdump restart", "stale-image") : null;
    }
}
