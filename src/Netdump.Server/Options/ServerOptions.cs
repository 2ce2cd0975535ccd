using System.Net;

namespace Netdump.Server.Options;

/// <summary>When a classic client must prove itself with the magic that <c>netdump propagate</c> stored for its address.</summary>
public enum SecurePolicy
{
    /// <summary>A host that has a magic file must match it; one without a file is accepted.</summary>
    Auto,

    /// <summary>Never looked at (the original's <c>--secure 0</c>).</summary>
    Never,

    /// <summary>Hosts without a magic file are ignored (the original's <c>--secure 1</c>).</summary>
    Always,
}

/// <summary>What a classic client is told when its dump is done.</summary>
public enum DumpEnding
{
    /// <summary>REBOOT: the host restarts.</summary>
    Reboot,

    /// <summary>EXIT: the host goes on with its own panic handling.</summary>
    Exit,
}

/// <summary>
/// All settings of the server. Immutable: SIGHUP makes a new one (<see cref="LiveOptions"/>).
/// Defaults are the ones <c>--help</c> and docs/server.md name.
/// </summary>
public sealed record ServerOptions
{
    /// <summary>Directory that holds the crashes.</summary>
    public string Store { get; init; } = "/var/crash";

    /// <summary>Address to listen on; <see cref="IPAddress.IPv6Any"/> means every address, IPv4 and IPv6.</summary>
    public IPAddress Listen { get; init; } = IPAddress.IPv6Any;

    /// <summary>UDP port of classic netdump and netconsole; 0 takes any free one (tests).</summary>
    public int Port { get; init; } = 6666;

    /// <summary>TCP port of the secure upload; null for none, 0 takes any free one (tests).</summary>
    public int? SecurePort { get; init; } = Netdump.Protocols.Upload.UploadPaths.DefaultPort;

    /// <summary>Which pages hosts are to leave out of uploaded dumps (0 to 31); null leaves it to them.</summary>
    public int? DumpLevel { get; init; }

    /// <summary>Dumps of one signature that are taken within 24 hours by upload; of further crashes only the log. 0: all.</summary>
    public int SameDumps { get; init; }

    /// <summary>Receive threads; 0 means one for each processor, at most four.</summary>
    public int Threads { get; init; }

    /// <summary>Socket receive buffer asked for, in bytes, for each thread.</summary>
    public int ReceiveBuffer { get; init; } = 8 << 20;

    /// <summary>How long a thread sleeps after a small batch, so that datagrams gather; zero for never. It does not while a dump runs.</summary>
    public TimeSpan ReceiveNap { get; init; } = TimeSpan.FromMicroseconds(200);

    /// <summary>Networks whose datagrams are accepted.</summary>
    public NetworkList AllowedNetworks { get; init; } = NetworkList.Private;

    /// <summary>Dumps received at once; a client beyond that waits for a place. 0: nobody is dumped, nor waits.</summary>
    public int MaxConcurrentDumps { get; init; } = 256;

    /// <summary>Whether classic clients need a magic file.</summary>
    public SecurePolicy Secure { get; init; } = SecurePolicy.Auto;

    /// <summary>Whether free space is compared with the expected size before a dump.</summary>
    public bool SpaceCheck { get; init; } = true;

    /// <summary>What ends a classic dump.</summary>
    public DumpEnding Ending { get; init; } = DumpEnding.Reboot;

    /// <summary>A hook script that runs longer is killed with all it started.</summary>
    public TimeSpan HookTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Hook scripts running at once; more wait in a queue.</summary>
    public int MaxHooks { get; init; } = 4;

    /// <summary>The program <c>netdump</c> that analyses dumps; null looks for it, <c>none</c> is for no analysis.</summary>
    public string? Analyser { get; init; }

    /// <summary>Dumps analysed at once.</summary>
    public int Analyses { get; init; } = 1;

    /// <summary>An analysis that takes longer is killed.</summary>
    public TimeSpan AnalysisTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>File that gets the process id; null for none.</summary>
    public string? PidFile { get; init; }

    /// <summary>Least severe log line that is written.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>The store that a settings file names, else the default. Reads the file. Throws <see cref="OptionException"/>.</summary>
    /// <param name="file">The file; null for the default one, if it is there.</param>
    public static string StoreOf(string? file = null)
    {
        if (file is null && !File.Exists(ConfigurationFile.DefaultPath)) return new ServerOptions().Store;
        return Settings.Apply(new ServerOptions(), ConfigurationFile.Read(file ?? ConfigurationFile.DefaultPath), isUsage: false).Store;
    }

    /// <summary>Receive threads in effect.</summary>
    public int EffectiveThreads => Threads > 0 ? Threads : Math.Min(Environment.ProcessorCount, 4);
}
