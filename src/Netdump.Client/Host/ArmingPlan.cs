using Netdump.Client.Configuration;
using Netdump.Client.Image;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>The crash kernel to load.</summary>
/// <param name="Kernel">Path of its image.</param>
/// <param name="CommandLine">Its command line.</param>
/// <param name="Image">Its initramfs.</param>
public sealed record CrashKernel(string Kernel, string CommandLine, CaptureImage Image);

/// <summary>A netconsole target to make.</summary>
/// <param name="Name">Its directory in configfs.</param>
/// <param name="Settings">Its settings.</param>
public sealed record ConsolePlan(string Name, NetConsoleSettings Settings);

/// <summary>Everything <c>start</c> is going to do, worked out and checked before anything is changed.</summary>
public sealed record ArmingPlan
{
    /// <summary>Name of the target that carries extended records.</summary>
    public const string NetLogTarget = "netdump";

    /// <summary>Name of the target that carries plain lines.</summary>
    public const string SysLogTarget = "netdump-syslog";

    private static readonly TimeSpan NeighbourLimit = TimeSpan.FromSeconds(3);

    /// <summary>The settings.</summary>
    public required ClientConfiguration Configuration { get; init; }

    /// <summary>Boot of the running kernel.</summary>
    public required string BootId { get; init; }

    /// <summary>The crash kernel; null: console lines only, as NETDUMPADDR is empty.</summary>
    public CrashKernel? CrashKernel { get; init; }

    /// <summary>netconsole targets.</summary>
    public IReadOnlyList<ConsolePlan> Consoles { get; init; } = [];

    /// <summary>Ways to the dump servers.</summary>
    public IReadOnlyList<ServerPath> Paths { get; init; } = [];

    /// <summary>Modules of the running kernel.</summary>
    public required ModuleTree Modules { get; init; }

    /// <summary>What was found; nothing in it has failed.</summary>
    public IReadOnlyList<Check> Checks { get; init; } = [];

    /// <summary>Works the plan out; changes nothing.</summary>
    /// <exception cref="ClientException">The host cannot be armed.</exception>
    public static ArmingPlan Make(HostFiles host, ClientConfiguration configuration, bool replace)
    {
        var checks = new List<Check>(configuration.Notes.Select(n => new Check(CheckLevel.Ok, "config", n)));
        KernelIdentity kernel = KernelIdentity.Running();
        string bootId = host.Read("/proc/sys/kernel/random/boot_id") ?? throw new ClientException("/proc is not mounted", "mount -t proc proc /proc");
        if (!host.Exists("/sys/class/net")) throw new ClientException("/sys is not mounted", "mount -t sysfs sysfs /sys");
        if (configuration.Servers.Count == 0 && configuration.NetLog is null && configuration.SysLog is null)
            throw new ClientException("no server is named", $"set NETDUMPADDR=ADDRESS in {configuration.Source ?? ClientConfiguration.Files[0]}");
        if (configuration.Servers.Count > 0) CheckKexec(host, replace, checks);
        var tree = new ModuleTree(configuration.ModuleRoot ?? host.Map($"/lib/modules/{kernel.Release}"));
        using var netlink = new RouteNetlink();
        var devices = new DeviceTree(host);
        var plan = new ArmingPlan { Configuration = configuration, BootId = bootId, Modules = tree };
        if (configuration.Servers.Count > 0)
        {
            string image = KernelImage.Find(host, kernel.Release, configuration.Kernel);
            string commandLine = CaptureCommandLine.Make(host.Read("/proc/cmdline") ?? "", configuration.CaptureCpus, configuration.CaptureCommandLine);
            IReadOnlyList<ServerPath> paths = FindPaths(netlink, configuration, checks);
            CaptureNetwork network = CaptureNetwork.Make(paths, devices, netlink.Links());
            checks.AddRange(network.Checks);
            CaptureImage content = PlanImage(host, kernel, bootId, configuration, tree, devices, network);
            plan = plan with { CrashKernel = new CrashKernel(image, commandLine, content), Paths = paths };
        }
        return plan with { Consoles = PlanConsoles(host, netlink, configuration, devices, kernel, bootId, checks), Checks = checks };
    }

    /// <summary>The netconsole targets that a configuration asks for, by name.</summary>
    internal static IEnumerable<(string Name, ConsoleTarget Target)> ConsoleTargets(ClientConfiguration configuration)
    {
        if (configuration.NetLog is { } log) yield return (NetLogTarget, log);
        if (configuration.SysLog is { } lines) yield return (SysLogTarget, lines);
    }

    private static void CheckKexec(HostFiles host, bool replace, List<Check> checks)
    {
        var facts = new HostChecks(host);
        checks.Add(facts.Reservation().OrThrow());
        checks.Add(facts.LoadingAllowed().OrThrow());
        if (facts.CrashKernelLoaded && ArmedState.Read(host) is not { CrashKernel: true })
        {
            if (!replace) throw new ClientException("another crash kernel is loaded, not by netdump", "stop its service (kdump, kdump-tools) or start with --replace");
            checks.Add(new(CheckLevel.Warn, "kexec", "replacing a crash kernel that was not loaded by netdump", Code: "busy"));
        }
    }

