using System.Runtime.CompilerServices;
using Netdump.Vmcore.Tests;

[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Netdump.EndToEnd;

/// <summary>A kernel that tests/prepare put into the cache, named by its series, never by an exact version.</summary>
public sealed record TestKernel(string Series, string Release, string Directory)
{
    public string VmlinuxWithSymbols => Path.Combine(Directory, "vmlinux");
}

/// <summary>Where things lie: the checkout, the published programs, the cache of kernels and judges.</summary>
public static class Workspace
{
    /// <summary>Frame number of the first page of a core of <see cref="WriteCore"/>.</summary>
    public const int FirstPage = 0x100;

    public static string Root { get; } = FindRoot();
    public static string Client { get; } = Existing(Path.Combine(Root, "artifacts/client/netdump"), "make build");
    public static string Server { get; } = Existing(Path.Combine(Root, "artifacts/server/netdump-server"), "make build");
    public static string Cache { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "netdump-tests");

    public static TestKernel Kernel(string series)
    {
        string release = File.ReadAllText(Existing(Path.Combine(Cache, "series", series), "tests/prepare")).Trim();
        return new TestKernel(series, release, Path.Combine(Cache, "kernels", release));
    }

    public static string Scratch([CallerMemberName] string name = "")
    {
        string path = Path.Combine(Path.GetTempPath(), $"netdump-{name}-{Guid.NewGuid():N}");
        System.IO.Directory.CreateDirectory(path);
        return path;
    }

    /// <summary>Writes an x86_64 ELF core as /proc/vmcore lays it out, with known bytes; every fifth page is zero.</summary>
    public static void WriteCore(string path, int pages, int seed = 7)
    {
        const int page = 4096;
        byte[] memory = new byte[pages * page];
        new Random(seed).NextBytes(memory);
        for (int i = 4; i < pages; i += 5) memory.AsSpan(i * page, page).Clear();
        SyntheticCore core = new();
        core.AddNote("CORE", 1, SyntheticCore.Status(pid: 1));
        core.AddMemory(FirstPage * page, memory);
        File.WriteAllBytes(path, core.Build());
    }

    private static string Existing(string path, string command) =>
        File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: run `{command}` first");

    private static string FindRoot()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
            if (File.Exists(Path.Combine(d.FullName, "netdump.slnx"))) return d.FullName;
        throw new InvalidOperationException("netdump.slnx not found above " + AppContext.BaseDirectory);
    }
}
