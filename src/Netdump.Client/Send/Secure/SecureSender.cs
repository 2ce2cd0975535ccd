using Netdump.Vmcore;

namespace Netdump.Client.Send.Secure;

/// <summary>
/// Sends a dump by the secure upload to the first of several servers that takes it: announcement, log, tasks, vmcore, in one pass over memory. Cut
/// connections, restarted servers and new addresses are gone on from; what a server acknowledged is never sent again.
/// </summary>
/// <param name="file">The dump; stays the caller's.</param>
/// <param name="options">Limits and choices.</param>
/// <param name="progress">Is told what happens, on the calling thread; null for nobody.</param>
public sealed class SecureSender(VmcoreFile file, SecureOptions options, Action<SendProgress>? progress = null)
{
    private readonly DeadLog _log = new(file);

    /// <summary>Why the dead kernel's log was not sent, or not all of it; null when it was.</summary>
    public string? LogTrouble => _log.Trouble;

    /// <summary>Tries the servers in order, each until its limits. Returns when one took what it wants, when all failed, or when cancelled.</summary>
    /// <param name="servers">At least one.</param>
    /// <param name="cancellation">Ends it within a second.</param>
    /// <exception cref="IOException">The dump cannot be read.</exception>
    public SendResult Run(IReadOnlyList<SecureTarget> servers, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(servers.Count);
        UploadBlock[] blocks = [new(options.BlockSize), new(options.BlockSize)];
        SendResult? last = null;
        foreach (SecureTarget server in servers)
        {
            using SecureAttempt attempt = new(file, _log, options, server, blocks, progress);
            last = attempt.Run(cancellation);
            if (last.IsDone || last.Outcome == SendOutcome.Cancelled) break;
        }
        return last!;
    }
}
