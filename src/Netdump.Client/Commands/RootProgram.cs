using System.CommandLine;

namespace Netdump.Client.Commands;

/// <summary>The program's commands, as an operator sees them.</summary>
public static class RootProgram
{
    /// <summary>Runs the command line; the exit code is 0, 1 for a failure or 2 for wrong usage.</summary>
    public static int Run(string[] args)
    {
        var root = new RootCommand("Sends the log and the memory of a crashed kernel over the network to a netdump server.");
        ParseResult parsed = root.Parse(args);
        int code = parsed.Invoke();
        return parsed.Errors.Count > 0 ? 2 : code;
    }
}
