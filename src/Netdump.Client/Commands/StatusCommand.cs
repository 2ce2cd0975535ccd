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
            "status", "Says whether a crash of this host would be dumped. Exit code 0: armed, 1: armed with warnings, 2: not armed.", Examples) { config, json };
        command.SetAction(p =>
        {
            HostFiles host = RootProgram.ThisHost;
            StatusReport report = new HostStatus(host, ClientConfiguration.Load(host, p.GetValue(config))).Report();
            Console.WriteLine(p.GetValue(json) ? report.ToJson() : report.ToString());
            return report.ExitCode;
        });
        return command;
    }
}
