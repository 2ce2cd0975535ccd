using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Netdump.Protocols.Upload;
using Netdump.Server.Receivers.Upload;

namespace Netdump.Server.Tests.Upload;

/// <summary>Issue 7, proof 5: what a peer may do to the secure port is bounded, refused and counted, and an honest host beside it is served.</summary>
public sealed class HostileUploadTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static async Task AssertServesAsync(UploadLab lab)
    {
        using UploadClient honest = lab.Connect();
        HostStanding standing = (await honest.Http.GetFromJsonAsync(UploadPaths.Host, UploadJson.Default.HostStanding, Cancel))!;
        Assert.Equal("web1.example", standing.Name);
    }

    private static async Task ConnectAsync(Socket socket, UploadLab lab)
    {
        try
        {
            await socket.ConnectAsync(lab.Server.Server.SecureEndPoint!, Cancel);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Refused already.
        }
    }

    private static async Task<string> AllAsync(Stream stream)
    {
        byte[] bytes = new byte[64 << 10];
        int length = 0;
        try
        {
            for (int count; (count = await stream.ReadAsync(bytes.AsMemory(length), Cancel)) > 0;)
                length += count;
        }
        catch (IOException)
        {
            // Cut off: what came before counts.
        }

        return Encoding.ASCII.GetString(bytes, 0, length);
    }

    [Fact]
    public async Task Proof5_a_thousand_connections_at_once_are_bounded_refused_and_counted()
    {
        using UploadLab lab = new();
        List<Socket> sockets = [];
        try
        {
            for (int i = 0; i < 1000; i++)
            {
                // Twenty addresses of the loopback, fifty connections each: no address reaches its own limit.
                Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Parse($"127.0.1.{1 + i % 20}"), 0));
                sockets.Add(socket);
                await ConnectAsync(socket, lab);
            }

            lab.Server.WaitFor(() => lab.Refused("too-many") + lab.Server.Server.UploadsRefused!.Connections >= 1000);
            Assert.Equal(UploadPort.MostConnections, lab.Server.Server.UploadsRefused!.Connections);
            Assert.Equal(1000 - UploadPort.MostConnections, lab.Refused("too-many"));
            Assert.Equal(1, lab.Server.Log.Count(215));
            // Those that were taken say nothing: their time for the handshake ends, and their places are free.
            lab.Server.WaitFor(() => lab.Refused("handshake") == UploadPort.MostConnections);
            await AssertServesAsync(lab);
        }
        finally
        {
            foreach (Socket socket in sockets)
                socket.Dispose();
        }
    }

    [Fact]
    public async Task Proof5_one_address_does_not_take_the_places_of_others()
    {
        using UploadLab lab = new();
        List<Socket> sockets = [];
        try
        {
            for (int i = 0; i < UploadPort.MostOfAddress + 20; i++)
            {
                Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Parse("127.0.1.1"), 0));
                sockets.Add(socket);
                await ConnectAsync(socket, lab);
            }

            lab.Server.WaitFor(() => lab.Refused("too-many-of-address") == 20);
            await AssertServesAsync(lab);
        }
        finally
        {
            foreach (Socket socket in sockets)
                socket.Dispose();
        }
    }

    [Fact]
    public async Task Proof5_headers_that_come_drop_by_drop_are_cut_in_time()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        await using SslStream raw = await client.RawAsync();
        long began = Stopwatch.GetTimestamp();
        Task<string> answer = AllAsync(raw);
        using PeriodicTimer drops = new(TimeSpan.FromMilliseconds(300));
        byte[] request = Encoding.ASCII.GetBytes("GET /upload/v1/host HTTP/1.1\r\nHost: " + new string('x', 2000));
        for (int i = 0; i < request.Length && !answer.IsCompleted && await drops.WaitForNextTickAsync(Cancel); i++)
        {
            try
            {
                await raw.WriteAsync(request.AsMemory(i, 1), Cancel);
            }
            catch (IOException)
            {
                break;
            }
        }

        await answer;
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(25));
        lab.Server.WaitFor(() => lab.Refused("timeout") == 1);
        await AssertServesAsync(lab);
    }

    [Fact]
    public async Task Proof5_a_body_that_comes_drop_by_drop_is_cut_in_time_and_what_came_is_kept()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path);
        await using SslStream raw = await client.RawAsync();
        await raw.WriteAsync(Encoding.ASCII.GetBytes(
            $"PATCH {path}/vmcore HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: 1000000\r\n\r\n"), Cancel);
        Task<string> answer = AllAsync(raw);
        long began = Stopwatch.GetTimestamp();
        using PeriodicTimer drops = new(TimeSpan.FromMilliseconds(500));
        int sent = 0;
        while (!answer.IsCompleted && await drops.WaitForNextTickAsync(Cancel))
        {
            try
            {
                await raw.WriteAsync(new byte[10], Cancel);
                sent += 10;
            }
            catch (IOException)
            {
                break;
            }
        }

        Assert.StartsWith("HTTP/1.1 408 ", await answer, StringComparison.Ordinal);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(40));
        Assert.Equal(1, lab.Refused("slow-body") + lab.Refused("timeout"));
        Assert.InRange((await client.HeadAsync(path)).Offset, sent - 20, sent);
    }

    [Theory]
    [InlineData("GET /upload/v1/host HTTP/1.1\r\nHost: x\r\nX-Long: {9000}\r\n\r\n", "HTTP/1.1 431 ", "header")]
    [InlineData("GET /{3000} HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 414 ", "header")]
    [InlineData("GET /upload/v1/host HTTP/1.1\r\nHost: x\r\n{many}\r\n", "HTTP/1.1 431 ", "header")]
    [InlineData("NONSENSE\r\n\r\n", "HTTP/1.1 400 ", "header")]
    [InlineData("GET /upload/v1/host HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "HTTP/1.1 400 ", "header")]
    [InlineData("POST /upload/v1/crashes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", "HTTP/1.1 400 ", "header")]
    [InlineData("POST /upload/v1/crashes HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "HTTP/1.1 413 ", "too-large")]
    [InlineData("POST /upload/v1/crashes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n{100000}", "HTTP/1.1 413 ", "too-large")]
    [InlineData("POST /upload/v1/crashes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "HTTP/1.1 400 ", "bad-message")]
    [InlineData("POST /upload/v1/crashes HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", "HTTP/1.1 400 ", "bad-message")]
    [InlineData("POST /upload/v1/crashes HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n{\"dump_level\":99}", "HTTP/1.1 400 ", "bad-message")]
    [InlineData("GET /upload/v1/crashes/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ", "not-found")]
    [InlineData("PUT /upload/v1/crashes/..%2f..%2f.ssh/log HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 ", "no-crash")]
    [InlineData("PUT /upload/v1/crashes/.ssh/log HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 ", "no-crash")]
    [InlineData("PUT /upload/v1/crashes//log HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 ", "no-crash")]
    [InlineData("PUT /upload/v1/crashes/%00/log HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 400 ", "header")]
    [InlineData("BREW /upload/v1/host HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 ", "wrong-method")]
    public async Task Proof5_a_request_that_is_none_is_refused_once_and_counted(string request, string answer, string name)
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        await using SslStream raw = await client.RawAsync();
        request = request.Replace("{9000}", new string('x', 9000)).Replace("{3000}", new string('x', 3000)).Replace("{100000}", new string('x', 100_000))
            .Replace("{many}", string.Concat(Enumerable.Range(0, 60).Select(i => $"X-{i}: y\r\n")));
        try
        {
            await raw.WriteAsync(Encoding.ASCII.GetBytes(request), Cancel);
        }
        catch (IOException)
        {
            // It was refused before all of it was sent.
        }

        byte[] said = new byte[answer.Length];
        await raw.ReadExactlyAsync(said, Cancel);
        Assert.Equal(answer, Encoding.ASCII.GetString(said));
        lab.Server.WaitFor(() => lab.Refused(name) == 1);
        Assert.Equal(1, lab.Server.Server.UploadsRefused!.Refused);
        Assert.Empty(lab.Server.Crashes);
        await AssertServesAsync(lab);
    }

    [Fact]
    public async Task Proof5_a_length_that_lies_keeps_what_came_without_a_digest_and_nothing_with_one()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path);
        string head = $"PATCH {path}/vmcore HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n";
        byte[] bytes = new byte[5000];
        await using (SslStream raw = await client.RawAsync())
        {
            await raw.WriteAsync(Encoding.ASCII.GetBytes($"{head}Upload-Offset: 0\r\nUpload-Checksum: {UploadClient.Sha256(bytes)}\r\nContent-Length: 9000\r\n\r\n"), Cancel);
            await raw.WriteAsync(bytes, Cancel);
        }

        Assert.Equal(0, (await client.HeadAsync(path)).Offset);
        await using (SslStream raw = await client.RawAsync())
        {
            await raw.WriteAsync(Encoding.ASCII.GetBytes($"{head}Upload-Offset: 0\r\nContent-Length: 9000\r\n\r\n"), Cancel);
            await raw.WriteAsync(bytes, Cancel);
        }

        lab.Server.WaitFor(() => client.HeadAsync(path).GetAwaiter().GetResult().Offset == 5000);
        // More than any block may have, though it has a digest.
        await using (SslStream raw = await client.RawAsync())
        {
            await raw.WriteAsync(Encoding.ASCII.GetBytes($"{head}Upload-Offset: 5000\r\nUpload-Checksum: {UploadClient.Sha256(bytes)}\r\nContent-Length: {UploadPaths.LongestBlock + 1}\r\n\r\n"), Cancel);
            byte[] answer = new byte[13];
            await raw.ReadExactlyAsync(answer, Cancel);
            Assert.Equal("HTTP/1.1 413 ", Encoding.ASCII.GetString(answer));
        }

        foreach (string wrong in new[] { "", "sha256", "sha256 ", "sha256 AAAA", "md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha256 " + new string('=', 44), new string('a', 100) })
            await client.RefusedAsync(client.PatchAsync(path, 5000, bytes, wrong.Length == 0 ? "x" : wrong), HttpStatusCode.BadRequest, "bad-message");
        Assert.Equal(5000, (await client.HeadAsync(path)).Offset);
    }

    [Fact]
    public async Task Proof5_one_host_cannot_fill_the_store_with_crashes()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        for (int i = 0; i < UploadCrashes.MostOpen; i++)
            await client.AnnounceAsync();
        using HttpResponseMessage response = await client.Http.PostAsJsonAsync(UploadPaths.Crashes, new CrashAnnouncement(), UploadJson.Default.CrashAnnouncement, Cancel);
        await UploadClient.RefusedAsync(response, HttpStatusCode.TooManyRequests, "busy");
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal(UploadCrashes.MostOpen, lab.Server.Crashes.Length);
    }

    [Fact]
    public async Task A_later_request_of_a_crash_cuts_the_body_that_an_earlier_one_still_waits_for()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path);
        await using SslStream raw = await client.RawAsync();
        await raw.WriteAsync(Encoding.ASCII.GetBytes(
            $"PATCH {path}/vmcore HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: 9000\r\n\r\n"), Cancel);
        await raw.WriteAsync(new byte[1234], Cancel);
        string file = Path.Combine(lab.Crash, "vmcore-incomplete");
        lab.Server.WaitFor(() => new FileInfo(file).Length == 1234);
        long began = Stopwatch.GetTimestamp();
        Assert.Equal(1234, (await client.HeadAsync(path)).Offset);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        (await client.PatchAsync(path, 1234, new byte[766], length: 2000)).Dispose();
        Assert.Equal(2000, new FileInfo(Path.Combine(lab.Crash, "vmcore")).Length);
    }
}
