using System.Diagnostics;

namespace Netdump.Client.Shell;

/// <summary>Runs the lines of a <c>netdump shell</c>.</summary>
/// <remarks>
/// Each line is a process of its own: ^C ends it and not the shell, a pager has the terminal to itself, and a dump that makes a command fail
/// leaves the shell alive. Opening the dump again takes some hundredths of a second.
/// </remarks>
internal sealed class ShellSession(string program, string dump, IReadOnlyCollection<string> commands)
{
    /// <summary>Runs a line.</summary>
    /// <returns>Its exit code; null when it ends the shell.</returns>
    public int? Run(string text)
    {
        var line = ShellLine.Parse(text, commands);
        switch (line.Request)
        {
            case ShellRequest.Quit:
                return null;
            case ShellRequest.Help:
                Console.Out.WriteLine(
                    $"Commands: {string.Join(' ', commands)}\nhelp COMMAND says more. Also: COMMAND | less, COMMAND > file, !PROGRAM, quit.");
                return 0;
            case ShellRequest.Unknown:
                Console.Error.WriteLine($"netdump: there is no command '{line.Word}': help lists them, !{line.Word} runs a program of this name");
                return 2;
            case ShellRequest.Run:
                return Start(line.Script);
            default:
                return 0;
        }
    }

    /// <summary>Runs all lines of a script.</summary>
    /// <returns>0 when all worked.</returns>
    public int RunAll(TextReader lines)
    {
        var exit = 0;
        while (lines.ReadLine() is { } line && Run(line) is { } code)
            exit = exit == 0 ? code : exit;
        return exit;
    }

    private int Start(string script)
    {
        Console.Out.Flush();
        var start = new ProcessStartInfo("/bin/sh", ["-c", script]);
        start.Environment[ShellLine.Program] = program;
        start.Environment[ShellLine.Dump] = dump;
        using var process = Process.Start(start) ?? throw new ClientException("/bin/sh cannot be started");
        process.WaitForExit();
        return process.ExitCode;
    }
}
