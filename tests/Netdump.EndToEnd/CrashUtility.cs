using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>The crash utility as a judge of what we stored.</summary>
public static class CrashUtility
{
    /// <summary>Opens a vmcore with the kernel's debug symbols and returns what the given commands print.</summary>
    public static string Run(TestKernel kernel, string vmcore, params string[] commands)
    {
        string script = Path.Combine(Path.GetDirectoryName(vmcore)!, "..", $"crash-{Guid.NewGuid():N}.txt");
        File.WriteAllLines(script, [.. commands, "exit"]);
        try
        {
            (int exit, string output) = Command.Run(Judges.Crash, "-s", "-i", script, kernel.VmlinuxWithSymbols, vmcore);
            Assert.True(exit == 0, $"crash exited {exit}:\n{output}");
            return output;
        }
        finally
        {
            File.Delete(script);
        }
    }
}
