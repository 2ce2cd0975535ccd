namespace Netdump.Protocols.NetConsole;

/// <summary>
/// How a capture kernel's own console is told from a reboot (netconsole.md 4.4): kexec adds <c>elfcorehdr=</c> to its command line, which
/// every kernel prints among its first lines.
/// </summary>
internal static class CaptureKernel
{
    // "Command line: " (x86) is number 1; "Kernel command line: " (all) comes within the first hundreds.
    private const ulong LastSequence = 4096;

    /// <summary>Whether a record is a capture kernel's command line. A line written by a user is not believed.</summary>
    public static bool IsCommandLine(in ExtendedRecord record) =>
        record.Sequence < LastSequence && record.Facility == 0 && IsCommandLine(record.EscapedText);

    /// <summary>Whether a text is a capture kernel's command line.</summary>
    public static bool IsCommandLine(ReadOnlySpan<byte> text) => IsAnyCommandLine(text) && text.IndexOf("elfcorehdr="u8) >= 0;

    /// <summary>Whether a text is any kernel's command line.</summary>
    public static bool IsAnyCommandLine(ReadOnlySpan<byte> text) =>
        text.StartsWith("Command line: "u8) || text.StartsWith("Kernel command line: "u8);
}
