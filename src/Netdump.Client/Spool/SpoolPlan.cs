using Netdump.Client.Configuration;
using Netdump.Client.Host;

namespace Netdump.Client.Spool;

/// <summary>The spool as the capture kernel finds it again.</summary>
/// <param name="Id">Its identity; null: there is none.</param>
/// <param name="Modules">Modules of the drivers from its device up to its bus.</param>
/// <param name="Check">In words; null when none is configured.</param>
internal sealed record SpoolPlan(Guid? Id, IReadOnlyList<string> Modules, Check? Check)
{
    /// <summary>Looks at the device that SPOOL names. What is wrong with it keeps no host from being armed.</summary>
    public static SpoolPlan Make(HostFiles host, ClientConfiguration configuration, DeviceTree devices)
    {
        const string Name = "spool", Code = "spool";
        if (configuration.Spool is not { } path) return new(null, [], null);
        string? device = host.Resolve(path);
        if (device is null) return new(null, [], new(CheckLevel.Warn, Name, $"SPOOL={path} does not exist", "attach it, or leave SPOOL empty", Code));
        if (SpoolDevice.IdOf(host.Map(device)) is not { } id) return new(null, [], new(CheckLevel.Warn, Name, $"{path} is no spool, or only root can read it", $"netdump spool init {path}", Code));
        IReadOnlyList<string>? modules = devices.OfBlockDevice(Path.GetFileName(device));
        return modules is null
            ? new(null, [], new(CheckLevel.Warn, Name, $"{path} lies on no single device of a bus, which the capture kernel could not set up", "choose a disk or a partition", Code))
            : new(id, modules, new(CheckLevel.Ok, Name, $"{path} keeps a dump that no server takes, drivers {(modules.Count > 0 ? string.Join('+', modules) : "built in")}"));
    }
}
