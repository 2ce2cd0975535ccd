using Netdump.Client.Configuration;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>A netconsole target to make.</summary>
/// <param name="Name">Its directory in configfs.</param>
/// <param name="Settings">Its settings; hardware address <see cref="EveryStation"/> when the next hop does not answer.</param>
public sealed record ConsolePlan(string Name, NetConsoleSettings Settings)
{
    /// <summary>The Ethernet address of all stations: what is left when nobody answers.</summary>
    public const string EveryStation = "ff:ff:ff:ff:ff:ff";

    /// <summary>Name of the target that carries extended records.</summary>
    public const string NetLogTarget = "netdump";

    /// <summary>Name of the target that carries plain lines.</summary>
    public const string SysLogTarget = "netdump-syslog";

    /// <summary>True when the next hop did not answer.</summary>
    public bool IsBroadcast => Settings.Mac == EveryStation;

    /// <summary>The targets that a configuration asks for, by name.</summary>
    public static IEnumerable<(string Name, ConsoleTarget Target)> Targets(ClientConfiguration configuration)
    {
        if (configuration.NetLog is { } log) yield return (NetLogTarget, log);
        if (configuration.SysLog is { } lines) yield return (SysLogTarget, lines);
    }

    /// <summary>Works a target out as the network is now.</summary>
    /// <param name="netlink">The kernel's tables.</param>
    /// <param name="devices">The host's devices.</param>
    /// <param name="configuration">The settings.</param>
    /// <param name="name">The target's name.</param>
    /// <param name="target">The receiver.</param>
    /// <param name="bootId">Boot of the running kernel.</param>
    /// <param name="nextHop">Finds the next hop's hardware address, or null.</param>
    /// <exception cref="ClientException">There is no way to the receiver.</exception>
    public static ConsolePlan Make(
        RouteNetlink netlink, DeviceTree devices, ClientConfiguration configuration, string name, ConsoleTarget target, string bootId, Func<ServerPath, string?> nextHop)
    {
        ServerPath path = ServerPath.Find(netlink, target.Server, configuration.Device, target.Mac);
        return new(name, new NetConsoleSettings(
            name == NetLogTarget, devices.UpperOf(path.Device.Name), path.Local.Address.WithoutScope(), path.Address.WithoutScope(), target.Server.Port,
            nextHop(path) ?? EveryStation, [("machine", KernelIdentity.Running().NodeName), ("boot", bootId)]));
    }
}
