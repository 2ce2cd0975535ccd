using System.Globalization;
using Netdump.Client.Configuration;
using Netdump.Client.Linux;
using Netdump.Client.Spool;
using Netdump.Client.Trust;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Host;

/// <summary>Looks at a host, armed or not, without changing it.</summary>
/// <param name="host">The host's files.</param>
/// <param name="configuration">The settings; what was wrong with them when they could not be read.</param>
/// <param name="time">The clock.</param>
public sealed class HostStatus(HostFiles host, (ClientConfiguration? Settings, Check? Trouble) configuration, TimeProvider time)
{
    private readonly HostChecks _checks = new(host);
    private readonly ArmedState? _state = ArmedState.Read(host);
    private HostStanding[] _words = [];

    /// <summary>Looks at a host whose settings are known.</summary>
    public HostStatus(HostFiles host, ClientConfiguration settings, TimeProvider time)
        : this(host, (settings, null), time)
    {
    }

    /// <summary>How long a server may take to answer; null for what suits a network.</summary>
    public TimeSpan? ServerLimit { get; init; }

    private bool Armed => _checks.CrashKernelLoaded && _state is { CrashKernel: true };

    private ImageFingerprint? Image => Armed ? _state!.Image : null;

    /// <summary>Checks everything, in fixed order.</summary>
    public StatusReport Report()
    {
        var checks = new List<Check>();
        if (configuration.Trouble is { } trouble) checks.Add(trouble);
        Check reserve = _checks.Reservation(Armed ? _state : null), kexec = Kexec();
        checks.Add(reserve);
        checks.Add(kexec);
        checks.Add(reserve.Level == CheckLevel.Fail || kexec.Level == CheckLevel.Fail ? new(CheckLevel.Unknown, "loaded", "not tried") : Loaded());
        using (var netlink = new RouteNetlink())
        {
            checks.Add(Freshness(netlink));
            if (configuration.Settings is { } settings)
            {
                var hops = new NextHops(netlink, settings);
                checks.AddRange(Servers(netlink, settings, hops));
                if (SpoolPlan.Make(host, settings, new DeviceTree(host)).Check is { } spool) checks.Add(spool);
                checks.AddRange(Watchdogs());
                checks.AddRange(Consoles(netlink, settings, hops));
            }
        }
        checks.Add(TriggersInForce());
        checks.Add(DumpEstimate.Examine(host, SendingDevice(), configuration.Settings?.DumpLevel));
        DateTimeOffset now = time.GetUtcNow();
        TestRecord? record = TestRecord.Read(host);
        if (record is not null) record = _words.Aggregate(record, (r, w) => r.Arrived(w));
        checks.Add(TestRecord.Examine(record, host, Image, now));
        checks.AddRange((configuration.Settings?.Notes ?? []).Select(n => new Check(CheckLevel.Ok, "config", n)));
        return StatusReport.Of(checks, record?.Proof(host, Image, now));
    }

    /// <summary>What is loaded stays loaded, whatever was forbidden afterwards.</summary>
    private Check Kexec()
    {
        if (Armed) return new(CheckLevel.Ok, "kexec", _checks.LoadingDisabled ? "done before kernel.kexec_load_disabled=1: what is loaded stays, and cannot be replaced" : "allowed");
        try
        {
            return _checks.LoadingAllowed(configuration.Settings is { } settings ? ArmingPlan.FindKernel(host, settings, KernelIdentity.Running()) : null);
        }
        catch (ClientException e)
        {
            Check found = _checks.LoadingAllowed(null);
            return found.Level == CheckLevel.Fail ? found : e.AsCheck("kexec", "no-kernel");
        }
    }

