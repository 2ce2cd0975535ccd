using System.CommandLine;
using Netdump.Client.Configuration;
using Netdump.Client.Host;
using Netdump.Client.Trust;

namespace Netdump.Client.Commands;

/// <summary><c>netdump status</c>.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        Option<string?> config = StartCommand.ConfigOption();
        var json = new Option<bool>("--json") { Description = "For programs; the code of a check is stable" };
        var wait = new Option<int>("--wait") { Description = "How long a server may take to answer", HelpName = "SECONDS", DefaultValueFactory = _ => (int)ServerWord.UsualLimit.TotalSeconds };
        wait.Validators.Add(r =>
        {
            if (r.GetValue(wait) is < 1 or > 600) r.AddError("--wait is a number of seconds from 1 to 600.");
        });
        const string Examples = """
            netdump status
            netdump status --wait 30                    over a slow network
            netdump status --json | jq -r '.checks[] | select(.level != "ok") | .code'
            """;
        var command = new CommandWithExamples(
            "status", "Says whether a crash of this host would be dumped. Exit code 0: armed and proven, 1: armed with warnings or unproven, 2: not armed.", Examples) { config, wait, json };
        command.SetAction(p => Report(RootProgram.ThisHost, p.GetValue(config), TimeSpan.FromSeconds(p.GetValue(wait)), p.GetValue(json)));
        return command;
    }

    /// <summary>A failure ends with the exit code of a host that is not armed: 1 would say that it is.</summary>
    private static int Report(HostFiles host, string? file, TimeSpan wait, bool json)
    {
        try
        {
            StatusReport report = new HostStatus(host, Settings(host, file), TimeProvider.System) { ServerLimit = wait }.Report();
            Console.WriteLine(json ? report.ToJson() : report.ToString());
            return report.ExitCode;
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"netdump: whether this host is armed is not known: {e.Message.ReplaceLineEndings(" ")}");
            return 2;
        }
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
