using Netdump.Client.Host;
using Netdump.Client.Image;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Configuration;

/// <summary>A receiver of console lines.</summary>
/// <param name="Server">Where the lines go.</param>
/// <param name="Mac">Hardware address of the next hop as configured, or null: it is looked up.</param>
public sealed record ConsoleTarget(Endpoint Server, string? Mac);

/// <summary>By which way dumps go.</summary>
public enum Transport
{
    /// <summary>Secure as soon as a server is known by its key (<c>netdump propagate</c>), classic before that.</summary>
    Auto,

    /// <summary>HTTPS with mutual TLS only; without a known server nothing is armed.</summary>
    Secure,

    /// <summary>The netdump protocol on UDP only: not encrypted, and anybody can claim to be this host.</summary>
    Classic,
}

/// <summary>The client's settings: <c>/etc/netdump.conf</c> with the original's variable names.</summary>
public sealed record ClientConfiguration
{
    /// <summary>Files in the order they are looked for; the first that exists counts, alone.</summary>
    public static IReadOnlyList<string> Files { get; } = ["/etc/netdump.conf", "/etc/sysconfig/netdump", "/etc/default/netdump"];

    /// <summary>The file the settings came from; null when there is none.</summary>
    public string? Source { get; init; }

    /// <summary>NETDUMPADDR with NETDUMPPORT: servers that receive dumps, in the order to try. Empty: no dumps.</summary>
    public IReadOnlyList<Endpoint> Servers { get; init; } = [];

    /// <summary>NETDUMPMACADDR: hardware address of the first server or of the router to it; null: looked up.</summary>
    public string? ServerMac { get; init; }

    /// <summary>NETLOGADDR, NETLOGPORT, NETLOGMACADDR: receiver of extended console records; null: switched off by <c>NONE</c>, or no server at all.</summary>
    public ConsoleTarget? NetLog { get; init; }

    /// <summary>SYSLOGADDR, SYSLOGPORT, SYSLOGMACADDR: receiver of plain console lines; null: none.</summary>
    public ConsoleTarget? SysLog { get; init; }

    /// <summary>TRANSPORT.</summary>
    public Transport Transport { get; init; } = Transport.Auto;

    /// <summary>SECUREPORT: the servers' TCP port of the secure channel.</summary>
    public int SecurePort { get; init; } = UploadPaths.DefaultPort;

    /// <summary>CLASSIC_FALLBACK: a dump that no server takes by the secure channel goes out in the clear.</summary>
    public bool ClassicFallback { get; init; }

    /// <summary>SPOOL: block device that keeps a dump no server took (<c>netdump spool init</c>); null: none.</summary>
    public string? Spool { get; init; }

    /// <summary>SSH_PORT: port of ssh on the servers; null: what ssh takes by itself.</summary>
    public int? SshPort { get; init; }

    /// <summary>SSHOPTIONS: words for ssh, as on its command line.</summary>
    public IReadOnlyList<string> SshOptions { get; init; } = [];

    /// <summary>LOCALPORT: UDP port the capture kernel sends from.</summary>
    public int LocalPort { get; init; } = 6666;

    /// <summary>DEV: network interface; null: the one the route to the server takes.</summary>
    public string? Device { get; init; }

    /// <summary>GIVEUP_SECONDS or IDLETIMEOUT: the capture kernel reboots after so long without progress.</summary>
    public int GiveUpSeconds { get; init; } = 300;

    /// <summary>PANIC_ON_OOPS: <c>start</c> sets kernel.panic_on_oops=1.</summary>
    public bool PanicOnOops { get; init; } = true;

    /// <summary>TRIGGERS: what else is to become a panic, chosen by the operator; null: nobody chose.</summary>
    public TriggerSet? Triggers { get; init; }

    /// <summary>What <c>start</c> sets: what was chosen, else oops unless PANIC_ON_OOPS=no.</summary>
    public TriggerSet WantedTriggers => Triggers ?? (PanicOnOops ? TriggerSet.Oops : TriggerSet.None);

    /// <summary>EXTRA_MODULES: kernel modules to add to the image and to load.</summary>
    public IReadOnlyList<string> ExtraModules { get; init; } = [];

    /// <summary>CAPTURE_CMDLINE: appended to the capture kernel's command line.</summary>
    public string CaptureCommandLine { get; init; } = "";

    /// <summary>CAPTURE_CPUS: processors the capture kernel uses.</summary>
    public int CaptureCpus { get; init; } = 1;

    /// <summary>FINAL_ACTION: what the capture kernel does in the end.</summary>
    public FinalAction FinalAction { get; init; } = FinalAction.Reboot;

    /// <summary>DUMPLEVEL: which pages are left out, 0 to 31; null: 31 to a server of ours, 1 to an original one.</summary>
    public int? DumpLevel { get; init; }

    /// <summary>CAPTURE_DIGEST: the capture kernel prints size and xxh128 of /proc/vmcore.</summary>
    public bool CaptureDigest { get; init; }

    /// <summary>KERNEL: the capture kernel's image; null: that of the running kernel is looked for.</summary>
    public string? Kernel { get; init; }

    /// <summary>MODULE_ROOT: directory with modules.dep; null: /lib/modules/RELEASE.</summary>
    public string? ModuleRoot { get; init; }

    /// <summary>Remarks on settings that were accepted and have no effect.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Reads the configuration of a host.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="file">The file given by <c>--config</c>, which beats all; null: the first of <see cref="Files"/>.</param>
    /// <exception cref="ClientException">The file cannot be read or is wrong; with file and line.</exception>
    public static ClientConfiguration Load(HostFiles host, string? file)
    {
        string? path = file ?? Files.FirstOrDefault(host.Exists);
        if (path is null) return new ClientConfiguration();
        try
        {
            // The whole path is kept: status looks at it from another directory.
            return ConfigurationReader.Read(path, File.ReadAllText(file ?? host.Map(path))) with { Source = Path.GetFullPath(path) };
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ClientException($"{path} does not exist", "give the name of a file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"cannot read {path}: {e.Message}", "run it as root, or give another file with --config", e);
        }
    }
}