    private Check Loaded()
    {
        if (!_checks.CrashKernelLoaded)
        {
            string fact = _state is { CrashKernel: true } ? "our crash kernel was unloaded by somebody" : "no crash kernel is loaded";
            if (FailedStart.Read(host) is not { } failed) return new(CheckLevel.Fail, "loaded", fact, "netdump start", "not-loaded");
            string when = failed.At.UtcDateTime.ToString("HH:mm", CultureInfo.InvariantCulture);
            return new(CheckLevel.Fail, "loaded", $"{fact}: netdump start failed at {when} UTC: {failed.Check.Fact}", failed.Check.Advice ?? "netdump start", failed.Check.Code ?? "not-loaded");
        }
        if (!Armed) return _checks.Busy();
        return _checks.Doubt(_state!.ArmedAt) ?? new(CheckLevel.Ok, "loaded", string.Create(CultureInfo.InvariantCulture,
            $"{_state.Kernel} ({_state.Release}, the running one), image {_state.ImageBytes / 1048576.0:F1} MiB, since {_state.ArmedAt:yyyy-MM-dd HH:mm} UTC"));
    }

    private Check Freshness(RouteNetlink netlink)
    {
        const string Name = "image";
        if (Image is not { } loaded) return new(CheckLevel.Unknown, Name, "none is loaded");
        if (configuration.Settings is not { } settings) return new(CheckLevel.Unknown, Name, $"{loaded.Id}: not compared, as the configuration cannot be read");
        try
        {
            IReadOnlyList<string> changes = loaded.ChangesTo(ArmingPlan.FingerprintNow(host, settings, netlink));
            if (changes.Count > 0) return new(CheckLevel.Warn, Name, $"{loaded.Id} is not what start would build now: {string.Join(", ", changes)}", "netdump restart", "stale-image");
            int firmware = loaded.Parts.Keys.Count(k => k.StartsWith("firmware ", StringComparison.Ordinal));
            return new(CheckLevel.Ok, Name, $"{loaded.Id}, {loaded.Drivers.Count()} drivers, firmware {(firmware == 0 ? "none" : $"{firmware} files")}, as start would build it now");
        }
        catch (ClientException e)
        {
            return e.Check?.Name == "path" ? new(CheckLevel.Unknown, Name, $"{loaded.Id}: not compared, as there is no way to a server now")
                : new(CheckLevel.Warn, Name, $"{loaded.Id} could not be built again: {e.Fact}", e.Advice, "stale-image");
        }
        catch (UnauthorizedAccessException e)
        {
            return new(CheckLevel.Unknown, Name, $"{loaded.Id}: not compared: {e.Message}", "run it as root");
        }
        catch (IOException e)
        {
            return new(CheckLevel.Warn, Name, $"{loaded.Id} could not be built again: {e.Message}", Code: "stale-image");
        }
    }

    private IEnumerable<Check> Servers(RouteNetlink netlink, ClientConfiguration settings, NextHops hops)
    {
        if (settings.Servers.Count == 0) return [Softened(ArmingPlan.NoServer(settings), Armed)];
        var devices = new DeviceTree(host);
        ServerReach[] all = [.. settings.Servers.Select(s => ServerReach.Examine(netlink, devices, s, settings, hops))];
        // With several servers one that is out of reach is a warning. An armed host stays armed: its image knows the way as it was.
        bool another = Armed || all.Any(r => r.Path is not null);
        TransportPlan transport;
        try
        {
            transport = TransportPlan.Make(host, settings);
        }
        catch (ClientException e)
        {
            return [.. all.SelectMany(r => new[] { Softened(r.PathCheck, another), r.ServerCheck }), e.AsCheck("identity", "bad-config") with { Level = Armed ? CheckLevel.Warn : CheckLevel.Fail }];
        }
        ServerWord?[] words = ServerWords.Ask(host, transport, [.. all.Select((r, i) => (settings.Servers[i], r.Path?.Address))], ServerLimit);
        _words = [.. words.Select(w => w?.Standing).OfType<HostStanding>()];
        // What one server refuses another may take, and so may the classic protocol.
        bool takes = transport.Classic || words.Any(w => w is { Check.Level: not CheckLevel.Fail });
        return [.. all.Zip(words).SelectMany(r => new[] { Softened(r.First.PathCheck, another), Softened(r.Second?.Check ?? r.First.ServerCheck, takes) }), .. transport.Checks];
    }

