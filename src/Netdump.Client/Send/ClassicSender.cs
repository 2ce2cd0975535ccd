using System.Net;
using System.Net.Sockets;
using Netdump.Protocols.Classic;

namespace Netdump.Client.Send;

/// <summary>Sends a dump by the classic protocol to the first of several servers that takes it.</summary>
/// <param name="source">The dump; stays the caller's.</param>
/// <param name="options">Limits and choices.</param>
/// <param name="progress">Is told what happens, on the calling thread; null for nobody.</param>
public sealed class ClassicSender(DumpSource source, SendOptions options, Action<SendProgress>? progress = null)
{
    /// <summary>Tries the servers in order, each once. Returns when one took the dump to its end, when all failed, or when cancelled.</summary>
    /// <param name="servers">At least one.</param>
    /// <param name="cancellation">Ends it within a fifth of a second.</param>
    /// <exception cref="ClientException">The dump has no memory, or the port or address to send from is in use or not allowed.</exception>
    public SendResult Run(IReadOnlyList<SendTarget> servers, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(servers.Count);
        var memory = new ClassicMemoryMap(source.Pages.Select(r => (r.First, r.End)));
        if (memory.RamPages == 0)
            throw new ClientException($"{source.File.Bytes.Path} describes no memory: there is nothing to send");
        SendResult? last = null;
        foreach (var server in servers)
        {
            last = Try(server, memory, cancellation);
            if (last.IsDone || last.Outcome == SendOutcome.Cancelled)
                break;
        }
        return last!;
    }

    private SendResult Try(SendTarget server, ClassicMemoryMap memory, CancellationToken cancellation)
    {
        ClassicAttempt attempt;
        try
        {
            attempt = new ClassicAttempt(source, options, server, memory, progress);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied && options.LocalPort is { } port)
        {
            throw new ClientException($"UDP port {port} is {(e.SocketErrorCode == SocketError.AccessDenied ? "not allowed" : "in use")}", "choose another local port", e);
        }
        catch (SocketException e) when (options.LocalAddress is { } local && IsNoAddressFor(e, local, server.Address))
        {
            throw new ClientException($"{local} is not an address of this machine that can send to {server.Address.Address}", "choose one that `ip address` shows", e);
        }
        catch (SocketException)
        {
            progress?.Invoke(new SendMeter(memory.RamPages, source.PageSize).Progress(SendStage.GivenUp, server, false, SendOutcome.Unreachable));
            return new SendResult(SendOutcome.Unreachable, server, 0, TimeSpan.Zero);
        }
        using (attempt)
        {
            var outcome = attempt.Run(cancellation);
            var result = new SendResult(outcome, server, attempt.PagesSent, attempt.Elapsed);
            attempt.Report(result.IsDone || outcome == SendOutcome.Cancelled ? SendStage.Ended : SendStage.GivenUp, outcome);
            return result;
        }
    }

    private static bool IsNoAddressFor(SocketException error, IPAddress local, IPEndPoint server) =>
        error.SocketErrorCode == SocketError.AddressNotAvailable || local.AddressFamily != server.AddressFamily;
}
