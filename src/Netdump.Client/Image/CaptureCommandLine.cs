using System.Text;

namespace Netdump.Client.Image;

/// <summary>The capture kernel's command line: the running kernel's, without what only fits the running one, plus what a capture kernel needs.</summary>
public static class CaptureCommandLine
{
    /// <summary>
    /// x86's COMMAND_LINE_SIZE is 2048 with the ending NUL, and kexec_file_load puts <c>elfcorehdr=0x… </c> before ours,
    /// for which it keeps 30 characters (arch/x86/kernel/kexec-bzimage64.c).
    /// </summary>
    public const int MaxLength = 2047 - 30;

    // What the kernel does not know and has no dot becomes a variable of init, where the runtime reads it. In hexadecimal: 64 MiB at most; and
    // garbage is collected after each MiB, not only after as much as the processor's cache holds.
    private static readonly string[] HeapLimits = ["DOTNET_GCHeapHardLimit=4000000", "DOTNET_GCgen0size=100000"];

    // A root file system of tmpfs takes half of the memory at most, and what does not fit of the image is missing without a word (init/do_mounts.c).
    private const string RootType = "rootfstype=ramfs";

    private static readonly HashSet<string> Dropped =
    [
        "crashkernel", "netconsole", "netconsole.netconsole", "quiet", "hugepages", "hugepagesz", "default_hugepagesz", "BOOT_IMAGE",
        // what a capture kernel gets anew, by us or by kexec
        "nr_cpus", "maxcpus", "irqpoll", "reset_devices", "panic", "oops", "elfcorehdr", "initrd", "init", "rdinit", "rootfstype",
        // would wait, or fill the little memory there is
        "panic_print", "panic_on_warn", "log_buf_len", "resume", "mem",
        "DOTNET_GCHeapHardLimit", "DOTNET_GCgen0size",
    ];

    /// <summary>Makes the line.</summary>
    /// <param name="running">/proc/cmdline.</param>
    /// <param name="cpus">Processors to use.</param>
    /// <param name="append">CAPTURE_CMDLINE; later words override earlier ones in the kernel.</param>
    /// <exception cref="ClientException">It would be too long for the kernel.</exception>
    public static string Make(string running, int cpus, string append)
    {
        var words = new List<string>();
        foreach (string word in Split(running))
        {
            if (word == "--") break; // what follows is for init
            if (!Dropped.Contains(KeyOf(word))) words.Add(word);
        }
        words.AddRange([$"nr_cpus={cpus}", "irqpoll", "reset_devices", "panic=10", "oops=panic", RootType, .. HeapLimits]);
        words.AddRange(Split(append));
        string line = string.Join(' ', words);
        if (Encoding.UTF8.GetByteCount(line) > MaxLength)
            throw new ClientException($"the capture kernel's command line has {Encoding.UTF8.GetByteCount(line)} bytes, {MaxLength} fit", "shorten CAPTURE_CMDLINE or the running command line");
        return line;
    }

    /// <summary>Splits at white space outside double quotes, as the kernel's next_arg() does; quotes are kept.</summary>
    public static IReadOnlyList<string> Split(string line)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        bool quoted = false;
        foreach (char c in line)
        {
            if (c == '"') quoted = !quoted;
            if (!quoted && char.IsWhiteSpace(c))
            {
                if (word.Length > 0) words.Add(word.ToString());
                word.Clear();
            }
            else
            {
                word.Append(c);
            }
        }
        if (word.Length > 0) words.Add(word.ToString());
        return words;
    }

    private static string KeyOf(string word)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        return (equals < 0 ? word : word[..equals]).Trim('"').Replace('-', '_');
    }
}
