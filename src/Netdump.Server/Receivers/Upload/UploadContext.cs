using System.Net;
using Netdump.Server.Enrolment;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Store;
using Netdump.Server.Triage;

namespace Netdump.Server.Receivers.Upload;

/// <summary>What all uploads of the server share. Everything in it is thread-safe.</summary>
/// <param name="Store">Where crash directories are made.</param>
/// <param name="Identity">The server's TLS key.</param>
/// <param name="Enrolled">Whose keys are enrolled.</param>
/// <param name="Hooks">The operator's scripts.</param>
/// <param name="Options">The settings in force.</param>
/// <param name="Time">The clock that names directories.</param>
/// <param name="Log">The server's log.</param>
internal sealed record UploadContext(
    CrashStore Store, ServerIdentity Identity, EnrolledHosts Enrolled, HookScripts Hooks, LiveOptions Options, TimeProvider Time, ILogger Log)
{
    /// <summary>What is left to the logs of crashes and to consoles, in bytes.</summary>
    public const long Reserve = 16 << 20;

    /// <summary>Disk work that the server waits for before it ends.</summary>
    public BackgroundWork Work { get; init; } = new();

    /// <summary>Analyses a crash when its directory is complete; the task ends with that, and never fails.</summary>
    public Func<CrashDirectory, Task> Analyse { get; init; } = _ => Task.CompletedTask;

    /// <summary>What the console of an address said, asked on its lane.</summary>
    public required Func<IPAddress, Task<ConsoleView>> ViewConsole { get; init; }

    /// <summary>What is wanted of a crash.</summary>
    public required CrashPolicy Policy { get; init; }

    /// <summary>What was refused.</summary>
    public UploadCounters Counters { get; } = new();

    /// <summary>Memory of all blocks that are being received.</summary>
    public BlockMemory Memory { get; init; } = new(128 << 20);

    /// <summary>Waiting for the disk costs a thread each: so many uploads do it at once.</summary>
    public SemaphoreSlim Syncs { get; } = new(4);

    /// <summary>Bytes that an unprivileged process may still write to the file system of a directory.</summary>
    public Func<string, long> FreeSpace { get; init; } = path => new DriveInfo(path).AvailableFreeSpace;

    /// <summary>After so long without a request a crash is closed, though it may be gone on with.</summary>
    public TimeSpan SilentAfter { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>After so long without a request a crash is not gone on with any more.</summary>
    public TimeSpan ExpiresAfter { get; init; } = TimeSpan.FromHours(24);
}
