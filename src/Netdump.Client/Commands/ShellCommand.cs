using System.CommandLine;
using Netdump.Client.Shell;
using Netdump.Kernel;
using Netdump.Vmcore;

namespace Netdump.Client.Commands;

/// <summary><c>netdump shell</c>: the commands that read a dump, one after the other, without naming it each time.</summary>
internal static class ShellCommand
{
    private const string Prompt = "netdump> ";

    // Commands of the program that are no questions to a dump.
    private static readonly string[] Others = ["start", "stop", "restart", "status", "watch", "send", "test", "shell", "analyse", "filter"];

    private const string Examples = """
        netdump shell vmcore                            then: mod, sym jiffies_64, dmesg | less, help, quit
        netdump shell vmcore < questions                answers all; exit code 0 only when each worked
        """;

    public static Command Create()
    {
        var file = DumpArgument.Create("FILE");
        var command = new CommandWithExamples(
            "shell", "Reads commands from the terminal or a file and runs them on one dump: dmesg, info, mod, sym, read and all others that read dumps. "
            + "Tab completes commands, options, symbols and types; pipes and redirections work; ^C stops a command and not the shell.", Examples)
        {
            file,
        };
        command.SetAction(p => Run(p.GetRequiredValue(file), Commands(p.RootCommandResult.Command)));
        return command;
    }

    /// <summary>The commands that read a dump, each with its options.</summary>
    internal static Dictionary<string, IReadOnlyList<string>> Commands(Command root) => root.Subcommands
        .Where(command => !command.Hidden && !Others.Contains(command.Name))
        .ToDictionary(command => command.Name, command => (IReadOnlyList<string>)[.. command.Options.Select(option => option.Name), "--help"]);

    private static int Run(string path, Dictionary<string, IReadOnlyList<string>> commands)
    {
        if (path == "-")
            throw new ClientException("standard input can be read once, and a shell reads its dump for each command", "store it in a file first");
        path = Path.GetFullPath(path);
        using (DumpArgument.Open(path))
        {
            // What is no dump is said now, and not at the first command.
        }
        var session = new ShellSession(Environment.ProcessPath!, path, commands.Keys);
        if (Console.IsInputRedirected)
            return session.RunAll(Console.In);
        VmcoreFile? dump = null;
        var completion = new ShellCompletion(commands, () => Kernel(path, out dump));
        var history = new ShellHistory(ShellHistory.DefaultPath);
        var editor = new LineEditor(Prompt, completion);
        // A command that runs gets the signal as well, and ends by it.
        Console.CancelKeyPress += (_, signal) => signal.Cancel = true;
        try
        {
            Console.Out.WriteLine($"{path}: help lists the commands, ^D ends.");
            while (editor.Read(history.Lines) is { } line)
            {
                history.Add(line);
                if (session.Run(line) is null)
                    break;
            }
        }
        finally
        {
            history.Save();
            dump?.Dispose();
        }
        return 0;
    }

    private static CrashedKernel? Kernel(string path, out VmcoreFile? dump)
    {
        dump = null;
        try
        {
            dump = VmcoreFile.Open(path);
            return new CrashedKernel(dump);
        }
        catch (Exception e) when (e is VmcoreFormatException or IOException)
        {
            return null; // commands and options are completed all the same
        }
    }
}
