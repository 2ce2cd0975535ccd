using System.IO.Hashing;
using System.Text;
using Netdump.Client.Image;

namespace Netdump.Client.Host;

/// <summary>
/// What a capture image is made of, part by part: kept when the host is armed, and made again from the host as it is now, it tells whether
/// <c>start</c> would build the same image today, and if not, what changed.
/// </summary>
/// <param name="Parts">Name of a part and the digest of its content, or its text when that is short.</param>
public sealed record ImageFingerprint(IReadOnlyDictionary<string, string> Parts)
{
    private const string File = "configuration file";

    /// <summary>Short name of the image, of six hexadecimal digits. The configuration file's text, remarks and all, does not count.</summary>
    public string Id => Digest(Encoding.UTF8.GetBytes(string.Concat(Content.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}\n"))))[..6];

    /// <summary>Modules in the image.</summary>
    public IEnumerable<string> Drivers => Parts.Keys.Where(k => k.StartsWith("driver ", StringComparison.Ordinal)).Select(k => k[7..]);

    private IEnumerable<KeyValuePair<string, string>> Content => Parts.Where(p => p.Key != File);

    /// <summary>Takes the fingerprint of what would be loaded.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="crash">Kernel, command line and image.</param>
    /// <param name="configuration">Text of the configuration file; "" when there is none.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static ImageFingerprint Of(HostFiles host, CrashKernel crash, string configuration)
    {
        CaptureImage image = crash.Image;
        CaptureManifest manifest = image.Manifest;
        var parts = new Dictionary<string, string>
        {
            ["kernel"] = $"{manifest.KernelRelease} {DigestOf(host.Map(crash.Kernel))}",
            ["command line"] = crash.CommandLine,
            ["netdump program"] = DigestOf(image.Program),
            ["libraries"] = string.Join(' ', image.Libraries.Files.Select(f => $"{f.Path}:{DigestOf(f.Source)}")),
            ["shell"] = image.Shell is { } shell ? DigestOf(shell.Source) : "none",
            ["identity"] = Digest(Encoding.UTF8.GetBytes($"{manifest.HostKey} {string.Join(' ', manifest.Servers.Select(s => s.Secure))}")),
            // The manifest in two parts, without what is the host's and the boot's own.
            ["network"] = Digest((manifest with { HostName = "", BootId = "", HostKey = null, Classic = false, Servers = [.. manifest.Servers.Select(s => s with { Secure = null })], Modules = [], LocalPort = 0, GiveUpSeconds = 0, FinalAction = default, Watchdog = false, Digest = false, DumpLevel = null }).ToJson()),
            ["settings"] = Digest((manifest with { HostName = "", BootId = "", HostKey = null, Servers = [], Devices = [], Interfaces = [], PhyBindings = [] }).ToJson()),
            [File] = Digest(Encoding.UTF8.GetBytes(configuration)),
        };
        foreach (ModuleFile module in image.Drivers.Modules) parts[$"driver {module.Name}"] = Digest(image.Drivers.Bytes(module));
        foreach (ImageFile firmware in image.Drivers.Firmware) parts[$"firmware {firmware.Path}"] = DigestOf(firmware.Source);
        return new ImageFingerprint(parts);
    }

    /// <summary>The parts that differ, in words; empty when nothing does.</summary>
    /// <param name="now">The later fingerprint.</param>
    public IReadOnlyList<string> ChangesTo(ImageFingerprint now) => Changes(Parts, now.Parts);

    /// <summary>The parts of the image itself that differ, in words: a remark in the configuration file is no other image.</summary>
    /// <param name="now">The later fingerprint.</param>
    public IReadOnlyList<string> ImageChangesTo(ImageFingerprint now) => Changes(Content, now.Content);

    private static List<string> Changes(IEnumerable<KeyValuePair<string, string>> before, IEnumerable<KeyValuePair<string, string>> now)
    {
        var was = new SortedDictionary<string, string>(before.ToDictionary(), StringComparer.Ordinal);
        var changes = new List<string>();
        foreach ((string name, string value) in now.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            if (!was.Remove(name, out string? old)) changes.Add($"{name} is new");
            else if (old != value) changes.Add($"{name} changed");
        }
        changes.AddRange(was.Keys.Select(name => $"{name} is gone"));
        return changes;
    }

    private static string DigestOf(string file)
    {
        var hash = new XxHash128();
        using FileStream stream = System.IO.File.OpenRead(file);
        hash.Append(stream);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static string Digest(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(XxHash128.Hash(bytes));
}
