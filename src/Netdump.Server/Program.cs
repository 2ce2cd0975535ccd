using Netdump.Server;
using Netdump.Server.Options;

// Errors are one line and an exit status: 2 when the command line is at fault, 1 for everything else.
try
{
    if (CommandLine.Parse(args, Console.Out) is not { } commandLine) return 0;
    return commandLine.IsSubcommand ? commandLine.RunSubcommand() : await ServerHost.RunAsync(commandLine);
}
catch (OptionException e)
{
    await Console.Error.WriteLineAsync($"netdump-server: {e.Message}{(e.IsUsage ? "; see netdump-server --help" : "")}");
    return e.IsUsage ? 2 : 1;
}
catch (Exception e) when (e is StartException or IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync($"netdump-server: {e.Message}");
    return 1;
}
