using Netdump.Client.Host;

namespace Netdump.Client.Image;

/// <summary>The shell of FINAL_ACTION=shell: the host's busybox, when it needs no libraries.</summary>
public static class StaticShell
{
    private static readonly string[] Places = ["/bin/busybox", "/usr/bin/busybox"];

    /// <summary>Path of it in the image.</summary>
    public const string Program = "/bin/busybox";

    /// <summary>The name it is started by, a link to it.</summary>
    public const string Name = "/bin/sh";

    /// <summary>Finds it.</summary>
    /// <exception cref="ClientException">The host has none.</exception>
    public static ImageFile Find(HostFiles host) =>
        Places.Where(p => host.Exists(p) && IsStatic(host.Map(p))).Select(p => new ImageFile(Program, host.Map(p))).FirstOrDefault()
        ?? throw new ClientException($"FINAL_ACTION=shell needs a busybox without shared libraries in {string.Join(" or ", Places)}",
            "install it (Debian: busybox-static), or set FINAL_ACTION=reboot");

    private static bool IsStatic(string path)
    {
        byte[] program = File.ReadAllBytes(path);
        return program.AsSpan().StartsWith("\u007fELF"u8) && new ElfObject(program) is { Interpreter: null, Needed.Count: 0 };
    }
}
