using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Upload;
using Netdump.Server.Tests.Whole;

namespace Netdump.Server.Tests.Upload;

/// <summary>The whole server with its secure port, and hosts that talk to it over real TLS on the loopback.</summary>
internal sealed class UploadLab : IDisposable
{
    public UploadLab(Func<ServerOptions, ServerOptions>? change = null, Func<UploadContext, UploadContext>? uploads = null)
    {
        Server = new ServerUnderTest(o => (change?.Invoke(o) ?? o) with { SecurePort = 0 }, uploads);
        Host = Key();
        Enrol(("web1.example", Host));
    }

    public ServerUnderTest Server { get; }

    /// <summary>The key of the enrolled host.</summary>
    public ECDsa Host { get; }

    public string Crash => Assert.Single(Server.Crashes);

    public static ECDsa Key() => ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>Enrols just these.</summary>
    public void Enrol(params (string Name, ECDsa Key)[] hosts)
    {
        string directory = Directory.CreateDirectory(
            Path.Combine(Server.Options.Store, ".ssh"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        string fresh = Path.Combine(directory, "fresh");
        File.WriteAllLines(fresh, hosts.Select(h => $"restrict,command=\"netdump-server gate\" {SshPublicKey.Of(h.Key, h.Name)}"));
        File.SetUnixFileMode(fresh, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(fresh, Path.Combine(directory, "authorized_keys"), overwrite: true);
    }

    /// <summary>A client with the enrolled host's own key.</summary>
    public UploadClient Connect() => Connect(Host);

    /// <summary>A client with a certificate of a key by itself.</summary>
    public UploadClient Connect(ECDsa key) => Connect(HostCertificate.OfOwnKey(key, "a test"));

    /// <summary>A client with a leaf for a boot.</summary>
    public UploadClient ConnectLeaf(Guid boot, ECDsa? host = null)
    {
        ECDsa leaf = Key();
        using X509Certificate2 bare = HostCertificate.MakeLeaf(leaf, host ?? Host, boot);
        return Connect(bare.CopyWithPrivateKey(leaf));
    }

    public UploadClient Connect(X509Certificate2 certificate) => new(Server.Server.SecureEndPoint!, Server.Server.Fingerprint!.Value, certificate);

    public long Refused(string name) => Server.Server.UploadsRefused!.Of(name);

    public void Dispose() => Server.Dispose();
}

/// <summary>A host's requests.</summary>
internal sealed class UploadClient : IDisposable
{
    private readonly IPEndPoint _server;
    private readonly KeyFingerprint _pin;
    private readonly X509Certificate2 _certificate;

    public UploadClient(IPEndPoint server, KeyFingerprint pin, X509Certificate2 certificate)
    {
        (_server, _pin, _certificate) = (server, pin, certificate);
        Http = new HttpClient(new SocketsHttpHandler { SslOptions = Tls }) { BaseAddress = new Uri($"https://{server}"), Timeout = ServerUnderTest.Limit };
        Http.DefaultRequestHeaders.Add("Tus-Resumable", "1.0.0");
    }

    public HttpClient Http { get; }

    public SslClientAuthenticationOptions Tls => new()
    {
        EnabledSslProtocols = SslProtocols.Tls13,
        TargetHost = "netdump",
        LocalCertificateSelectionCallback = (_, _, _, _, _) => _certificate,
        RemoteCertificateValidationCallback = (_, shown, _, _) => KeyFingerprint.Of(((X509Certificate2)shown!).PublicKey.ExportSubjectPublicKeyInfo()) == _pin,
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? body = null, params (string Name, string Value)[] headers)
    {
        using HttpRequestMessage request = new(method, path) { Content = body };
        foreach ((string name, string value) in headers)
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return await Http.SendAsync(request, Cancel);
    }

    /// <summary>Announces a crash; gives the path below which it is sent.</summary>
    public async Task<(CrashAnswer Answer, string Path)> AnnounceAsync(CrashAnnouncement? announcement = null, HttpStatusCode expected = HttpStatusCode.Created)
    {
        using HttpResponseMessage response = await Http.PostAsJsonAsync(
            UploadPaths.Crashes, announcement ?? new CrashAnnouncement { Title = "a test crash" }, UploadJson.Default.CrashAnnouncement, Cancel);
        Assert.Equal(expected, response.StatusCode);
        CrashAnswer answer = (await response.Content.ReadFromJsonAsync(UploadJson.Default.CrashAnswer, Cancel))!;
        Assert.Equal($"{UploadPaths.Crashes}/{answer.Crash}", response.Headers.Location?.OriginalString);
        return (answer, response.Headers.Location!.OriginalString);
    }

    public async Task<UploadProblem> RefusedAsync(Task<HttpResponseMessage> sending, HttpStatusCode status, string code)
    {
        using HttpResponseMessage response = await sending;
        return await RefusedAsync(response, status, code);
    }

    public static async Task<UploadProblem> RefusedAsync(HttpResponseMessage response, HttpStatusCode status, string code)
    {
        string text = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(response.StatusCode == status, $"{(int)response.StatusCode}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        UploadProblem problem = JsonSerializer.Deserialize(text, UploadJson.Default.UploadProblem)!;
        Assert.Equal(($"urn:netdump:{code}", (int)status), (problem.Type, problem.Status));
        return problem;
    }

    public async Task PutAsync(string path, string text, string type)
    {
        using HttpResponseMessage response = await SendAsync(HttpMethod.Put, path, new StringContent(text, new MediaTypeHeaderValue(type)));
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    public async Task CreateAsync(string crash, long? length = null)
    {
        using HttpResponseMessage response = await SendAsync(
            HttpMethod.Post, $"{crash}/vmcore", null, length is { } bytes ? ("Upload-Length", $"{bytes}") : ("Upload-Defer-Length", "1"));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal($"{crash}/vmcore", response.Headers.Location?.OriginalString);
    }

    public Task<HttpResponseMessage> PatchAsync(string crash, long offset, ReadOnlyMemory<byte> bytes, string? checksum = null, long? length = null)
    {
        ReadOnlyMemoryContent content = new(bytes);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
        List<(string, string)> headers = [("Upload-Offset", $"{offset}")];
        if (checksum is not null)
            headers.Add(("Upload-Checksum", checksum));
        if (length is not null)
            headers.Add(("Upload-Length", $"{length}"));
        return SendAsync(HttpMethod.Patch, $"{crash}/vmcore", content, [.. headers]);
    }

    public static string Sha256(ReadOnlyMemory<byte> bytes) => $"sha256 {Convert.ToBase64String(SHA256.HashData(bytes.Span))}";

    /// <summary>Sends blocks with their digests from where the upload stands; gives what <c>done</c> wants.</summary>
    public async Task<CrashDone> SendAllAsync(string crash, ReadOnlyMemory<byte> dump, int block)
    {
        using IncrementalHash all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int blocks = 0;
        for (int at = 0; at < dump.Length; at += block, blocks++)
        {
            ReadOnlyMemory<byte> part = dump.Slice(at, Math.Min(block, dump.Length - at));
            all.AppendData(SHA256.HashData(part.Span));
            using HttpResponseMessage response = await PatchAsync(crash, at, part, Sha256(part));
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
            Assert.Equal($"{at + part.Length}", response.Headers.GetValues("Upload-Offset").Single());
        }

        return new CrashDone { Bytes = dump.Length, Blocks = blocks, Digest = Convert.ToBase64String(all.GetHashAndReset()) };
    }

    public Task<HttpResponseMessage> DoneAsync(string crash, CrashDone done) => Http.PostAsJsonAsync($"{crash}/done", done, UploadJson.Default.CrashDone, Cancel);

    public async Task<CrashResult> FinishAsync(string crash, CrashDone done)
    {
        using HttpResponseMessage response = await DoneAsync(crash, done);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync(UploadJson.Default.CrashResult, Cancel))!;
    }

    public async Task<(long Offset, long? Length)> HeadAsync(string crash)
    {
        using HttpResponseMessage response = await SendAsync(HttpMethod.Head, $"{crash}/vmcore");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        bool isKnown = response.Headers.TryGetValues("Upload-Length", out IEnumerable<string>? length);
        Assert.NotEqual(isKnown, response.Headers.Contains("Upload-Defer-Length"));
        return (long.Parse(response.Headers.GetValues("Upload-Offset").Single()), isKnown ? long.Parse(length!.Single()) : null);
    }

    /// <summary>A connection past its handshake, for bytes that no HTTP client would send.</summary>
    public async Task<SslStream> RawAsync()
    {
        System.Net.Sockets.TcpClient tcp = new();
        await tcp.ConnectAsync(_server, Cancel);
        SslStream stream = new(tcp.GetStream());
        await stream.AuthenticateAsClientAsync(Tls, Cancel);
        return stream;
    }

    public void Dispose() => Http.Dispose();
}
