using System.Collections;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Netdump.Client.Trust;

/// <summary>
/// Runs what handles this host's key under a C library that overwrites each block of memory when it is freed (glibc's tunables, which count from the
/// start of a program only). OpenSSL hands a private key from one of its layers to the next in blocks that it frees as they are; whoever dumps memory
/// would find them there, long after this process.
/// </summary>
internal static partial class WipingHeap
{
    /// <summary>The variable glibc takes its tunables from.</summary>
    public const string Variable = "GLIBC_TUNABLES";

    /// <summary>Overwrites what is freed; keeps no blocks back without that (the cache of each thread does).</summary>
    public const string Tunables = "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0";

    /// <summary>Starts this program anew, with the same process id, words and environment, unless that was done before. Where it cannot, it goes on as it is.</summary>
    public static void Enter()
    {
        // A development build is a library of another program, dotnet.
        if (RuntimeFeature.IsDynamicCodeSupported || Environment.GetEnvironmentVariable(Variable)?.Contains("glibc.malloc.perturb", StringComparison.Ordinal) == true) return;
        string[] words = Encoding.UTF8.GetString(File.ReadAllBytes("/proc/self/cmdline")).TrimEnd('\0').Split('\0');
        List<string> environment = [$"{Variable}={Tunables}"];
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
            if (entry.Key is not Variable) environment.Add($"{entry.Key}={entry.Value}");
        string self = new FileInfo("/proc/self/exe").LinkTarget is { } path && File.Exists(path) ? path : "/proc/self/exe";
        Replace(self, words, environment);
    }

    /// <summary>
    /// When no key is in use any more, and before the end of the program: what still holds one frees it, and so overwrites it; what is left is looked
    /// for and overwritten. A process that ends does neither by itself.
    /// </summary>
    public static void Settle()
    {
        for (int round = 0; round < 3; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        try
        {
            KeyRemains.Wipe();
        }
        catch (IOException)
        {
            // no /proc: nothing more can be done
        }
    }

    private static unsafe void Replace(string path, string[] words, List<string> environment)
    {
        nint* arguments = (nint*)NativeMemory.AllocZeroed((nuint)(words.Length + 1), (nuint)sizeof(nint));
        nint* variables = (nint*)NativeMemory.AllocZeroed((nuint)(environment.Count + 1), (nuint)sizeof(nint));
        for (int i = 0; i < words.Length; i++) arguments[i] = Marshal.StringToCoTaskMemUTF8(words[i]);
        for (int i = 0; i < environment.Count; i++) variables[i] = Marshal.StringToCoTaskMemUTF8(environment[i]);
        _ = NativeExecute(path, arguments, variables); // returns only when it failed: nothing is lost then but this precaution
    }

    [LibraryImport("libc", EntryPoint = "execve", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int NativeExecute(string path, nint* arguments, nint* environment);
}
