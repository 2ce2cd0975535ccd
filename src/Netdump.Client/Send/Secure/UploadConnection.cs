using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Send.Secure;

/// <summary>
/// The requests of the secure upload (docs/upload.md), each once; whatever goes wrong is an <see cref="UploadFault"/>. One connection at a time, made
/// anew when the last one broke. What the server answers is as hostile as any: lengths, numbers and texts are bounded and checked.
/// </summary>
internal sealed class UploadConnection : IDisposable
{
    private const int LongestHeaders = 16; // KiB
    private const int LongestPath = 256;
    private const int LongestRetry = 60;
    private static readonly Uri Base = new("https://netdump/"); // a name for the Host field alone: we know where to connect

    private readonly SecureTarget _target;
    private readonly SecureOptions _options;
    private readonly PinnedTls _tls;
    private readonly HttpClient _http;

    public UploadConnection(SecureTarget target, SecureOptions options)
    {
        _target = target;
        _options = options;
        _tls = new PinnedTls(options.Certificate, target.Pin);
        _http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = _tls.Options(),
            ConnectCallback = (_, cancellation) => ConnectAsync(cancellation),
            ConnectTimeout = options.ConnectLimit,
            MaxConnectionsPerServer = 1,
            MaxResponseHeadersLength = LongestHeaders,
            MaxResponseDrainSize = UploadPaths.LongestMessage,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
        })
        {
            BaseAddress = Base,
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        _http.DefaultRequestHeaders.Add("Tus-Resumable", "1.0.0");
    }

    /// <summary>Announces the crash.</summary>
    /// <returns>The answer, and the path of the crash.</returns>
    public async Task<(CrashAnswer Answer, string Path)> AnnounceAsync(CrashAnnouncement announcement, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, UploadPaths.Crashes) { Content = Json(announcement, UploadJson.Default.CrashAnnouncement) };
        using HttpResponseMessage response = await SendAsync(request, cancellation);
        CrashAnswer answer = await ReadAsync(response, UploadJson.Default.CrashAnswer, cancellation);
        if (answer.DumpLevel is < 0 or > 31 || answer.VmcoreOffset < 0 || !Enum.IsDefined(answer.Vmcore)) throw Strange("the answer to the announcement is out of range");
        return (answer, PathOf(response.Headers.Location));
    }

    /// <summary>Sends a text: log or list of tasks.</summary>
    public async Task PutAsync(string path, HttpContent content, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Put, path) { Content = content };
        using HttpResponseMessage response = await SendAsync(request, cancellation);
    }

    /// <summary>Creates the upload of the vmcore, or finds it.</summary>
    /// <param name="crash">Path of the crash.</param>
    /// <param name="length">Bytes that will come; null: told at the end.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task CreateAsync(string crash, long? length, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, Vmcore(crash));
        if (length is { } bytes) request.Headers.Add("Upload-Length", Text(bytes));
        else request.Headers.Add("Upload-Defer-Length", "1");
        using HttpResponseMessage response = await SendAsync(request, cancellation);
    }

    /// <summary>Where the upload stands: bytes on the server's disk.</summary>
    public async Task<long> StandingAsync(string crash, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Head, Vmcore(crash));
        using HttpResponseMessage response = await SendAsync(request, cancellation);
        return OffsetOf(response);
    }

    /// <summary>Sends a block.</summary>
    /// <param name="crash">Path of the crash.</param>
    /// <param name="block">The block.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>Where the upload stands then.</returns>
    public async Task<long> PatchAsync(string crash, UploadBlock block, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Patch, Vmcore(crash)) { Content = new BlockContent(block) };
        request.Headers.Add("Upload-Offset", Text(block.Offset));
        request.Headers.Add("Upload-Checksum", $"sha256 {Convert.ToBase64String(block.Digest)}");
        using HttpResponseMessage response = await SendAsync(request, cancellation);
        return OffsetOf(response);
    }

    /// <summary>Ends the upload of the vmcore: what came of it stays on the server as incomplete.</summary>
    public async Task EndAsync(string crash, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Delete, Vmcore(crash));
        using HttpResponseMessage response = await SendAsync(request, cancellation);
    }

    /// <summary>Says that all is sent.</summary>
    public async Task<CrashResult> FinishAsync(string crash, CrashDone done, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, $"{crash}/{UploadPaths.Done}") { Content = Json(done, UploadJson.Default.CrashDone) };
        using HttpResponseMessage response = await SendAsync(request, cancellation);
        return await ReadAsync(response, UploadJson.Default.CrashResult, cancellation);
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        using CancellationTokenSource stall = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        stall.CancelAfter(_options.StallLimit);
        if (request.Content is MovingContent content) content.Moved = () => stall.CancelAfter(_options.StallLimit);
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or SocketException && !cancellation.IsCancellationRequested)
        {
            throw Explain(e);
        }
        if (response.IsSuccessStatusCode) return response;
        using (response)
            throw await RefusalAsync(response, stall.Token);
    }

    private UploadFault Explain(Exception failure)
    {
        if (_tls.Wrong is { } wrong)
        {
            return new UploadFault(FaultKind.WrongKey,
                $"the server at {_target.Name} shows key {wrong}, pinned is {_target.Pin}; if the server was reinstalled: netdump propagate", failure);
        }
        for (Exception? e = failure; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case SocketException { SocketErrorCode: SocketError.ConnectionRefused }:
                    return new UploadFault(FaultKind.PortClosed, $"nothing listens at {_target.Name}", failure);
                case SocketException { SocketErrorCode: SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.NetworkDown or SocketError.HostDown or SocketError.HostNotFound }:
                    return new UploadFault(FaultKind.Unreachable, $"there is no way to {_target.Name}: {e.Message}", failure);
                case ClientException:
                    return new UploadFault(FaultKind.Unreachable, e.Message, failure);
                case OperationCanceledException or TimeoutException:
                    return new UploadFault(FaultKind.Lost, $"no answer from {_target.Name}", failure);
            }
        }
        Exception last = failure;
        while (last.InnerException is { } inner) last = inner;
        return new UploadFault(FaultKind.Lost, $"the connection to {_target.Name} broke: {UploadFault.Plain(last.Message)}", failure);
    }

    private async ValueTask<Stream> ConnectAsync(CancellationToken cancellation)
    {
        IPEndPoint address = _target.Find?.Invoke() ?? _target.Address;
        Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<UploadFault> RefusalAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        UploadProblem? problem = null;
        try
        {
            if (response.Content.Headers.ContentType?.MediaType == "application/problem+json") problem = await ReadAsync(response, UploadJson.Default.UploadProblem, cancellation);
        }
        catch (UploadFault)
        {
            // The status says enough.
        }
        TimeSpan? after = response.Headers.RetryAfter?.Delta is { } delta ? TimeSpan.FromSeconds(Math.Clamp(delta.TotalSeconds, 0, LongestRetry)) : null;
        return UploadFault.Of((int)response.StatusCode, problem, after);
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellation)
        where T : class
    {
        byte[] text = new byte[UploadPaths.LongestMessage + 1];
        int length = 0;
        try
        {
            await using Stream stream = await response.Content.ReadAsStreamAsync(cancellation);
            length = await stream.ReadAtLeastAsync(text, text.Length, throwOnEndOfStream: false, cancellation);
        }
        catch (Exception e) when (e is IOException or HttpRequestException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new UploadFault(FaultKind.Lost, "the connection broke within an answer", e);
        }
        if (length > UploadPaths.LongestMessage) throw Strange("an answer is too long");
        try
        {
            return JsonSerializer.Deserialize(text.AsSpan(0, length), type) ?? throw Strange("an answer is empty");
        }
        catch (JsonException e)
        {
            throw new UploadFault(FaultKind.Refused, $"the answer is none of a netdump server: {UploadFault.Plain(e.Message)}", e);
        }
    }

    // A crash lies directly below the collection; anything else would let a server send our requests elsewhere.
    private static string PathOf(Uri? location)
    {
        if (location is null || !Uri.TryCreate(Base, location, out Uri? whole) || whole.Query.Length > 0) throw Strange("the announcement was answered without a place");
        string path = whole.AbsolutePath;
        string prefix = UploadPaths.Crashes + "/";
        if (path.Length > LongestPath || !path.StartsWith(prefix, StringComparison.Ordinal) || path.Length == prefix.Length || path.IndexOf('/', prefix.Length) >= 0)
            throw Strange("the announcement was answered with a place that is none of a crash");
        return path;
    }

    private static long OffsetOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues("Upload-Offset", out IEnumerable<string>? values)
        && long.TryParse(values.First(), NumberStyles.None, CultureInfo.InvariantCulture, out long offset) ? offset : throw Strange("an answer has no Upload-Offset");

    private static UploadFault Strange(string what) => new(FaultKind.Refused, $"{what}: is this a netdump server?");

    private static string Vmcore(string crash) => $"{crash}/{UploadPaths.Vmcore}";

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static ByteArrayContent Json<T>(T message, JsonTypeInfo<T> type)
    {
        ByteArrayContent content = new(JsonSerializer.SerializeToUtf8Bytes(message, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }
}
