using System.Security.Cryptography;

namespace Netdump.Server.Receivers.Upload;

/// <summary>A digest made piece by piece beside the receiving: digesting takes as long as all that TLS does, and a client waits for both.</summary>
internal sealed class PieceDigest(IncrementalHash hash) : IAsyncDisposable
{
    private Task _done = Task.CompletedTask;

    /// <summary>Takes the next piece, which must stay as it is until the digest is complete or disposed.</summary>
    public void Add(ArraySegment<byte> piece) =>
        _done = _done.ContinueWith(_ => hash.AppendData(piece), CancellationToken.None, TaskContinuationOptions.DenyChildAttach, TaskScheduler.Default);

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
