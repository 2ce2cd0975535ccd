using System.Diagnostics;

namespace Netdump.Server.Tests;

/// <summary>
/// Makes files that a test is about to execute. Another thread may start a process while this one still has the file open for writing;
/// until that process has executed its program it holds the file open too, and Linux refuses to execute it (ETXTBSY). So a process of its
/// own, which starts no other, writes the file.
/// </summary>
internal static class ExecutableFile
{
    public static void Write(string path, string text, string mode = "0700")
    {
        string draft = path + ".draft";
        File.WriteAllText(draft, text);
        using (Process install = Process.Start("install", ["-m", mode, draft, path]))
        {
            install.WaitForExit();
            Assert.Equal(0, install.ExitCode);
        }

        File.Delete(draft);
    }
}
