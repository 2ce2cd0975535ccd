using System.Globalization;
using System.Net;

namespace Netdump.Server.Options;

/// <summary>
/// All settings of the server. One table feeds the command line, the file, the help text, reloads and the operator page. Names of the
/// original server (redhat-netdump.md 4.1) are kept as aliases; what makes no sense today is accepted and answered with a note.
/// </summary>
internal static class Settings
{
    private const string OldName = "accepted for the original's sake";

    /// <summary>The table, in the order of the help text.</summary>
    public static IReadOnlyList<Setting> All { get; } =
    [
        new("store", ["dumpdir", "dumpdirprefix"], ["--store", "-C", "--dumpdir"], "DIR", "directory that holds the crashes [/var/crash]",
            (o, v) => o with { Store = NotEmpty(v[0]) }, o => o.Store),
        new("listen", ["addr"], ["--listen", "-a", "--addr"], "ADDR", "address to listen on, or any [any, IPv4 and IPv6]",
            (o, v) => o with { Listen = Address(v[0]) }, o => o.Listen),
        new("port", [], ["--port", "-p"], "N", "udp port of netdump and netconsole [6666]",
            (o, v) => o with { Port = Number(v[0], 0, 65_535) }, o => o.Port),
        new("secure_port", [], ["--secure-port"], "N|none", "tcp port of the secure upload [6667]",
            (o, v) => o with { SecurePort = v[0] == "none" ? null : Number(v[0], 0, 65_535) }, o => o.SecurePort),
        new("allow", [], ["--allow"], "NET", "network to accept, as 10.0.0.0/8; repeatable; any accepts all [loopback and private ranges]",
            (o, v) => o with { AllowedNetworks = NetworkList.Parse(v) }, o => o.AllowedNetworks) { IsList = true, Reloads = true },
        new("max_dumps", ["max_concurrent_dumps"], ["--max-dumps", "-c", "--concurrent"], "N",
            "dumps received at once; hosts beyond wait for a place, at most 10 minutes [256]",
            (o, v) => o with { MaxConcurrentDumps = Number(v[0], 0, 1_000_000) }, o => o.MaxConcurrentDumps) { Reloads = true },
        new("secure", [], ["--secure", "-s"], "auto|0|1", "magic files: 1 demands one, 0 never looks, auto checks those there are [auto]",
            (o, v) => o with { Secure = Secure(v[0]) }, o => o.Secure) { Reloads = true },
        new("space_check", [], ["--space-check", "-S", "--space_check"], "0|1", "compare free space with the size of a dump [1]",
            (o, v) => o with { SpaceCheck = Switch(v[0]) }, o => o.SpaceCheck) { Reloads = true },
        new("dump_level", [], ["--dump-level"], "N|host", "pages that hosts leave out of uploaded dumps, 0 (none) to 31 [host: its own DUMPLEVEL]",
            (o, v) => o with { DumpLevel = v[0] == "host" ? null : Number(v[0], 0, 31) }, o => o.DumpLevel) { Reloads = true },
        new("same_dumps", [], ["--same-dumps"], "N", "uploaded dumps of one signature within 24 hours; of further ones only the log; 0: all [0]",
            (o, v) => o with { SameDumps = Number(v[0], 0, 1_000_000) }, o => o.SameDumps) { Reloads = true },
        new("ending", [], ["--ending"], "reboot|exit", "what a host is told when its dump is done [reboot]",
            (o, v) => o with { Ending = Ending(v[0]) }, o => o.Ending) { Reloads = true },
        new("hook_timeout", [], ["--hook-timeout"], "SECONDS", "a hook script that runs longer is killed [30]",
            (o, v) => o with { HookTimeout = TimeSpan.FromSeconds(Number(v[0], 1, 86_400)) }, o => o.HookTimeout) { Reloads = true },
        new("max_hooks", [], ["--max-hooks"], "N", "hook scripts running at once [4]",
            (o, v) => o with { MaxHooks = Number(v[0], 1, 1000) }, o => o.MaxHooks) { Reloads = true },
        new("analyser", [], ["--analyser"], "FILE", "the program netdump that analyses dumps, or none [beside the server, else of PATH]",
            (o, v) => o with { Analyser = NotEmpty(v[0]) }, o => o.Analyser),
        new("analyses", [], ["--analyses"], "N", "dumps analysed at once [1]",
            (o, v) => o with { Analyses = Number(v[0], 1, 64) }, o => o.Analyses),
        new("analysis_timeout", [], ["--analysis-timeout"], "SECONDS", "an analysis that takes longer is killed [120]",
            (o, v) => o with { AnalysisTimeout = TimeSpan.FromSeconds(Number(v[0], 1, 86_400)) }, o => o.AnalysisTimeout) { Reloads = true },
        new("pidfile", [], ["--pidfile", "-P"], "FILE", "write the process id there [none]",
            (o, v) => o with { PidFile = NotEmpty(v[0]) }, o => o.PidFile),
        new("threads", [], ["--threads"], "N", "receive threads [one a processor, at most 4]",
            (o, v) => o with { Threads = Number(v[0], 1, 64) }, o => o.Threads),
        new("receive_buffer", [], ["--receive-buffer"], "BYTES", "socket buffer of each thread [8388608]",
            (o, v) => o with { ReceiveBuffer = Number(v[0], 4096, 1 << 30) }, o => o.ReceiveBuffer),
        new("receive_nap", [], ["--receive-nap"], "MICROSECONDS", "sleep after a small batch, to let datagrams gather; 0: never [200]",
            (o, v) => o with { ReceiveNap = TimeSpan.FromMicroseconds(Number(v[0], 0, 100_000)) }, o => o.ReceiveNap),
        new("log_level", [], ["--log-level"], "LEVEL", "debug, info, warning or error [info]",
            (o, v) => o with { LogLevel = Level(v[0]) }, o => o.LogLevel),
        new("daemon", [], ["--daemon", "-d"], null, OldName, Nothing, _ => null)
            { Note = "daemon: the server stays in the foreground; a service is run by systemd" },
        new("debug", [], ["--debug", "-D"], "N", OldName, Nothing, _ => null) { Note = "debug: use log_level = \"debug\"" },
        new("verbose", [], ["--verbose", "-v"], "N", OldName, Nothing, _ => null) { Note = "verbose: progress is always logged" },
        new("skip_zero", [], ["--skip-zero"], "N", OldName, Nothing, _ => null) { Note = "skip_zero: zero pages are always holes" },
        new("compress", [], ["--compress"], "CMD", OldName, Nothing, _ => null)
            { Note = "compress: dumps are kept as they arrive; use the hook netdump-reboot to compress them" },
    ];