    private static Check Softened(Check check, bool soften) => soften && check.Level == CheckLevel.Fail ? check with { Level = CheckLevel.Warn } : check;

    private IEnumerable<Check> Watchdogs()
    {
        if (Image is not { } image) return [new(CheckLevel.Unknown, "watchdog", "no image is loaded that could feed one")];
        Netdump.Client.Image.ModuleTree? tree = null;
        try
        {
            tree = new(configuration.Settings?.ModuleRoot ?? host.Map($"/lib/modules/{KernelIdentity.Running().Release}"));
        }
        catch (ClientException)
        {
            // the image's check says it
        }
        return WatchdogCheck.Examine(host, [.. image.Drivers], tree);
    }

    private IEnumerable<Check> Consoles(RouteNetlink netlink, ClientConfiguration settings, NextHops hops)
    {
        var consoles = new Consoles(host);
        string remedy = _state is null ? "netdump start" : "netdump restart";
        foreach ((string name, ConsoleTarget wanted) in ConsolePlan.Targets(settings))
        {
            var target = new NetConsoleTarget(host, name);
            if (!target.IsEnabled)
            {
                string fact = target.Exists ? $"target {name} is switched off (its device may have joined a bond or bridge)" : $"target {name} does not exist";
                yield return new(CheckLevel.Warn, "console", fact, remedy, "console-off");
                continue;
            }
            string errors = target.TransmitErrors is { } n ? $", {n} transmit errors" : "";
            string way = $"{target.Read("dev_name")} -> {target.Read("remote_ip")}:{target.Read("remote_port")} ({target.Read("remote_mac")}){errors}";
            IReadOnlyList<string> changes = Outdated(netlink, settings, hops, name, wanted, target);
            if (changes.Count > 0) yield return new(CheckLevel.Warn, "console", $"{way}, but {string.Join(", ", changes)}", "netdump restart, or run netdump watch", "console-off");
            else if (target.Read("remote_mac") == ConsolePlan.EveryStation) yield return new(CheckLevel.Warn, "console", $"{way}: lines go to every station of the network", "netdump restart, or set NETLOGMACADDR", "console-off");
            else yield return new(CheckLevel.Ok, "console", $"{way}; what arrives only the receiver knows");
        }
        if (consoles.PanicLines() is { } note) yield return note;
        if ((settings.NetLog ?? settings.SysLog) is not null && consoles.LogLevel() is { } quiet) yield return quiet;
    }

    private IReadOnlyList<string> Outdated(RouteNetlink netlink, ClientConfiguration settings, NextHops hops, string name, ConsoleTarget wanted, NetConsoleTarget target)
    {
        try
        {
            ConsolePlan plan = ConsolePlan.Make(netlink, new DeviceTree(host), settings, name, wanted, "", hops.Find);
            return plan.IsBroadcast ? [] : target.ChangesTo(plan.Settings);
        }
        catch (ClientException)
        {
            return []; // the path's check says it
        }
    }

    private Check TriggersInForce()
    {
        if (_state is null)
        {
            TriggerSet coming = configuration.Settings?.WantedTriggers ?? TriggerSet.None;
            return new(CheckLevel.Unknown, "triggers", coming == TriggerSet.None ? "none are asked for" : $"netdump start sets {Triggers.Text(coming)}");
        }
        bool chosen = _state.TriggersByOption || configuration.Settings?.Triggers is not null;
        return Triggers.Examine(host, Triggers.Parse(_state.Triggers) ?? TriggerSet.None, chosen);
    }

    /// <summary>The interface that leads to the first server; null when there is none.</summary>
    private string? SendingDevice()
    {
        if (configuration.Settings is not { Servers.Count: > 0 } settings) return null;
        try
        {
            using var netlink = new RouteNetlink();
            return ArmingPlan.Find(netlink, settings.Servers[0], settings).Device.Name;
        }
        catch (ClientException)
        {
            return null;
        }
    }
}
