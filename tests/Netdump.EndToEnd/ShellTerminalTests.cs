using System.Diagnostics;
using System.Text;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>`netdump shell` at a terminal, which script(1) provides: keys, completion, history, ^C and ^D (item 32 of the users' checklist).</summary>
public sealed class ShellTerminalTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly string _home = Workspace.Scratch("Shell");
    private readonly StringBuilder _shown = new();
    private readonly Process _terminal;
    private int _seen;

    public ShellTerminalTests()
    {
        ProcessStartInfo start = new("script", ["-q", "-e", "-c", $"{Workspace.Client} shell {SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump")}", "/dev/null"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        (start.Environment["HOME"], start.Environment["XDG_STATE_HOME"], start.Environment["TERM"]) = (_home, _home, "xterm");
        _terminal = Process.Start(start)!;
        _ = Task.Run(Watch);
    }

    [Fact]
    public void User32_at_a_terminal_tab_completes_older_lines_come_back_and_control_c_gives_a_line_up()
    {
        Wait("netdump> ");
        Type("sym jiffies_6\t");
        Wait("sym jiffies_64");
        Type("\r");
        Wait("ffffffff");
        Wait("netdump> ");
        Type("ps --stat\u0003");
        Wait("^C");
        Wait("netdump> ");
        Type("\e[A");
        Wait("sym jiffies_64");
        Type("\r");
        Wait("ffffffff");
        Wait("netdump> ");
        Type("\u0004");
        Assert.True(_terminal.WaitForExit(Limit));
        Assert.Equal(0, _terminal.ExitCode);
        Assert.Contains("sym jiffies_64", string.Concat(Directory.GetFiles(_home, "*", SearchOption.AllDirectories).Select(File.ReadAllText)), StringComparison.Ordinal);
    }

    public void Dispose()
    {
        if (!_terminal.HasExited) _terminal.Kill(entireProcessTree: true);
        _terminal.Dispose();
        Directory.Delete(_home, recursive: true);
    }

    private void Type(string keys)
    {
        _terminal.StandardInput.Write(keys);
        _terminal.StandardInput.Flush();
    }

    // What is shown from where the last wait ended.
    private void Wait(string text)
    {
        for (Stopwatch clock = Stopwatch.StartNew(); ; Command.Pause())
        {
            lock (_shown)
            {
                int at = _shown.ToString().IndexOf(text, _seen, StringComparison.Ordinal);
                if (at >= 0)
                {
                    _seen = at + text.Length;
                    return;
                }
                Assert.True(clock.Elapsed < Limit, $"'{text}' was not shown:\n{_shown}");
            }
        }
    }

    private void Watch()
    {
        char[] buffer = new char[1024];
        for (int count; (count = _terminal.StandardOutput.Read(buffer)) > 0;)
            lock (_shown) _shown.Append(buffer, 0, count);
    }
}