    /// <summary>Puts assignments into options, later ones over earlier ones. Throws <see cref="OptionException"/>.</summary>
    public static ServerOptions Apply(ServerOptions options, IEnumerable<Assignment> assignments, bool isUsage)
    {
        foreach (Assignment assignment in assignments)
        {
            try
            {
                options = assignment.Setting.Apply(options, assignment.Values);
            }
            catch (FormatException e)
            {
                throw new OptionException($"{assignment.Where}: {e.Message}", e) { IsUsage = isUsage };
            }
        }

        return options;
    }

    private static ServerOptions Nothing(ServerOptions options, string[] values) => options;

    private static string NotEmpty(string text) => text.Length > 0 ? text : throw new FormatException("a name is needed");

    private static int Number(string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw new FormatException($"'{text}' is no number from {least} to {most}");

    private static IPAddress Address(string text)
    {
        if (text is "any" or "*") return IPAddress.IPv6Any;
        // "1" and "10.1" are addresses to the framework, and typing errors to us.
        if (IPAddress.TryParse(text, out IPAddress? address) && (text.Contains(':') || text.Count(c => c == '.') == 3)) return address;
        throw new FormatException($"'{text}' is no address; write it like 192.0.2.1, fd00::1 or any");
    }

    private static bool Switch(string text) => text switch
    {
        "0" or "false" or "no" => false,
        "1" or "true" or "yes" => true,
        _ => throw new FormatException($"'{text}' is neither 0 nor 1"),
    };

    private static SecurePolicy Secure(string text) => text switch
    {
        "auto" => SecurePolicy.Auto,
        "0" or "false" => SecurePolicy.Never,
        "1" or "true" => SecurePolicy.Always,
        _ => throw new FormatException($"'{text}' is neither auto, 0 nor 1"),
    };

    private static DumpEnding Ending(string text) => text switch
    {
        "reboot" => DumpEnding.Reboot,
        "exit" => DumpEnding.Exit,
        _ => throw new FormatException($"'{text}' is neither reboot nor exit"),
    };

    private static LogLevel Level(string text) => text switch
    {
        "debug" => LogLevel.Debug,
        "info" or "information" => LogLevel.Information,
        "warning" => LogLevel.Warning,
        "error" => LogLevel.Error,
        _ => throw new FormatException($"'{text}' is neither debug, info, warning nor error"),
    };
}
