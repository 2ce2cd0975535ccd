using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers.Classic;

/// <summary>What all classic receivers of the server share. Everything in it is thread-safe.</summary>
/// <param name="Store">Where crash directories are made.</param>
/// <param name="Magics">The spoof guard of hosts.</param>
/// <param name="Hooks">The operator's scripts.</param>
/// <param name="Options">The settings in force.</param>
/// <param name="Time">The clock that names directories.</param>
/// <param name="Log">The server's log.</param>
public sealed record ClassicContext(CrashStore Store, MagicFiles Magics, HookScripts Hooks, LiveOptions Options, TimeProvider Time, ILogger Log)
{
    /// <summary>Disk work of the crashes that runs beside the engine.</summary>
    public BackgroundWork Work { get; init; } = new();

    /// <summary>Analyses a dump when its directory is complete; the task ends with that, and never fails.</summary>
    public Func<CrashDirectory, Task> Analyse { get; init; } = _ => Task.CompletedTask;

    /// <summary>Dumps being received now.</summary>
    public DumpSlots Dumps { get; } = new();

    /// <summary>Waiting for the disk costs a thread each: so many dumps do it at once.</summary>
    public SemaphoreSlim Syncs { get; } = new(2);

    /// <summary>Reading a log out of a finished vmcore takes memory for its ring and its pages: so many do it at once.</summary>
    public SemaphoreSlim LogReads { get; } = new(2);

    /// <summary>Dumps that found no space are decided on one after the other, so that the room of one that is refused helps the next.</summary>
    public SemaphoreSlim SpaceDecision { get; } = new(1);

    /// <summary>Bytes that an unprivileged process may still write to the file system of a directory.</summary>
    public Func<string, long> FreeSpace { get; init; } = path => new DriveInfo(path).AvailableFreeSpace;
}
