using System.CommandLine;
using Netdump.Client.Host;

namespace Netdump.Client.Commands;

/// <summary><c>netdump stop</c>.</summary>
internal static class StopCommand
{
    public static Command Create()
    {
        var command = new CommandWithExamples(
            "stop", "Disarms this host: unloads the capture kernel, stops netconsole, puts the triggers back.", "netdump stop");
        command.SetAction(_ =>
        {
            RootProgram.RequireRoot("stop");
            using IDisposable mine = ArmingLock.Take(RootProgram.ThisHost, RootProgram.LockLimit);
            StartCommand.ArmingOf(RootProgram.ThisHost).Stop();
            return 0;
        });
        return command;
    }
}
