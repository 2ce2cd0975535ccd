using System.Globalization;
using System.Text.RegularExpressions;
using Netdump.Client.Host;
using Netdump.Client.Image;

namespace Netdump.Client.Configuration;

/// <summary>Turns assignments into settings and says where what is wrong.</summary>
public static partial class ConfigurationReader
{
    private static readonly string[] Known =
    [
        "NETDUMPADDR", "NETDUMPPORT", "NETDUMPMACADDR", "NETLOGADDR", "NETLOGPORT", "NETLOGMACADDR", "SYSLOGADDR", "SYSLOGPORT", "SYSLOGMACADDR",
        "LOCALPORT", "DEV", "IDLETIMEOUT", "GIVEUP_SECONDS", "PANIC_ON_OOPS", "EXTRA_MODULES", "CAPTURE_CMDLINE", "CAPTURE_CPUS", "FINAL_ACTION",
        "CAPTURE_DIGEST", "KERNEL", "MODULE_ROOT", "TRIGGERS", "DUMPLEVEL", "TRANSPORT", "SECUREPORT",
        "CLASSIC_FALLBACK", "SPOOL", "SSH_PORT", "SSHOPTIONS",
    ];

    /// <summary>Keys of the original that mean nothing today, and why.</summary>
    private static readonly Dictionary<string, string> Ignored = new()
    {
        ["MHZ"] = "kernels keep time by themselves",
        ["NETDUMPKEYEXCHANGE"] = "the magic is exchanged by ssh as soon as a key is (netdump propagate)",
        ["LOCALADDR"] = "the address is that of the route to the server",
        ["MAGIC1"] = "the magic is another one in each boot",
        ["MAGIC2"] = "the magic is another one in each boot",
    };

    /// <summary>Reads a configuration file's text.</summary>
    /// <exception cref="ClientException">Wrong syntax, unknown key or impossible value; the message begins with <c>file:line:</c>.</exception>
    public static ClientConfiguration Read(string file, string text)
    {
        var values = new Dictionary<string, ShellAssignment>();
        var notes = new List<string>();
        foreach (ShellAssignment a in ShellAssignments.Parse(file, text))
        {
            if (Ignored.TryGetValue(a.Key, out string? why)) notes.Add($"{file}:{a.Line}: {a.Key} is ignored: {why}");
            else if (Known.Contains(a.Key)) values[a.Key] = a; // the last one counts, as in a shell
            else throw new ClientException($"{file}:{a.Line}: unknown key {a.Key}", $"did you mean {NearestName.Of(a.Key, Known.Concat(Ignored.Keys))}?");
        }
        return new Reading(file, values).Build(notes);
    }

    [GeneratedRegex("^[0-9A-Fa-f]{1,2}([:-][0-9A-Fa-f]{1,2}){5}$")]
    private static partial Regex MacPattern();

    private sealed class Reading(string file, Dictionary<string, ShellAssignment> values)
    {
        public ClientConfiguration Build(List<string> notes)
        {
            int port = Port("NETDUMPPORT", 6666);
            List<Endpoint> servers = Endpoints("NETDUMPADDR", port);
            string? mac = Mac("NETDUMPMACADDR");
            var defaults = new ClientConfiguration();
            return new ClientConfiguration
            {
                Source = file,
                Servers = servers,
                ServerMac = mac,
                NetLog = NetLog(servers, mac),
                SysLog = Target("SYSLOG", 514),
                Transport = ChosenTransport(),
                SecurePort = Port("SECUREPORT", defaults.SecurePort),
                ClassicFallback = Choice("CLASSIC_FALLBACK", false),
                Spool = Device("SPOOL"),
                SshPort = Text("SSH_PORT") is null ? null : Port("SSH_PORT", 22),
                SshOptions = Text("SSHOPTIONS")?.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) ?? [],
                LocalPort = Port("LOCALPORT", defaults.LocalPort),
                Device = Text("DEV"),
                GiveUpSeconds = Number("GIVEUP_SECONDS", 10, 86400) ?? Number("IDLETIMEOUT", 10, 86400) ?? defaults.GiveUpSeconds,
                PanicOnOops = Choice("PANIC_ON_OOPS", true),
                Triggers = ChosenTriggers(),
                ExtraModules = Words("EXTRA_MODULES"),
                CaptureCommandLine = Text("CAPTURE_CMDLINE") ?? "",
                CaptureCpus = Number("CAPTURE_CPUS", 1, 1024) ?? defaults.CaptureCpus,
                FinalAction = Final(),
                CaptureDigest = Choice("CAPTURE_DIGEST", false),
                DumpLevel = Number("DUMPLEVEL", 0, 31),
                Kernel = Text("KERNEL"),
                ModuleRoot = Text("MODULE_ROOT"),
                Notes = notes,
            };
        }

