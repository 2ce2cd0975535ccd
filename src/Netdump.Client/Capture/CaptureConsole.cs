using System.Text;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>
/// Where the capture kernel's programs speak. What they say goes through the kernel's log (/dev/kmsg) to all consoles and, as the
/// sender forwards that log, to the server's capture.log. Progress goes to /dev/console alone.
/// </summary>
internal sealed class CaptureConsole
{
    private const int LongestText = 900; // devkmsg_write() refuses a record longer than about 976 bytes (kernel/printk/printk.c)
    private const uint MemoryMajor = 1, KmsgMinor = 11, TerminalMajor = 5, ConsoleMinor = 1; // Documentation/admin-guide/devices.txt

    private readonly SafeFileHandle? _kmsg;
    private readonly SafeFileHandle? _console;

    private CaptureConsole(SafeFileHandle? kmsg, SafeFileHandle? console)
    {
        _kmsg = kmsg;
        _console = console;
    }

    /// <summary>Opens what there is; a console that is missing is not an error, as nobody could be told.</summary>
    public static CaptureConsole Open()
    {
        // Not blocking: a serial line that somebody stopped must not stop the dump.
        return new CaptureConsole(
            TryOpen("/dev/kmsg", MemoryMajor, KmsgMinor, OpenFlags.WriteOnly),
            TryOpen("/dev/console", TerminalMajor, ConsoleMinor, OpenFlags.WriteOnly | OpenFlags.NoControllingTerminal | OpenFlags.NonBlocking));
    }

    /// <summary>One line to the kernel's log, at level notice.</summary>
    public void Say(string text)
    {
        string line = OneLine(text);
        if (_kmsg is null || Descriptors.Write(_kmsg, Encoding.UTF8.GetBytes($"<5>netdump: {line}")) < 0) Show(line);
    }

    /// <summary>A step that was reached, with the time since the kernel started, so that the phases of a dump can be measured.</summary>
    public void Reached(string what) => Say($"{Uptime.Now.TotalSeconds:0.000} s since boot: {what}");

    /// <summary>One line to the console only.</summary>
    public void Show(string text)
    {
        if (_console is not null) _ = Descriptors.Write(_console, Encoding.UTF8.GetBytes($"netdump: {OneLine(text)}\n"));
    }

    internal static string OneLine(string text)
    {
        string line = text.ReplaceLineEndings(" ");
        return line.Length <= LongestText ? line : line[..LongestText];
    }

    private static SafeFileHandle? TryOpen(string path, uint major, uint minor, OpenFlags flags)
    {
        try
        {
            if (!File.Exists(path)) DeviceNodes.MakeCharacter(path, major, minor);
            return Descriptors.Open(path, flags);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
