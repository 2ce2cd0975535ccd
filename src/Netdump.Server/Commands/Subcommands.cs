using System.CommandLine;

namespace Netdump.Server.Commands;

/// <summary>What netdump-server does besides receiving.</summary>
internal static class Subcommands
{
    /// <summary>All of them, in the order of the help text.</summary>
    public static IEnumerable<Command> All() =>
    [
        EnrolCommand.Create(), HostsCommand.Create(), RevokeCommand.Create(), FingerprintCommand.Create(), GateCommand.Create(),
    ];

    /// <summary>Where a command that sshd started was asked from; null on this machine.</summary>
    public static string? Origin =>
        Enrolment.Gate.TryReadPeer(Environment.GetEnvironmentVariable("SSH_CONNECTION"), out System.Net.IPAddress? peer) ? Store.CrashStore.NameOf(peer) : null;
}
