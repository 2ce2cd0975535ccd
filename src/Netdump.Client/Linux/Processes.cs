using System.Collections;
using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>How a child process ended.</summary>
/// <param name="ProcessId">The child.</param>
/// <param name="ExitCode">Its exit code, or null when a signal ended it.</param>
/// <param name="Signal">The signal that ended it, or 0.</param>
public readonly record struct ProcessEnd(int ProcessId, int? ExitCode, int Signal);

/// <summary>
/// Processes for pid 1: posix_spawn, waitpid, kill. Not System.Diagnostics.Process, whose own SIGCHLD handling would compete with
/// pid 1 for the orphans it has to reap.
/// </summary>
public static partial class Processes
{
    /// <summary>SIGKILL.</summary>
    public const int Kill = 9;

    private const int NoHang = 1; // WNOHANG

    /// <summary>Starts a program with this process's environment and its descriptors that are not close-on-exec.</summary>
    /// <param name="path">The program.</param>
    /// <param name="arguments">Its arguments, argv[0] included.</param>
    /// <returns>Process id.</returns>
    /// <exception cref="LinuxException">The program cannot be started.</exception>
    public static unsafe int Start(string path, params ReadOnlySpan<string> arguments)
    {
        nint* vector = stackalloc nint[arguments.Length + 1];
        string[] variables = [.. Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(v => $"{v.Key}={v.Value}")];
        nint* environment = stackalloc nint[variables.Length + 1];
        try
        {
            for (int i = 0; i < arguments.Length; i++) vector[i] = Marshal.StringToCoTaskMemUTF8(arguments[i]);
            vector[arguments.Length] = 0;
            for (int i = 0; i < variables.Length; i++) environment[i] = Marshal.StringToCoTaskMemUTF8(variables[i]);
            environment[variables.Length] = 0;
            int error = NativeSpawn(out int child, path, 0, 0, vector, environment);
            return error == 0 ? child : throw new LinuxException($"start {path}", error);
        }
        finally
        {
            for (int i = 0; i < arguments.Length; i++) Marshal.FreeCoTaskMem(vector[i]);
            for (int i = 0; i < variables.Length; i++) Marshal.FreeCoTaskMem(environment[i]);
        }
    }

    /// <summary>Reaps one child that has ended, without waiting.</summary>
    /// <returns>False when none has ended.</returns>
    public static bool TryReap(out ProcessEnd end)
    {
        int child = NativeWait(-1, out int status, NoHang);
        int signal = status & 0x7f;
        end = child <= 0 ? default : new ProcessEnd(child, signal == 0 ? (status >> 8) & 0xff : null, signal);
        return child > 0;
    }

    /// <summary>Sends a signal. A process that is gone already is not an error.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Signal(int processId, int signal)
    {
        if (NativeKill(processId, signal) != 0 && Marshal.GetLastPInvokeError() != Errno.NoProcess)
            throw LinuxException.Last($"signal {signal} to process {processId}");
    }

    /// <summary>Sets how willingly the kernel kills this process when memory runs out: -1000 never to 1000 first.</summary>
    /// <exception cref="IOException">/proc is not mounted, or the value is not allowed.</exception>
    public static void SetOutOfMemoryScore(int score) => File.WriteAllText("/proc/self/oom_score_adj", score.ToString());

    /// <summary>Sets the name of this process, 15 bytes at most, that the kernel's messages show.</summary>
    /// <exception cref="IOException">/proc is not mounted.</exception>
    public static void SetName(string name) => File.WriteAllText("/proc/self/comm", name);

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int NativeSpawn(out int child, string path, nint actions, nint attributes, nint* arguments, nint* environment);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int NativeWait(int process, out int status, int options);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int NativeKill(int process, int signal);
}
