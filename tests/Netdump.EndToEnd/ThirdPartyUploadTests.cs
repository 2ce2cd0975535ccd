using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>Issue 7, proof 4: the secure upload by programs that are not ours, with an enrolled key in PEM: curl, and the tus client of npm.</summary>
public sealed class ThirdPartyUploadTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly string _scratch = Workspace.Scratch(nameof(ThirdPartyUploadTests));
    private readonly string _store;

    public ThirdPartyUploadTests()
    {
        _store = Path.Combine(_scratch, "store");
        Command.Succeed("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", Key);
        Command.Succeed("openssl", "req", "-new", "-x509", "-key", Key, "-subj", "/CN=anything", "-days", "1", "-out", Certificate);
        File.SetUnixFileMode(Key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(PublicKey, Command.Succeed("ssh-keygen", "-y", "-f", Key) + "\n");
    }

    private string Key => Path.Combine(_scratch, "key.pem");

    private string Certificate => Path.Combine(_scratch, "certificate.pem");

    private string PublicKey => Path.Combine(_scratch, "key.pub");

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    private static void AssertSame(string expected, string path) =>
        Assert.True(File.ReadAllBytes(expected).AsSpan().SequenceEqual(File.ReadAllBytes(path)), "the dump is another");

    private static int SecurePort(DumpServer server) =>
        int.Parse(Regex.Match(server.WaitForLine(@"\[210\] listening on .*:[0-9]+ \(tcp", Limit), @":([0-9]+) \(tcp").Groups[1].Value);

    private void Enrol(string store) => Command.Succeed(Workspace.Server, "enrol", PublicKey, "--name", "web1", "--store", store);

    private string Pin(string store) =>
        "sha256//" + Command.Succeed(Workspace.Server, "fingerprint", "--store", store).Split('\n')[0].Trim()["SHA256:".Length..];

    /// <summary>curl, by the pinned key; gives status and body.</summary>
    private (int Status, string Body) Curl(DumpServer server, string path, params string[] more)
    {
        (int exit, string output) = Command.Run(
            "curl", [
                "-s", "--tlsv1.3", "--insecure", "--pinnedpubkey", Pin(server.Store), "--cert", Certificate, "--key", Key, "-H", "Tus-Resumable: 1.0.0",
                "-w", "\n%{http_code}", .. more, $"https://127.0.0.1:{SecurePort(server)}{path}",
            ]);
        Assert.True(exit == 0, $"curl ended with {exit}: {output}\n{server.Output}");
        int last = output.LastIndexOf('\n');
        return (int.Parse(output[(last + 1)..]), output[..last]);
    }

    private string Dump(int mebibytes)
    {
        string path = Path.Combine(_scratch, "dump");
        Workspace.WriteCore(path, pages: mebibytes * 256);
        return path;
    }

    [Fact]
    public void Proof4_curl_uploads_a_dump_and_goes_on_when_the_disk_was_full()
    {
        string dump = Dump(24);
        long size = new FileInfo(dump).Length;
        using DumpServer server = DumpServer.OnSmallDisk(_store, 64, "--secure-port", "0");
        Enrol(server.Store);
        Assert.Contains("\"name\":\"web1\"", Curl(server, "/upload/v1/host").Body, StringComparison.Ordinal);
        (int status, string answer) = Curl(server, "/upload/v1/crashes", "-d", "{\"title\":\"sent by curl\"}");
        Assert.Equal(201, status);
        string crash = "/upload/v1/crashes/" + JsonDocument.Parse(answer).RootElement.GetProperty("crash").GetString();
        string log = Path.Combine(_scratch, "log");
        File.WriteAllText(log, "[    1.000000] the last words\n");
        Assert.Equal(204, Curl(server, $"{crash}/log", "-T", log, "-H", "Content-Type: text/plain").Status);
        Assert.Equal(201, Curl(server, $"{crash}/vmcore", "-X", "POST", "-H", $"Upload-Length: {size}").Status);

        string[] patch = ["-X", "PATCH", "-H", "Content-Type: application/offset+octet-stream"];
        byte[] bytes = File.ReadAllBytes(dump);
        string part = Path.Combine(_scratch, "part");
        File.WriteAllBytes(part, bytes[..(8 << 20)]);
        string digest = Convert.ToBase64String(SHA256.HashData(bytes.AsSpan(0, 8 << 20)));
        Assert.Equal(204, Curl(server, $"{crash}/vmcore", [.. patch, "-H", "Upload-Offset: 0", "-H", $"Upload-Checksum: sha256 {digest}", "--data-binary", $"@{part}"]).Status);

        // The disk is filled by somebody else, up to the last MiB; what there was is kept.
        string filler = Path.Combine(server.Store, "filler");
        Command.Succeed("sh", "-c", $"cat /dev/zero > '{filler}' 2> {_scratch}/full; truncate -s -1M '{filler}'");
        File.WriteAllBytes(part, bytes[(8 << 20)..]);
        (status, answer) = Curl(server, $"{crash}/vmcore", [.. patch, "-H", $"Upload-Offset: {8 << 20}", "--data-binary", $"@{part}"]);
        Assert.True(status == 507, answer + server.Output);
        Assert.Contains("urn:netdump:no-space", answer, StringComparison.Ordinal);
        server.WaitForLine(@"\[364\]", Limit);
        File.Delete(filler);
        string head = Curl(server, $"{crash}/vmcore", "-I").Body;
        Assert.Matches($"(?m)^Upload-Offset: {8 << 20}\\r?$", head);
        Assert.Equal(204, Curl(server, $"{crash}/vmcore", [.. patch, "-H", $"Upload-Offset: {8 << 20}", "--data-binary", $"@{part}"]).Status);
        (status, answer) = Curl(server, $"{crash}/done", "-d", "{}");
        Assert.Equal((200, "complete"), (status, JsonDocument.Parse(answer).RootElement.GetProperty("vmcore").GetString()));
        string directory = Assert.Single(server.Crashes);
        AssertSame(dump, Path.Combine(directory, "vmcore"));
        Assert.Equal("[    1.000000] the last words\n", File.ReadAllText(Path.Combine(directory, "log")));
        Assert.Equal(0, server.Stop());
    }

    [Fact]
    public void A_dump_without_a_log_and_a_log_without_a_dump_have_reports()
    {
        using DumpServer server = new(_store, "--secure-port", "0");
        Enrol(_store);
        string dump = SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31");
        string[] patch = ["-X", "PATCH", "-H", "Content-Type: application/offset+octet-stream", "-H", "Upload-Offset: 0", "--data-binary", $"@{dump}"];
        string bare = Announce("{}");
        Assert.Equal(201, Curl(server, $"{bare}/vmcore", "-X", "POST", "-H", "Upload-Defer-Length: 1").Status);
        Assert.Equal(204, Curl(server, $"{bare}/vmcore", patch).Status);
        Assert.Equal(200, Curl(server, $"{bare}/done", "-d", $"{{\"bytes\":{new FileInfo(dump).Length}}}").Status);
        JsonElement report = ReportOf(bare);
        Assert.Contains("sysrq", report.GetProperty("title").GetString(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal("web1", report.GetProperty("upload").GetProperty("host").GetString());
        Assert.Contains("Linux version", File.ReadAllText(Path.Combine(_store, Path.GetFileName(bare), "log")), StringComparison.Ordinal);

        string without = Announce("{\"title\":\"what memory said\",\"release\":\"6.1.0\",\"signature\":{\"version\":1,\"id\":\"00000000000000aa\"}}");
        string log = SharedData.File("linux-6.1-sysrq", "dmesg.txt");
        Assert.Equal(204, Curl(server, $"{without}/log", "-T", log, "-H", "Content-Type: text/plain").Status);
        Assert.Equal(200, Curl(server, $"{without}/done", "-d", "{}").Status);
        report = ReportOf(without);
        Assert.Equal(("what memory said", "00000000000000aa"), (report.GetProperty("title").GetString(), report.GetProperty("signature").GetProperty("id").GetString()));
        Assert.Contains(report.GetProperty("findings").EnumerateArray(), f => f.GetProperty("id").GetString() == "no-dump");
        Assert.Contains("sysrq", report.GetProperty("panic").GetProperty("text").GetString(), StringComparison.OrdinalIgnoreCase);

        string Announce(string said) =>
            "/upload/v1/crashes/" + JsonDocument.Parse(Curl(server, "/upload/v1/crashes", "-d", said).Body).RootElement.GetProperty("crash").GetString();

        JsonElement ReportOf(string crash)
        {
            string path = Path.Combine(_store, Path.GetFileName(crash), "report.json");
            server.WaitFor(() => File.Exists(path), Limit);
            return JsonDocument.Parse(File.ReadAllText(path)).RootElement;
        }
    }

    [Fact]
    public void Proof4_a_key_that_is_not_enrolled_is_told_so_and_leaves_nothing()
    {
        using DumpServer server = new(_store, "--secure-port", "0");
        (int status, string answer) = Curl(server, "/upload/v1/crashes", "-d", "{}");
        Assert.Equal(403, status);
        Assert.Contains("urn:netdump:not-enrolled", answer, StringComparison.Ordinal);
        Assert.Empty(server.Crashes);
    }

    [Fact]
    public async Task Proof4_the_tus_client_of_npm_uploads_a_dump_to_a_server_that_is_killed_meanwhile()
    {
        string dump = Dump(48);
        int port = DumpServer.FreePort();
        int secure = DumpServer.FreePort();
        DumpServer server = DumpServer.Begin(_store, port, "--secure-port", $"{secure}");
        try
        {
            Assert.Equal(secure, SecurePort(server));
            Enrol(_store);
            using Command client = new(
                "node", [
                    Path.Combine(Workspace.Root, "tests/Netdump.EndToEnd/tus-upload.mjs"), Path.Combine(Workspace.Cache, "tus"), $"https://127.0.0.1:{secure}", dump,
                    Key, Certificate, Path.Combine(_store, "server", "certificate.pem"),
                ]);
            Random random = new(11);
            foreach (int mebibytes in new[] { 3, 17, 30 })
            {
                client.WaitForLine($"^accepted {mebibytes << 20}$", Limit);
                await Task.Delay(random.Next(0, 30), TestContext.Current.CancellationToken);
                server.Kill();
                server.Dispose();
                server = DumpServer.Begin(_store, port, "--secure-port", $"{secure}");
            }

            Assert.True(client.WaitForExit(Limit) == 0, client.Output + "\n" + server.Output);
            Assert.Contains("\"vmcore\":\"complete\"", client.WaitForLine("^done ", Limit), StringComparison.Ordinal);
            string directory = Assert.Single(server.Crashes);
            AssertSame(dump, Path.Combine(directory, "vmcore"));
            server.WaitFor(() => File.Exists(Path.Combine(directory, "report.json")), Limit);
            string report = await File.ReadAllTextAsync(Path.Combine(directory, "report.json"), TestContext.Current.CancellationToken);
            Assert.Contains("tus-js-client", report, StringComparison.Ordinal);
        }
        finally
        {
            server.Dispose();
        }
    }
}