        /// <summary>The original's rule: the address defaults to the netdump server, NONE switches it off.</summary>
        private ConsoleTarget? NetLog(List<Endpoint> servers, string? serverMac)
        {
            if (Text("NETLOGADDR") is not null) return Target("NETLOG", 6666);
            if (servers.Count == 0) return null;
            return new ConsoleTarget(servers[0] with { Port = Port("NETLOGPORT", servers[0].Port) }, Mac("NETLOGMACADDR") ?? serverMac);
        }

        private ConsoleTarget? Target(string prefix, int defaultPort)
        {
            int port = Port(prefix + "PORT", defaultPort);
            string? mac = Mac(prefix + "MACADDR");
            if (Text(prefix + "ADDR") is not { } text || text.Equals("NONE", StringComparison.OrdinalIgnoreCase)) return null;
            return new ConsoleTarget(Endpoint.TryParse(text, port) ?? throw Wrong(prefix + "ADDR", "a host name or an address, with :PORT if you like"), mac);
        }

        private List<Endpoint> Endpoints(string key, int port)
        {
            var found = new List<Endpoint>();
            foreach (string word in Words(key))
                found.Add(Endpoint.TryParse(word, port) ?? throw Wrong(key, "host names or addresses, each with :PORT if you like"));
            return found;
        }

        private FinalAction Final() => Text("FINAL_ACTION")?.ToLowerInvariant() switch
        {
            null or "reboot" => FinalAction.Reboot,
            "halt" => FinalAction.Halt,
            "shell" => FinalAction.Shell,
            _ => throw Wrong("FINAL_ACTION", "reboot, halt or shell"),
        };

        private Transport ChosenTransport() => Text("TRANSPORT")?.ToLowerInvariant() switch
        {
            null or "auto" => Transport.Auto,
            "secure" => Transport.Secure,
            "classic" => Transport.Classic,
            _ => throw Wrong("TRANSPORT", "auto, secure or classic"),
        };

        private string? Device(string key) =>
            Text(key) is not { } text ? null : text.StartsWith("/dev/", StringComparison.Ordinal) && text.Length > 5 ? text : throw Wrong(key, "a block device such as /dev/disk/by-partlabel/netdump");

        private TriggerSet? ChosenTriggers()
        {
            if (Text("TRIGGERS") is not { } text) return null;
            TriggerSet set = Triggers.Parse(text) ?? throw Wrong("TRIGGERS", $"a list of {Triggers.Words}");
            // Two answers to one question: nobody should have to guess which of them counts.
            if (Text("PANIC_ON_OOPS") is not null && Choice("PANIC_ON_OOPS", true) != set.HasFlag(TriggerSet.Oops))
                throw new ClientException($"{file}:{values["TRIGGERS"].Line}: TRIGGERS={text} and PANIC_ON_OOPS={Text("PANIC_ON_OOPS")} contradict each other", "leave PANIC_ON_OOPS out");
            return set;
        }

        private bool Choice(string key, bool otherwise) => Text(key)?.ToLowerInvariant() switch
        {
            null => otherwise,
            "yes" or "y" or "1" or "on" or "true" => true,
            "no" or "n" or "0" or "off" or "false" => false,
            _ => throw Wrong(key, "yes or no"),
        };

        private int Port(string key, int otherwise) =>
            Text(key) is not { } text ? otherwise : Endpoint.TryPort(text, out int port) ? port : throw Wrong(key, "a port from 1 to 65535");

        private int? Number(string key, int least, int most) =>
            Text(key) is not { } text ? null
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most ? number
            : throw Wrong(key, $"a number from {least} to {most}");

        private string? Mac(string key)
        {
            if (Text(key) is not { } text) return null;
            if (!MacPattern().IsMatch(text)) throw Wrong(key, "a hardware address such as 52:54:00:12:34:56");
            return string.Join(':', text.Split(':', '-').Select(b => b.PadLeft(2, '0'))).ToLowerInvariant();
        }

        private string[] Words(string key) =>
            Text(key)?.Split([' ', '\t', '\n', ','], StringSplitOptions.RemoveEmptyEntries) ?? [];

        /// <summary>The value, or null when it is absent or empty: the original's file has every key, most of them empty.</summary>
        private string? Text(string key) => values.TryGetValue(key, out ShellAssignment a) && a.Value.Trim() is { Length: > 0 } text ? text : null;

        private ClientException Wrong(string key, string wanted) =>
            new($"{file}:{values[key].Line}: {key}={values[key].Value.ReplaceLineEndings(" ")} is not {wanted}");
    }
}
