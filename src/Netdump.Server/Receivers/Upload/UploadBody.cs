using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Netdump.Server.Receivers.Upload;

/// <summary>The body of a request, which may be cut: a later request of the same crash, a revocation, the end of the server.</summary>
internal sealed class UploadBody : IDisposable
{
    private readonly HttpContext _http;
    private readonly CancellationTokenSource _cut = new();
    private Refusal? _why;

    /// <summary>The body of a request.</summary>
    public UploadBody(HttpContext http) => _http = http;

    /// <summary>Bytes, as declared; null when they come in chunks.</summary>
    public long? Length => _http.Request.ContentLength;

    /// <summary>Content type without its parameters, lower case.</summary>
    public string Type => (_http.Request.ContentType ?? "").Split(';')[0].Trim().ToLowerInvariant();

    /// <summary>Fires when the connection is gone, which ends waits; what it brought before can still be read.</summary>
    public CancellationToken Gone => _http.RequestAborted;

    /// <summary>Why it was cut; null when it was not, or the connection broke.</summary>
    public Refusal? Why => Volatile.Read(ref _why);

    /// <summary>Allows so many bytes; refuses a request that declares more.</summary>
    public void Allow(long bytes)
    {
        if (Length > bytes)
            throw Refusal.TooLarge($"the body has {Length} bytes, {bytes} are allowed");
        if (_http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = bytes;
    }

    /// <summary>Reads what came; 0 at the end. Throws <see cref="OperationCanceledException"/> when it was cut, and <see cref="IOException"/>.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer) => _http.Request.Body.ReadAsync(buffer, _cut.Token);

    /// <summary>Ends the reading.</summary>
    public void Cut(Refusal why)
    {
        if (Interlocked.CompareExchange(ref _why, why, null) is not null)
            return;
        try
        {
            _cut.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Its request has ended meanwhile.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _cut.Dispose();
}
