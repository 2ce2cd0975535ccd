using System.CommandLine;
using Netdump.Client.Configuration;
using Netdump.Client.Host;

namespace Netdump.Client.Commands;

/// <summary><c>netdump status</c>.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        Option<string?> config = StartCommand.ConfigOption();
        var json = new Option<bool>("--json") { Description = "For programs; the code of a check is stable" };
        const string Examples = """
            netdump status
            netdump status --json | jq -r '.checks[] | select(.level != "ok") | .code'
            """;
        var command = new CommandWithExamples(
            "status", "Says whether a crash of this host would be dumped. Exit code 0: armed and proven, 1: armed with warnings or unproven, 2: not armed.", Examples) { config, json };
        command.SetAction(p =>
        {
            HostFiles host = RootProgram.ThisHost;
            StatusReport report = new HostStatus(host, Settings(host, p.GetValue(config)), TimeProvider.System).Report();
            Console.WriteLine(p.GetValue(json) ? report.ToJson() : report.ToString());
            return report.ExitCode;
        });
        return command;
    }

    /// <summary>A configuration that cannot be read is a fact like others: an exit code of its own would pass for an answer.</summary>
    private static (ClientConfiguration? Settings, Check? Trouble) Settings(HostFiles host, string? file)
    {
        try
        {
            return (ClientConfiguration.Load(host, file), null);
        }
        catch (ClientException e)
        {
            return (null, new Check(CheckLevel.Warn, "config", e.Fact, e.Advice, "bad-config"));
        }
    }
}
