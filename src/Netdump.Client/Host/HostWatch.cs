using Netdump.Client.Configuration;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>
/// Keeps an armed host armed: looks at what changes behind its back, repairs what it can and tells each trouble once. It never arms a host that
/// an operator disarmed.
/// </summary>
/// <param name="host">The host's files.</param>
/// <param name="load">Reads the settings as they are now.</param>
/// <param name="rearm">Arms anew, as <c>restart</c> does; throws what it throws.</param>
/// <param name="nextHop">Finds a next hop's hardware address as it is now, or null.</param>
/// <param name="tell">Told what is new.</param>
public sealed class HostWatch(
    HostFiles host, Func<ClientConfiguration> load, Action<ClientConfiguration> rearm, Func<ServerPath, RouteNetlink, string?> nextHop, Action<Check> tell)
{
    /// <summary>A server that is well is asked once a day, one that is not as often as this.</summary>
    private static readonly TimeSpan AskDaily = TimeSpan.FromDays(1), AskAgain = TimeSpan.FromMinutes(10);

    private readonly IncidentLog _log = new(tell);
    private IReadOnlyList<Check> _troubles = [];
    private DateTimeOffset _nextAsk;
    private Dictionary<string, (Check Check, bool Repaired)> _found = [];
    private string? _unsettled;
    private bool _armedOnce;

    /// <summary>Asks the servers what they know of this host, and gives what is wrong; null: nobody is asked.</summary>
    public Func<ClientConfiguration, ArmedState, IReadOnlyList<Check>>? AskServers { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>True: a host that was not armed yet is armed, as soon as that works (the network may come late).</summary>
    public bool ArmsFirst { get; init; }

    /// <summary>One look.</summary>
    public void Look()
    {
        _found = [];
        using IDisposable? mine = TryLock();
        if (mine is null) return; // an operator is at work, or /run is full: the next look will see
        bool complete = false;
        try
        {
            ClientConfiguration configuration = load();
            if (ArmedState.Read(host) is { } state) LookAt(state, configuration);
            else NotArmed(configuration);
            complete = true;
        }
        catch (ClientException e)
        {
            Found("config", e.AsCheck("config", "bad-config") with { Level = CheckLevel.Warn });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Found("watch", new(CheckLevel.Warn, "watch", e.Message));
        }
        _log.Note(_found, complete);
    }

    private IDisposable? TryLock()
    {
        try
        {
            return ArmingLock.TryTake(host);
        }
        catch (ClientException)
        {
            return null;
        }
    }

    private void LookAt(ArmedState state, ClientConfiguration configuration)
    {
        _armedOnce = true;
        using var netlink = new RouteNetlink();
        if (state.CrashKernel && !CrashKernelIsFine(state, configuration, netlink)) return; // armed anew, consoles and all, or told why not
        foreach (string name in state.ConsoleTargets) LookAtConsole(name, state, configuration, netlink);
        LookAtTriggers(state);
        LookAtServers(configuration, state);
    }

    private void NotArmed(ClientConfiguration configuration)
    {
        if (ArmsFirst && !_armedOnce)
        {
            Rearm("start", configuration, new(CheckLevel.Warn, "start", "not armed yet"), "armed");
            _armedOnce = ArmedState.Read(host) is not null;
            return;
        }
        Found("state", new(CheckLevel.Warn, "watch", "this host is not armed: nothing to watch", "netdump start", "not-loaded"));
    }

    /// <summary>True when the crash kernel is loaded and is what start would load now. Otherwise it is replaced.</summary>
    private bool CrashKernelIsFine(ArmedState state, ClientConfiguration configuration, RouteNetlink netlink)
    {
        var checks = new HostChecks(host);
        if (!checks.CrashKernelLoaded)
        {
            Rearm("loaded", configuration, new(CheckLevel.Warn, "loaded", "our crash kernel was unloaded by somebody", Code: "not-loaded"), "loaded again");
            return false;
        }
        ImageFingerprint now;
        try
        {
            now = ArmingPlan.FingerprintNow(host, configuration, netlink);
        }
        catch (ClientException e)
        {
            // Without a route now the image keeps the way it knows: rather that than none.
            _unsettled = null;
            Check check = e.AsCheck("image", "stale-image");
            Found("image", check.Name == "path" ? check with { Level = CheckLevel.Warn }
                : new(CheckLevel.Warn, "image", $"{state.Image?.Id} could not be built again: {e.Fact}", e.Advice, "stale-image"));
            return true;
        }
        IReadOnlyList<string> changes = state.Image?.ChangesTo(now) ?? ["its content is not known"];
        if (changes.Count == 0)
        {
            _unsettled = null;
            return true;
        }
        string what = string.Join(", ", changes);
        Check stale = new(CheckLevel.Warn, "image", $"{state.Image?.Id} is not what start would build now: {what}", Code: "stale-image");
        if (checks.LoadingDisabled)
        {
            Found("image", stale with { Fact = $"{stale.Fact}; kernel.kexec_load_disabled=1 forbids to replace it", Advice = "reboot" });
            return true;
        }
        // A package update replaces files one by one: what two looks see alike has settled.
        string seen = string.Join('\n', now.Parts.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}"));
        if (_unsettled != seen)
        {
            _unsettled = seen;
            return true;
        }
        _unsettled = null;
        Rearm("image", configuration, stale, "armed anew");
        return false;
    }

    private void Rearm(string key, ClientConfiguration configuration, Check trouble, string done)
    {
        try
        {
            rearm(configuration);
            Found(key, trouble with { Fact = key == "start" ? done : $"{trouble.Fact}: {done}", Level = CheckLevel.Ok }, repaired: true);
        }
        catch (Exception e) when (e is ClientException or IOException or UnauthorizedAccessException)
        {
            Check? check = (e as ClientException)?.Check;
            string fact = (e as ClientException)?.Fact ?? e.Message;
            Found(key, new(CheckLevel.Fail, trouble.Name, $"{trouble.Fact}, and it could not be armed: {fact}", (e as ClientException)?.Advice, check?.Code ?? trouble.Code));
        }
    }

    private void LookAtConsole(string name, ArmedState state, ClientConfiguration configuration, RouteNetlink netlink)
    {
        ConsoleTarget? receiver = ConsolePlan.Targets(configuration).FirstOrDefault(t => t.Name == name).Target;
        if (receiver is null) return; // a configuration that changed arms anew
        var target = new NetConsoleTarget(host, name);
        bool isLost = !target.IsEnabled;
        string key = $"console {name} {(isLost ? "lost" : "changed")}";
        ConsolePlan plan;
        try
        {
            plan = ConsolePlan.Make(netlink, new DeviceTree(host), configuration, name, receiver, state.BootId, path => nextHop(path, netlink));
        }
        catch (ClientException e)
        {
            Found(key, new(CheckLevel.Warn, "console", e.Fact, e.Advice, "console-off"));
            return;
        }
        if (plan.IsBroadcast)
        {
            Found(key, new(CheckLevel.Warn, "console", $"the next hop to {receiver.Server} does not answer{(isLost ? $", and target {name} is off" : "")}", "bring the network up", "console-off"));
            return;
        }
        IReadOnlyList<string> changes = isLost ? [target.Exists ? $"target {name} was switched off" : $"target {name} was gone"] : target.ChangesTo(plan.Settings);
        if (changes.Count == 0) return;
        string what = string.Join(", ", changes);
        try
        {
            target.Start(plan.Settings);
            Found(key, new(CheckLevel.Ok, "console", $"{what}: repaired, lines go from {plan.Settings.Device} to {plan.Settings.Remote}:{plan.Settings.RemotePort} ({plan.Settings.Mac})", Code: "console-off"), repaired: true);
        }
        catch (ClientException e)
        {
            Found(key, new(CheckLevel.Warn, "console", $"{what}, and could not be repaired: {e.Fact}", e.Advice, "console-off"));
        }
    }

    /// <summary>What somebody switched off on purpose stays off, and is told.</summary>
    private void LookAtTriggers(ArmedState state)
    {
        if (!state.CrashKernel || Triggers.Parse(state.Triggers) is not { } wanted) return;
        Check check = Triggers.Examine(host, wanted, chosen: true);
        if (check.Level != CheckLevel.Ok) Found("triggers", check);
    }

    private void LookAtServers(ClientConfiguration configuration, ArmedState state)
    {
        if (AskServers is null || !state.CrashKernel) return;
        if (Time.GetUtcNow() is var now && now >= _nextAsk)
        {
            _troubles = AskServers(configuration, state);
            _nextAsk = now + (_troubles.Count == 0 ? AskDaily : AskAgain);
        }
        for (int i = 0; i < _troubles.Count; i++) Found($"server {i} {_troubles[i].Code}", _troubles[i]);
    }

    private void Found(string key, Check check, bool repaired = false) => _found[key] = (check, repaired);
}
