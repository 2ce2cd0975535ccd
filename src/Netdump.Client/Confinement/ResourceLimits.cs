using System.Runtime.InteropServices;
using Netdump.Client.Linux;

namespace Netdump.Client.Confinement;

/// <summary>Limits the kernel keeps for this process (setrlimit(2)), soft and hard alike: they cannot be raised again.</summary>
public static partial class ResourceLimits
{
    private const int ProcessorTime = 0; // RLIMIT_CPU
    private const int FileSize = 1; // RLIMIT_FSIZE
    private const int Data = 2; // RLIMIT_DATA
    private const int Core = 4; // RLIMIT_CORE
    private const int Files = 7; // RLIMIT_NOFILE

    /// <summary>Sets the limits.</summary>
    /// <param name="processorTime">Processor time; the kernel kills what takes more.</param>
    /// <param name="memory">Bytes of private writable memory.</param>
    /// <param name="fileSize">Bytes of the largest file that may be written.</param>
    /// <param name="files">Open files.</param>
    /// <exception cref="LinuxException">The kernel refused: a limit in force is lower.</exception>
    public static void Set(TimeSpan processorTime, long memory, long fileSize, int files)
    {
        // A core file of a process that reads a dump would hold the dump's secrets.
        Set(Core, 0);
        Set(ProcessorTime, (ulong)Math.Ceiling(processorTime.TotalSeconds));
        Set(Data, (ulong)memory);
        Set(FileSize, (ulong)fileSize);
        Set(Files, (ulong)files);
    }

    private static unsafe void Set(int resource, ulong most)
    {
        ulong* limits = stackalloc ulong[2];
        if (NativeGet(resource, limits) != 0) throw LinuxException.Last($"read resource limit {resource}");
        ulong allowed = Math.Min(most, limits[1]);
        (limits[0], limits[1]) = (allowed, allowed);
        if (NativeSet(resource, limits) != 0) throw LinuxException.Last($"set resource limit {resource}");
    }

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static unsafe partial int NativeGet(int resource, ulong* limits);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static unsafe partial int NativeSet(int resource, ulong* limits);
}
