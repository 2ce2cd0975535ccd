using Netdump.Client.Configuration;
using Netdump.Client.Image;
using Netdump.Client.Linux;
using Netdump.Client.Spool;
using Netdump.Client.Trust;

namespace Netdump.Client.Host;

/// <summary>The crash kernel to load.</summary>
/// <param name="Kernel">Path of its image.</param>
/// <param name="CommandLine">Its command line.</param>
/// <param name="Image">Its initramfs.</param>
public sealed record CrashKernel(string Kernel, string CommandLine, CaptureImage Image);

/// <summary>What an operator asks of <c>start</c> beside the configuration.</summary>
/// <param name="Replace">A crash kernel that another program loaded may be replaced.</param>
/// <param name="Triggers">Triggers given on the command line, or null.</param>
public sealed record ArmingOptions(bool Replace = false, TriggerSet? Triggers = null);

/// <summary>Everything <c>start</c> is going to do, worked out and checked before anything is changed.</summary>
public sealed record ArmingPlan
{
    /// <summary>The settings.</summary>
    public required ClientConfiguration Configuration { get; init; }

    /// <summary>Boot of the running kernel.</summary>
    public required string BootId { get; init; }

    /// <summary>The crash kernel; null: console lines only, as NETDUMPADDR is empty.</summary>
    public CrashKernel? CrashKernel { get; init; }

    /// <summary>netconsole targets.</summary>
    public IReadOnlyList<ConsolePlan> Consoles { get; init; } = [];

    /// <summary>What the crash kernel and its image are made of; null without them.</summary>
    public ImageFingerprint? Fingerprint { get; init; }

    /// <summary>Ways to the dump servers.</summary>
    public IReadOnlyList<ServerPath> Paths { get; init; } = [];

    /// <summary>By which way dumps go; null without a dump.</summary>
    public TransportPlan? Transport { get; init; }

    /// <summary>Where a crash of this host will lie on the first server, up to the time in the name; null without a dump.</summary>
    public string? Directory => Paths is [var first, ..] ? $"/var/crash/{first.Local.Address.WithoutScope().ToString().Replace(':', '_')}-" : null;

    /// <summary>Modules of the running kernel.</summary>
    public required ModuleTree Modules { get; init; }

    /// <summary>What else is to become a panic.</summary>
    public TriggerSet Triggers { get; init; }

    /// <summary>True when <see cref="Triggers"/> were given to <c>start</c> itself, now or earlier in this boot.</summary>
    public bool TriggersByOption { get; init; }

    /// <summary>Works the plan out, with the checks of <c>status</c>; changes nothing.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="configuration">The settings.</param>
    /// <param name="options">What was asked for on the command line.</param>
    /// <param name="tell">Told each check that did not fail, in the order of <c>status</c>.</param>
    /// <exception cref="ClientException">The host cannot be armed: the first check that failed.</exception>
    public static ArmingPlan Make(HostFiles host, ClientConfiguration configuration, ArmingOptions options, Action<Check> tell)
    {
        foreach (string note in configuration.Notes) tell(new Check(CheckLevel.Ok, "config", note));
        KernelIdentity kernel = KernelIdentity.Running();
        string bootId = host.Read("/proc/sys/kernel/random/boot_id") ?? throw new ClientException("/proc is not mounted", "mount -t proc proc /proc");
        if (!host.Exists("/sys/class/net")) throw new ClientException("/sys is not mounted", "mount -t sysfs sysfs /sys");
        if (configuration.Servers.Count == 0 && configuration.NetLog is null && configuration.SysLog is null)
            throw new ClientException(NoServer(configuration));
        ArmedState? state = ArmedState.Read(host);
        TriggerSet? byOption = options.Triggers ?? (state is { TriggersByOption: true } ? Host.Triggers.Parse(state.Triggers) : null);
        var plan = new ArmingPlan
        {
            Configuration = configuration,
            BootId = bootId,
            Modules = TreeOf(host, configuration, kernel),
            Triggers = byOption ?? configuration.WantedTriggers,
            TriggersByOption = byOption is not null,
        };
        using var netlink = new RouteNetlink();
        var devices = new DeviceTree(host);
        var hops = new NextHops(netlink, configuration);
        if (configuration.Servers.Count > 0)
        {
            CheckKexec(host, FindKernel(host, configuration, kernel), options.Replace, state, tell);
            TransportPlan transport = TransportPlan.Make(host, configuration);
            List<ServerPath> paths = Reach(host, netlink, devices, configuration, transport, hops, tell);
            foreach (Check check in transport.Checks) tell(check.OrThrow());
            CrashKernel crash = PlanCrashKernel(host, configuration, transport, plan.Modules, LinkTable.Read(netlink), devices, paths);
            if (SpoolPlan.Make(host, configuration, devices).Check is { } spool) tell(spool);
            foreach (Check check in WatchdogCheck.Examine(host, [.. crash.Image.Drivers.Modules.Select(m => m.Name)], plan.Modules)) tell(check);
            plan = plan with { CrashKernel = crash, Paths = paths, Transport = transport, Fingerprint = FingerprintOf(host, crash, configuration) };
        }
        plan = plan with { Consoles = PlanConsoles(host, netlink, configuration, devices, bootId, hops, tell) };
        if (plan.CrashKernel is { } planned)
        {
            TriggerSet missing = Host.Triggers.Missing(host, plan.Triggers);
            if (missing != TriggerSet.None)
                tell(new(CheckLevel.Warn, "triggers", $"this kernel has no setting for {Host.Triggers.Text(missing)}", Code: "triggers"));
            tell(DumpEstimate.Examine(host, plan.Paths[0].Device.Name, configuration.DumpLevel));
        }
        return plan;
    }