    /// <summary>Ways to all servers that can be reached; the order stays.</summary>
    private static List<ServerPath> FindPaths(RouteNetlink netlink, ClientConfiguration configuration, List<Check> checks)
    {
        var paths = new List<ServerPath>();
        int answering = 0;
        ClientException? first = null;
        foreach (Endpoint server in configuration.Servers)
        {
            try
            {
                ServerPath path = Find(netlink, server, configuration);
                paths.Add(path);
                string mac = path.FindNextHop(netlink, NeighbourLimit) ?? throw Silent(path);
                answering++;
                checks.Add(new(CheckLevel.Ok, "path", $"{path}, next hop {mac}"));
            }
            catch (ClientException e)
            {
                first ??= e;
                if (configuration.Servers.Count > 1) checks.Add(new(CheckLevel.Warn, "path", e.Fact, e.Advice, "no-nic"));
            }
        }
        return answering > 0 ? paths : throw first!;
    }

    /// <summary>The way to a dump server. NETDUMPMACADDR belongs to the first one that is configured.</summary>
    internal static ServerPath Find(RouteNetlink netlink, Endpoint server, ClientConfiguration configuration) =>
        ServerPath.Find(netlink, server, configuration.Device, server == configuration.Servers[0] ? configuration.ServerMac : null);

    private static ClientException Silent(ServerPath path)
    {
        string who = path.Route.Gateway is { } gateway ? $"the router {gateway} to server {path.Server.Host}" : $"server {path.Server.Host} ({path.Address})";
        return new($"{who} does not answer on {path.Device.Name}", "start it, or set NETDUMPMACADDR to its hardware address to go on without an answer");
    }

    private static CaptureImage PlanImage(
        HostFiles host, KernelIdentity kernel, string bootId, ClientConfiguration configuration, ModuleTree tree, DeviceTree devices, CaptureNetwork network)
    {
        (IReadOnlyList<string> watchdogs, bool watchdogInUse) = devices.Watchdogs();
        var names = new List<string>();
        foreach (string name in network.Devices.SelectMany(d => d.Modules).Concat(watchdogs).Concat(configuration.ExtraModules))
            if (!names.Contains(name)) names.Add(name);
        if (tree.Contains("af_packet")) names.Add("af_packet");
        DriverSet drivers = DriverSet.Collect(host, tree, kernel.Release, names, name => throw new ClientException(
            configuration.ExtraModules.Contains(name) ? $"EXTRA_MODULES names {name}, which is not in {tree.Directory}" : $"module {name} is in use but not in {tree.Directory}",
            "install it there and run depmod"));
        var options = new ModuleOptions(host);
        var manifest = new CaptureManifest
        {
            HostName = kernel.NodeName,
            BootId = bootId,
            KernelRelease = kernel.Release,
            Servers = network.Servers,
            Interfaces = network.Interfaces,
            Modules = [.. drivers.Modules.Select(m => new CaptureModule(m.Name, DriverSet.PathOf(kernel.Release, m), options.Of(m.Name)))],
            PhyBindings = [.. network.Devices.SelectMany(d => d.Phys)],
            LocalPort = configuration.LocalPort,
            GiveUpSeconds = configuration.GiveUpSeconds,
            FinalAction = configuration.FinalAction,
            Watchdog = watchdogInUse,
            Digest = configuration.CaptureDigest,
        };
        ImageFile? shell = configuration.FinalAction == FinalAction.Shell ? StaticShell.Find(host) : null;
        return new CaptureImage("/proc/self/exe", ProgramFiles.OfSelf(), drivers, shell, manifest);
    }

    private static List<ConsolePlan> PlanConsoles(
        HostFiles host, RouteNetlink netlink, ClientConfiguration configuration, DeviceTree devices, KernelIdentity kernel, string bootId, List<Check> checks)
    {
        var plans = new List<ConsolePlan>();
        foreach ((string name, ConsoleTarget target) in ConsoleTargets(configuration))
        {
            try
            {
                ServerPath path = ServerPath.Find(netlink, target.Server, configuration.Device, target.Mac);
                string? mac = path.FindNextHop(netlink, NeighbourLimit);
                if (mac is null)
                    checks.Add(new(CheckLevel.Warn, "console", $"{path.NextHop} does not answer, so console lines go to every station of the network (ff:ff:ff:ff:ff:ff)",
                        "restart when it answers, or set NETLOGMACADDR", "console-off"));
                plans.Add(new ConsolePlan(name, new NetConsoleSettings(
                    name == NetLogTarget, devices.UpperOf(path.Device.Name), path.Local.Address.WithoutScope(), path.Address.WithoutScope(), target.Server.Port,
                    mac ?? "ff:ff:ff:ff:ff:ff", [("machine", kernel.NodeName), ("boot", bootId)])));
            }
            catch (ClientException e) when (configuration.Servers.Count > 0)
            {
                checks.Add(new(CheckLevel.Warn, "console", e.Fact, e.Advice, "console-off"));
            }
        }
        if (plans.Count > 0 && new Consoles(host).LogLevel() is { } quiet) checks.Add(quiet);
        return plans;
    }
}
