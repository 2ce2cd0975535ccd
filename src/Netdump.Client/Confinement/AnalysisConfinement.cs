using Netdump.Client.Linux;

namespace Netdump.Client.Confinement;

/// <summary>What a process gives up before it opens a dump that somebody sent: a dump is hostile input.</summary>
public static class AnalysisConfinement
{
    private const long Memory = 1L << 30;
    private const long LargestFile = 256 << 20;
    private const int Files = 64;
    private static readonly TimeSpan ProcessorTime = TimeSpan.FromMinutes(10);

    /// <summary>
    /// For good: 1 GiB of memory, ten minutes of processor time, no files but those of the crash's directory, no sockets, programs or processes,
    /// no new privileges.
    /// </summary>
    /// <param name="directory">The crash's directory: its files are read, and the report is written there.</param>
    /// <returns>What this kernel does not offer, in words; null when all is in force.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static string? Enter(string directory)
    {
        ResourceLimits.Set(ProcessorTime, Memory, LargestFile, Files);
        bool confined = FileConfinement.Apply([], [directory]);
        CallFilter.Apply();
        return confined ? null : "this kernel has no Landlock: the analysis may read other files of its user";
    }
}
