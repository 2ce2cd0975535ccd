using System.CommandLine;
using Netdump.Server.Enrolment;

namespace Netdump.Server.Commands;

/// <summary><c>netdump-server gate</c>: what sshd runs for an enrolled key.</summary>
internal static class GateCommand
{
    private const string Examples = """
          ssh -i /etc/netdump/id_ecdsa netdump@server fingerprint
              on a host: sshd starts the gate on the server, which answers
        """;

    public static Command Create()
    {
        StoreArgument store = new();
        CommandWithExamples command = new("gate", "sshd runs it for an enrolled key: answers `fingerprint` and `magic DIGITS`, refuses the rest", Examples);
        store.AddTo(command);
        command.SetAction(result =>
        {
            try
            {
                result.InvocationConfiguration.Output.WriteLine(new Gate(store.ReadExisting(result), TimeProvider.System).Answer(
                    Environment.GetEnvironmentVariable("SSH_ORIGINAL_COMMAND"),
                    Environment.GetEnvironmentVariable("SSH_CONNECTION"),
                    Environment.GetEnvironmentVariable("SSH_USER_AUTH")));
                return 0;
            }
            catch (GateException e)
            {
                Console.Error.WriteLine($"netdump-server: {e.Message}");
                return 1;
            }
        });
        return command;
    }
}