    /// <summary>The crash kernel as <c>start</c> would load it now, and its fingerprint; nobody is asked whether he answers.</summary>
    /// <exception cref="ClientException">It cannot be made: check <c>path</c> when the network is why.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file is root's alone.</exception>
    public static ImageFingerprint FingerprintNow(HostFiles host, ClientConfiguration configuration, RouteNetlink netlink)
    {
        var paths = new List<ServerPath>();
        var devices = new DeviceTree(host);
        LinkTable table = LinkTable.Read(netlink);
        ClientException? first = null;
        foreach (Endpoint server in configuration.Servers)
        {
            try
            {
                ServerPath path = Find(netlink, server, configuration);
                DeviceChain.Find(devices, table, path);
                paths.Add(path);
            }
            catch (ClientException e)
            {
                first ??= new ClientException(e.AsCheck("path", "no-nic"), e);
            }
        }
        if (paths.Count == 0) throw first ?? new ClientException(NoServer(configuration));
        ModuleTree tree = TreeOf(host, configuration, KernelIdentity.Running());
        return FingerprintOf(host, PlanCrashKernel(host, configuration, TransportPlan.Make(host, configuration), tree, table, devices, paths), configuration);
    }

    /// <summary>The way to a dump server. NETDUMPMACADDR belongs to the first one that is configured.</summary>
    internal static ServerPath Find(RouteNetlink netlink, Endpoint server, ClientConfiguration configuration) =>
        ServerPath.Find(netlink, server, configuration.Device, server == configuration.Servers[0] ? configuration.ServerMac : null);

    /// <summary>Says that no server is named.</summary>
    internal static Check NoServer(ClientConfiguration configuration) =>
        new(CheckLevel.Fail, "path", "no server is named", $"set NETDUMPADDR=ADDRESS in {configuration.Source ?? ClientConfiguration.Files[0]}", "no-server");

    private static ModuleTree TreeOf(HostFiles host, ClientConfiguration configuration, KernelIdentity kernel) =>
        new(configuration.ModuleRoot ?? host.Map($"/lib/modules/{kernel.Release}"));

    /// <summary>The image of the running kernel, as the check <c>kexec</c> names it.</summary>
    internal static string FindKernel(HostFiles host, ClientConfiguration configuration, KernelIdentity kernel)
    {
        try
        {
            return KernelImage.Find(host, kernel.Release, configuration.Kernel);
        }
        catch (ClientException e)
        {
            throw new ClientException(e.AsCheck("kexec", "no-kernel"), e);
        }
    }

    private static void CheckKexec(HostFiles host, string image, bool replace, ArmedState? state, Action<Check> tell)
    {
        var facts = new HostChecks(host);
        tell(facts.Reservation().OrThrow());
        tell(facts.LoadingAllowed(image).OrThrow());
        if (!facts.CrashKernelLoaded || state is { CrashKernel: true }) return;
        if (!replace) throw new ClientException(facts.Busy());
        tell(new(CheckLevel.Warn, "loaded", "replacing a crash kernel that was not loaded by netdump", Code: "busy"));
    }

