using System.Security.Cryptography;

namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// A digest made piece by piece beside the receiving, and what else is done with each piece then: digesting takes as long as all that TLS does, the
/// disk half as long, and a client waits for all of it.
/// </summary>
/// <param name="hash">The digest; it is owned.</param>
/// <param name="then">Is called with each piece when it is digested, one after the other, not on the caller's thread. Must not fail.</param>
internal sealed class PieceDigest(IncrementalHash hash, Func<ArraySegment<byte>, Task> then) : IAsyncDisposable
{
    private Task _done = Task.CompletedTask;

    /// <summary>Takes the next piece, which must stay as it is until the digest is complete or disposed.</summary>
    public void Add(ArraySegment<byte> piece) => _done = _done.ContinueWith(
        _ =>
        {
            hash.AppendData(piece);
            return then(piece);
        },
        CancellationToken.None, TaskContinuationOptions.DenyChildAttach, TaskScheduler.Default).Unwrap();

    /// <summary>The digest of all pieces.</summary>
    public async Task<byte[]> CompleteAsync()
    {
        await _done;
        return hash.GetHashAndReset();
    }

    /// <summary>Waits until no piece is looked at any more: their memory will serve others.</summary>
    public async ValueTask DisposeAsync()
    {
        await _done;
        hash.Dispose();
    }
}
