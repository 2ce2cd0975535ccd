using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Netdump.Client.Send.Secure;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Tests.Send;

/// <summary>A request as it came.</summary>
internal sealed record UploadRequest(string Method, string Path, Dictionary<string, string> Headers, byte[] Body);

/// <summary>An answer. Status 0: the connection is cut.</summary>
internal sealed record UploadReply(int Status, string? Body = null, string Type = "application/json", params (string Name, string Value)[] Headers)
{
    public static readonly UploadReply Cut = new(0);

    public static UploadReply Problem(int status, string code, string title, string? detail = null) => new(
        status, JsonSerializer.Serialize(new UploadProblem { Type = $"urn:netdump:{code}", Title = title, Status = status, Detail = detail }, UploadJson.Default.UploadProblem), "application/problem+json");
}

/// <summary>
/// The secure upload's other end with memory for a disk, which cuts connections, loses answers and lies as a test asks it to. The real server
/// stands in the end-to-end tests; this one does what that one never would.
/// </summary>
internal sealed class UploadServer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _certificate;
    private readonly ConcurrentDictionary<Socket, bool> _open = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Crash> _crashes = [];

    public UploadServer()
    {
        _certificate = HostCertificate.OfOwnKey(_key, "server");
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(64);
        _ = Task.Factory.StartNew(Accept, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public SecureTarget Target => new("server", (IPEndPoint)_listener.LocalEndPoint!, KeyFingerprint.Of(_key));

    /// <summary>Requests in the order in which they came to their end, bodies of blocks not kept.</summary>
    public ConcurrentQueue<UploadRequest> Requests { get; } = [];

    /// <summary>Keys that clients showed.</summary>
    public ConcurrentBag<KeyFingerprint> Clients { get; } = [];

    /// <summary>Bytes of bodies of PATCHes that came, those of cut ones too.</summary>
    public long PatchBytes;

    /// <summary>The connection breaks each time so many bytes of PATCHes have come in all.</summary>
    public Queue<long> Cuts { get; } = [];

    /// <summary>Asked before a request is done; what it returns is the answer.</summary>
    public Func<UploadRequest, UploadReply?>? Instead { get; set; }

    /// <summary>Asked when a request is done; what it returns is the answer.</summary>
    public Func<UploadRequest, UploadReply?>? After { get; set; }

    /// <summary>Makes the answer to an announcement another one.</summary>
    public Func<CrashAnswer, CrashAnswer> Decide { get; set; } = a => a;

    public List<CrashAnnouncement> Announcements { get; } = [];

    public CrashDone? Done { get; private set; }

    /// <summary>The crash that was announced last.</summary>
    public Crash Last { get; private set; } = new("none");

    public void Forget()
    {
        lock (_lock) _crashes.Clear();
    }

    public void Dispose()
    {
        _listener.Dispose();
        foreach (Socket socket in _open.Keys) socket.Dispose();
        _certificate.Dispose();
        _key.Dispose();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                Socket socket = _listener.Accept();
                _open[socket] = true;
                _ = Task.Factory.StartNew(() => Serve(socket), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }

    private void Serve(Socket socket)
    {
        try
        {
            using SslStream tls = new(new NetworkStream(socket, ownsSocket: true));
            tls.AuthenticateAsServer(new SslServerAuthenticationOptions
            {
                ServerCertificate = _certificate,
                ClientCertificateRequired = true,
                EnabledSslProtocols = SslProtocols.Tls13,
                AllowTlsResume = false,
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                {
                    if (!HostCertificate.TryRead(certificate!.GetRawCertData(), out HostCertificate? read)) return false;
                    Clients.Add(read.Key.Fingerprint);
                    return true;
                },
            });
            using BufferedStream input = new(tls, 64 << 10);
            while (ReadRequest(input, socket) is { } request)
            {
                UploadReply reply;
                lock (_lock) reply = Instead?.Invoke(request) ?? Answer(request);
                Requests.Enqueue(request with { Body = request.Method == "PATCH" ? [] : request.Body });
                lock (_lock) reply = After?.Invoke(request) ?? reply;
                if (reply.Status == 0) break;
                StringBuilder head = new($"HTTP/1.1 {reply.Status} x\r\nTus-Resumable: 1.0.0\r\n");
                foreach ((string name, string value) in reply.Headers) head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
                byte[] body = Encoding.UTF8.GetBytes(reply.Body ?? "");
                if (reply.Status != 204) head.Append(CultureInfo.InvariantCulture, $"Content-Type: {reply.Type}\r\nContent-Length: {body.Length}\r\n");
                tls.Write(Encoding.Latin1.GetBytes(head.Append("\r\n").ToString()));
                if (request.Method != "HEAD") tls.Write(body);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or AuthenticationException)
        {
        }
        finally
        {
            socket.Dispose();
            _open.TryRemove(socket, out _);
        }
    }

    private UploadRequest? ReadRequest(Stream input, Socket socket)
    {
        if (ReadLine(input) is not { Length: > 0 } first) return null;
        string[] words = first.Split(' ');
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        while (ReadLine(input) is { Length: > 0 } line) headers[line.Split(':')[0]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        MemoryStream body = new();
        if (headers.TryGetValue("Content-Length", out string? length))
        {
            ReadBody(input, body, long.Parse(length, CultureInfo.InvariantCulture), words[0] == "PATCH", socket);
        }
        else if (headers.TryGetValue("Transfer-Encoding", out string? coding))
        {
            Assert.Equal("chunked", coding);
            while (true)
            {
                int size = int.Parse(ReadLine(input)!, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                ReadBody(input, body, size, isPatch: false, socket);
                Assert.Equal("", ReadLine(input));
                if (size == 0) break;
            }
        }
        return new UploadRequest(words[0], words[1], headers, body.ToArray());
    }

    private void ReadBody(Stream input, MemoryStream body, long length, bool isPatch, Socket socket)
    {
        byte[] buffer = new byte[64 << 10];
        while (length > 0)
        {
            long most = Math.Min(length, buffer.Length);
            if (isPatch && Cuts.TryPeek(out long cut)) most = Math.Min(most, Math.Max(1, cut - PatchBytes));
            int count = input.Read(buffer, 0, (int)most);
            if (count == 0) throw new IOException("the client is gone");
            body.Write(buffer, 0, count);
            length -= count;
            if (!isPatch) continue;
            PatchBytes += count;
            if (Cuts.TryPeek(out cut) && PatchBytes >= cut)
            {
                Cuts.Dequeue();
                socket.Close(0); // a reset
                throw new IOException("cut");
            }
        }
    }

    private static string? ReadLine(Stream input)
    {
        StringBuilder line = new();
        for (int c; (c = input.ReadByte()) >= 0;)
        {
            if (c == '\n') return line.ToString().TrimEnd('\r');
            line.Append((char)c);
        }
        return null;
    }

    private UploadReply Answer(UploadRequest request)
    {
        Assert.Equal("1.0.0", request.Headers["Tus-Resumable"]);
        if (request is { Method: "POST", Path: UploadPaths.Crashes }) return Announce(request);
        if (_crashes.Values.FirstOrDefault(c => request.Path.StartsWith(c.Path + "/", StringComparison.Ordinal)) is not { } crash)
            return UploadReply.Problem(404, "no-crash", "no crash of this host has that name");
        switch (request.Method, request.Path[(crash.Path.Length + 1)..])
        {
            case ("PUT", "log"):
                crash.Log = request.Body;
                return new UploadReply(204);
            case ("PUT", "tasks"):
                crash.Tasks = request.Body;
                return new UploadReply(204);
            case ("POST", "vmcore"):
                crash.Length = request.Headers.TryGetValue("Upload-Length", out string? length) ? long.Parse(length, CultureInfo.InvariantCulture) : null;
                crash.Vmcore ??= new MemoryStream();
                return new UploadReply(201, Headers: ("Location", crash.Path + "/vmcore"));
            case ("HEAD", "vmcore"):
                return crash.IsEnded ? new UploadReply(410) : new UploadReply(200, Headers: ("Upload-Offset", $"{crash.Vmcore!.Length}"));
            case ("DELETE", "vmcore"):
                crash.IsEnded = true;
                return new UploadReply(204);
            case ("PATCH", "vmcore"):
                return Patch(crash, request);
            case ("POST", "done"):
                Done = JsonSerializer.Deserialize(request.Body, UploadJson.Default.CrashDone)!;
                if (Done.Bytes is { } bytes && bytes != crash.Vmcore?.Length) return UploadReply.Problem(409, "unfinished", "bytes are missing");
                if (Done.Digest is { } digest && digest != Convert.ToBase64String(SHA256.HashData([.. crash.Digests.SelectMany(d => d)])))
                    return UploadReply.Problem(460, "digest", "the digest over the blocks is another");
                return new UploadReply(200, JsonSerializer.Serialize(new CrashResult(crash.Name, crash.Vmcore is null ? "none" : "complete"), UploadJson.Default.CrashResult));
            default:
                return new UploadReply(404);
        }
    }

    private UploadReply Announce(UploadRequest request)
    {
        CrashAnnouncement announcement = JsonSerializer.Deserialize(request.Body, UploadJson.Default.CrashAnnouncement)!;
        Announcements.Add(announcement);
        Guid id = announcement.Id ?? announcement.BootId ?? Guid.Empty;
        bool isNew = !_crashes.TryGetValue(id, out Crash? crash);
        if (isNew) _crashes[id] = crash = new Crash($"host-{_crashes.Count + 1}");
        Last = crash!;
        CrashAnswer answer = Decide(new CrashAnswer
        {
            Crash = Last.Name,
            Vmcore = announcement.DumpLevel is null or 0 ? WantedVmcore.Full : WantedVmcore.Filtered,
            DumpLevel = announcement.DumpLevel,
            HasLog = Last.Log is not null,
            HasTasks = Last.Tasks is not null,
            VmcoreOffset = Last.Vmcore?.Length,
        });
        return new UploadReply(isNew ? 201 : 200, JsonSerializer.Serialize(answer, UploadJson.Default.CrashAnswer), Headers: ("Location", Last.Path));
    }

    private static UploadReply Patch(Crash crash, UploadRequest request)
    {
        Assert.Equal("application/offset+octet-stream", request.Headers["Content-Type"]);
        if (crash.IsEnded) return UploadReply.Problem(410, "ended", "the upload was ended");
        if (long.Parse(request.Headers["Upload-Offset"], CultureInfo.InvariantCulture) != crash.Vmcore!.Length) return UploadReply.Problem(409, "wrong-offset", "it stands elsewhere");
        byte[] digest = SHA256.HashData(request.Body);
        if (request.Headers["Upload-Checksum"] != $"sha256 {Convert.ToBase64String(digest)}") return UploadReply.Problem(460, "digest", "the block is damaged");
        crash.Digests.Add(digest);
        crash.Vmcore.Write(request.Body);
        return new UploadReply(204, Headers: ("Upload-Offset", $"{crash.Vmcore.Length}"));
    }

    /// <summary>What came of a crash.</summary>
    internal sealed class Crash(string name)
    {
        public string Name => name;

        public string Path => $"{UploadPaths.Crashes}/{name}";

        public byte[]? Log { get; set; }

        public byte[]? Tasks { get; set; }

        public long? Length { get; set; }

        public MemoryStream? Vmcore { get; set; }

        public List<byte[]> Digests { get; } = [];

        public bool IsEnded { get; set; }
    }
}
