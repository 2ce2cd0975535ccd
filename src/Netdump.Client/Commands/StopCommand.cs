using System.CommandLine;

namespace Netdump.Client.Commands;

/// <summary><c>netdump stop</c>.</summary>
internal static class StopCommand
{
    public static Command Create()
    {
        var command = new CommandWithExamples(
            "stop", "Disarms this host: unloads the capture kernel, stops netconsole, puts kernel.panic_on_oops back.", "netdump stop");
        command.SetAction(_ =>
        {
            RootProgram.RequireRoot("stop");
            StartCommand.ArmingOf(RootProgram.ThisHost).Stop();
            return 0;
        });
        return command;
    }
}
