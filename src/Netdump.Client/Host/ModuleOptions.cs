using System.Text;

namespace Netdump.Client.Host;

/// <summary>
/// Parameters that modprobe would hand to a module on this host: <c>options NAME …</c> lines of modprobe.d(5), then <c>NAME.key=value</c>
/// words of the kernel's command line.
/// </summary>
public sealed class ModuleOptions
{
    private static readonly string[] Directories = ["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];

    private readonly Dictionary<string, StringBuilder> _options = [];

    /// <summary>Reads the host's settings.</summary>
    public ModuleOptions(HostFiles host)
    {
        var seen = new HashSet<string>();
        foreach (string directory in Directories)
        {
            foreach (string name in host.Names(directory))
            {
                // A file of an earlier directory replaces one of the same name in a later.
                if (!name.EndsWith(".conf", StringComparison.Ordinal) || !seen.Add(name)) continue;
                foreach (string line in (host.Read($"{directory}/{name}") ?? "").Replace("\\\n", "", StringComparison.Ordinal).Split('\n'))
                    if (line.Split([' ', '\t'], 3, StringSplitOptions.RemoveEmptyEntries) is ["options", string module, string text]) Add(module, text.Trim());
            }
        }
        foreach (string word in Image.CaptureCommandLine.Split(host.Read("/proc/cmdline") ?? ""))
        {
            int dot = word.IndexOf('.', StringComparison.Ordinal), equals = word.IndexOf('=', StringComparison.Ordinal);
            if (dot > 0 && (equals < 0 || dot < equals)) Add(word[..dot], word[(dot + 1)..]);
        }
    }

    /// <summary>Parameters of a module, or "".</summary>
    public string Of(string module) => _options.TryGetValue(module.Replace('-', '_'), out StringBuilder? text) ? text.ToString() : "";

    private void Add(string module, string text)
    {
        module = module.Replace('-', '_');
        if (!_options.TryGetValue(module, out StringBuilder? all)) _options[module] = all = new StringBuilder();
        if (all.Length > 0) all.Append(' ');
        all.Append(text);
    }
}