    /// <summary>
    /// Ways to all servers to which there is one; the order stays. Whether a server answers now is told and decides nothing: the crash comes later.
    /// </summary>
    private static List<ServerPath> Reach(
        HostFiles host, RouteNetlink netlink, DeviceTree devices, ClientConfiguration configuration, TransportPlan transport, NextHops hops, Action<Check> tell)
    {
        ServerReach[] all = [.. configuration.Servers.Select(s => ServerReach.Examine(netlink, devices, s, configuration, hops))];
        if (all.All(r => r.Path is null)) throw new ClientException(all[0].PathCheck);
        ServerWord?[] words = ServerWords.Ask(host, transport, [.. all.Select((r, i) => (configuration.Servers[i], r.Path?.Address))]);
        for (int i = 0; i < all.Length; i++)
        {
            Check path = all[i].PathCheck, server = words[i]?.Check ?? all[i].ServerCheck;
            tell(path.Level == CheckLevel.Fail ? path with { Level = CheckLevel.Warn } : path);
            tell(server.Level == CheckLevel.Fail ? server with { Level = CheckLevel.Warn } : server);
        }
        return [.. all.Select(r => r.Path).OfType<ServerPath>()];
    }

    private static CrashKernel PlanCrashKernel(
        HostFiles host, ClientConfiguration configuration, TransportPlan transport, ModuleTree tree, LinkTable table, DeviceTree devices, IReadOnlyList<ServerPath> paths)
    {
        KernelIdentity kernel = KernelIdentity.Running();
        string image = FindKernel(host, configuration, kernel);
        string commandLine = CaptureCommandLine.Make(host.Read("/proc/cmdline") ?? "", configuration.CaptureCpus, configuration.CaptureCommandLine);
        CaptureNetwork network;
        try
        {
            network = CaptureNetwork.Make(paths, devices, table);
        }
        catch (ClientException e)
        {
            throw new ClientException(e.AsCheck("path", "no-nic"), e);
        }
        string bootId = host.Read("/proc/sys/kernel/random/boot_id") ?? "";
        return new CrashKernel(image, commandLine, PlanImage(host, kernel, bootId, configuration, transport, tree, devices,
            network with { Servers = [.. network.Servers.Zip(paths, (s, path) => transport.With(s, path.Server))] }));
    }

    private static ImageFingerprint FingerprintOf(HostFiles host, CrashKernel crash, ClientConfiguration configuration) =>
        ImageFingerprint.Of(host, crash, configuration.Source is { } file ? host.Read(file) ?? "" : "");

    private static CaptureImage PlanImage(
        HostFiles host, KernelIdentity kernel, string bootId, ClientConfiguration configuration, TransportPlan transport, ModuleTree tree, DeviceTree devices, CaptureNetwork network)
    {
        (IReadOnlyList<string> watchdogs, bool watchdogInUse) = devices.Watchdogs();
        var names = new List<string>();
        SpoolPlan spool = SpoolPlan.Make(host, configuration, devices);
        foreach (string name in network.Modules.Concat(watchdogs).Concat(spool.Modules).Concat(configuration.ExtraModules))
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
            Devices = network.Devices,
            Interfaces = network.Interfaces,
            Modules = [.. drivers.Modules.Select(m => new CaptureModule(m.Name, DriverSet.PathOf(kernel.Release, m), options.Of(m.Name)))],
            PhyBindings = network.Phys,
            Classic = transport.Classic,
            Spool = spool.Id,
            HostKey = transport.IsSecure ? transport.Key?.Fingerprint.ToString() : null,
            LocalPort = configuration.LocalPort,
            GiveUpSeconds = configuration.GiveUpSeconds,
            FinalAction = configuration.FinalAction,
            Watchdog = watchdogInUse,
            Digest = configuration.CaptureDigest,
            DumpLevel = configuration.DumpLevel,
        };
        ImageFile? shell = configuration.FinalAction == FinalAction.Shell ? StaticShell.Find(host) : null;
        return new CaptureImage("/proc/self/exe", ProgramFiles.OfSelf(), drivers, shell, manifest);
    }

    private static List<ConsolePlan> PlanConsoles(
        HostFiles host, RouteNetlink netlink, ClientConfiguration configuration, DeviceTree devices, string bootId, NextHops hops, Action<Check> tell)
    {
        var plans = new List<ConsolePlan>();
        foreach ((string name, ConsoleTarget target) in ConsolePlan.Targets(configuration))
        {
            try
            {
                ConsolePlan plan = ConsolePlan.Make(netlink, devices, configuration, name, target, bootId, hops.Find);
                if (plan.IsBroadcast)
                    tell(new(CheckLevel.Warn, "console", $"the next hop to {target.Server} does not answer, so console lines go to every station of the network ({ConsolePlan.EveryStation})",
                        "netdump watch puts that right when it answers; or netdump restart, or NETLOGMACADDR", "console-off"));
                plans.Add(plan);
            }
            catch (ClientException e) when (configuration.Servers.Count > 0)
            {
                tell(new(CheckLevel.Warn, "console", e.Fact, e.Advice, "console-off"));
            }
        }
        if (plans.Count > 0 && new Consoles(host).LogLevel() is { } quiet) tell(quiet);
        return plans;
    }
}
