namespace Netdump.Vmcore.Tests;

/// <summary>The tools of others that judge ours, from a newer suite than the system's; tests/prepare puts them into the cache.</summary>
internal static class Judges
{
    /// <summary>The folder of the tools by their usual names, to be the first of PATH.</summary>
    public static string Folder { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "netdump-tests", "judges", "bin");

    /// <summary>crash 9: it knows the kernels that Debian 12's does not.</summary>
    public static string Crash { get; } = Path.Combine(Folder, "crash");

    /// <summary>makedumpfile 1.7.8: Debian 12's loses pages in use on 6.12, and has neither snappy nor zstd.</summary>
    public static string Makedumpfile { get; } = Path.Combine(Folder, "makedumpfile");

    /// <summary>drgn 0.3.</summary>
    public static string Drgn { get; } = Path.Combine(Folder, "drgn");
}
