using System.Diagnostics;

namespace Netdump.Vmcore.Tests;

/// <summary>The recordings of real crashes that lie beside every checkout.</summary>
internal static class SharedData
{
    private static readonly Lazy<string> FullCorePath = new(() => Unpack("linux-7.3-sysrq-full", "vmcore.elf.zst"));

    /// <summary>The folder: NETDUMP_SHARED_DATA, else shared/data beside a directory above the tests.</summary>
    public static string Root { get; } = Find();

    /// <summary>The full ELF core of the 7.3 kernel, unpacked once.</summary>
    public static string FullCore => FullCorePath.Value;

    public static string File(string crash, string name) => Path.Combine(Root, crash, name);

    /// <summary>A packed file of a crash, unpacked once.</summary>
    public static string UnpackedPath(string crash, string name) => crash == "linux-7.3-sysrq-full" && name == "vmcore.elf.zst" ? FullCore : Unpack(crash, name);

    public static byte[] Unpacked(string crash, string name) => System.IO.File.ReadAllBytes(Unpack(crash, name));

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("NETDUMP_SHARED_DATA") is { Length: > 0 } given)
            return given;
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            var candidate = Path.Combine(directory.FullName, "shared", "data");
            if (Directory.Exists(candidate))
                return candidate;
        }
        throw new InvalidOperationException("shared/data is not beside the repository: set NETDUMP_SHARED_DATA");
    }

    private static string Unpack(string crash, string name)
    {
        var packed = new FileInfo(File(crash, name));
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } home
            ? home
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        var directory = Path.Combine(cache, "netdump-tests", "data");
        Directory.CreateDirectory(directory);
        var unpacked = Path.Combine(directory, $"{crash}-{packed.Length}-{Path.GetFileNameWithoutExtension(name)}");
        if (System.IO.File.Exists(unpacked))
            return unpacked;
        var partial = $"{unpacked}.{Environment.ProcessId}";
        using var zstd = Process.Start("zstd", ["-q", "-d", "--long=27", "-f", packed.FullName, "-o", partial]);
        zstd.WaitForExit();
        Assert.Equal(0, zstd.ExitCode);
        System.IO.File.Move(partial, unpacked, overwrite: true);
        return unpacked;
    }
}
