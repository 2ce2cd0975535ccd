using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Netdump.Protocols.Keys;
using Netdump.Protocols.Upload;

namespace Netdump.Server.Tests.Upload;

/// <summary>Who may send, and what.</summary>
public sealed class AuthorisationTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_that_is_not_enrolled_gets_an_answer_that_says_what_to_do_and_leaves_nothing()
    {
        using UploadLab lab = new();
        using UploadClient stranger = lab.Connect(UploadLab.Key());
        UploadProblem problem = await stranger.RefusedAsync(
            stranger.Http.PostAsJsonAsync(UploadPaths.Crashes, new CrashAnnouncement(), UploadJson.Default.CrashAnnouncement, Cancel), HttpStatusCode.Forbidden, "not-enrolled");
        Assert.Contains("netdump propagate", problem.Detail, StringComparison.Ordinal);
        foreach (HttpMethod method in new[] { HttpMethod.Get, HttpMethod.Options, HttpMethod.Patch })
            await stranger.RefusedAsync(stranger.SendAsync(method, UploadPaths.Host), HttpStatusCode.Forbidden, "not-enrolled");
        Assert.Empty(lab.Server.Crashes);
        Assert.Equal(4, lab.Refused("not-enrolled"));
    }

    [Fact]
    public async Task Many_requests_of_keys_that_are_not_enrolled_are_told_to_wait_and_an_enrolled_one_beside_them_is_not()
    {
        using UploadLab lab = new();
        List<HttpStatusCode> answers = [];
        for (int i = 0; i < 30; i++)
        {
            using UploadClient stranger = lab.Connect(UploadLab.Key());
            using HttpResponseMessage response = await stranger.Http.GetAsync(UploadPaths.Host, Cancel);
            answers.Add(response.StatusCode);
            Assert.True(response.Headers.ConnectionClose);
        }

        Assert.InRange(answers.IndexOf(HttpStatusCode.TooManyRequests), 15, 25);
        Assert.Equal(30, lab.Refused("busy") + lab.Refused("not-enrolled"));
        using UploadClient host = lab.Connect();
        Assert.Equal("web1.example", (await host.Http.GetFromJsonAsync(UploadPaths.Host, UploadJson.Default.HostStanding, Cancel))!.Name);
    }

    [Fact]
    public async Task A_leaf_is_for_one_crash_of_its_boot()
    {
        using UploadLab lab = new();
        Guid boot = Guid.NewGuid();
        using UploadClient leaf = lab.ConnectLeaf(boot);
        await leaf.RefusedAsync(
            leaf.Http.PostAsJsonAsync(UploadPaths.Crashes, new CrashAnnouncement { BootId = Guid.NewGuid() }, UploadJson.Default.CrashAnnouncement, Cancel),
            HttpStatusCode.Forbidden, "wrong-boot");
        (_, string path) = await leaf.AnnounceAsync(new CrashAnnouncement { BootId = boot, Id = Guid.NewGuid() });
        (_, string again) = await leaf.AnnounceAsync(new CrashAnnouncement { Id = Guid.NewGuid() }, HttpStatusCode.OK);
        Assert.Equal(path, again);

        using UploadClient other = lab.ConnectLeaf(Guid.NewGuid());
        await other.RefusedAsync(other.PatchAsync(path, 0, new byte[5]), HttpStatusCode.NotFound, "no-crash");
        (_, string another) = await other.AnnounceAsync();
        Assert.NotEqual(path, another);
        using UploadClient host = lab.Connect(); // the host's own key may go on with what its leaf began
        await host.CreateAsync(path);
        Assert.Equal(2, lab.Server.Crashes.Length);
    }

    [Fact]
    public async Task A_leaf_that_another_key_signed_is_a_strangers()
    {
        using UploadLab lab = new();
        ECDsa thief = UploadLab.Key();
        using UploadClient leaf = lab.ConnectLeaf(Guid.NewGuid(), thief);
        await leaf.RefusedAsync(leaf.SendAsync(HttpMethod.Get, UploadPaths.Host), HttpStatusCode.Forbidden, "not-enrolled");

        // The issuer's fingerprint is easily written into a certificate; the signature is not.
        ECDsa key = UploadLab.Key();
        using X509Certificate2 honest = HostCertificate.MakeLeaf(key, lab.Host, Guid.NewGuid());
        byte[] forged = honest.RawData;
        forged[^3] ^= 1;
        using X509Certificate2 bare = X509CertificateLoader.LoadCertificate(forged);
        using UploadClient forger = lab.Connect(bare.CopyWithPrivateKey(key));
        await forger.RefusedAsync(forger.SendAsync(HttpMethod.Get, UploadPaths.Host), HttpStatusCode.Forbidden, "not-enrolled");
    }

    [Fact]
    public async Task One_host_sees_nothing_of_anothers_crash()
    {
        using UploadLab lab = new();
        ECDsa second = UploadLab.Key();
        lab.Enrol(("web1.example", lab.Host), ("web2.example", second));
        using UploadClient one = lab.Connect();
        using UploadClient two = lab.Connect(second);
        Guid id = Guid.NewGuid();
        (_, string path) = await one.AnnounceAsync(new CrashAnnouncement { Id = id });
        await one.CreateAsync(path);
        foreach (string thing in new[] { "vmcore", "log", "tasks", "done", "report.json" })
            await two.RefusedAsync(two.SendAsync(HttpMethod.Put, $"{path}/{thing}", new StringContent("x")), HttpStatusCode.NotFound, "no-crash");
        (_, string own) = await two.AnnounceAsync(new CrashAnnouncement { Id = id });
        Assert.NotEqual(path, own);
        (_, string again) = await one.AnnounceAsync(new CrashAnnouncement { Id = id }, HttpStatusCode.OK);
        Assert.Equal(path, again);
    }

    [Fact]
    public async Task A_revoked_host_is_refused_at_once_and_its_body_is_cut()
    {
        using UploadLab lab = new();
        using UploadClient client = lab.Connect();
        (_, string path) = await client.AnnounceAsync();
        await client.CreateAsync(path);
        await using SslStream raw = await client.RawAsync();
        await raw.WriteAsync(System.Text.Encoding.ASCII.GetBytes(
            $"PATCH {path}/vmcore HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: 1000000\r\n\r\n"), Cancel);
        await raw.WriteAsync(new byte[1000], Cancel);
        string file = Path.Combine(lab.Crash, "vmcore-incomplete");
        lab.Server.WaitFor(() => new FileInfo(file).Length == 1000);
        lab.Enrol();
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        byte[] answer = new byte[4096];
        int length = await raw.ReadAsync(answer, Cancel);
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.StartsWith("HTTP/1.1 403 ", System.Text.Encoding.ASCII.GetString(answer, 0, length), StringComparison.Ordinal);
        Assert.Equal(1, lab.Server.Log.Count(368));
        using (HttpResponseMessage head = await client.SendAsync(HttpMethod.Head, $"{path}/vmcore"))
            Assert.Equal(HttpStatusCode.Forbidden, head.StatusCode);
        Assert.Equal(1000, new FileInfo(file).Length); // what came stays
    }

    [Fact]
    public async Task Nothing_but_tls_13_with_a_p256_certificate_passes_the_handshake()
    {
        using UploadLab lab = new();
        using UploadClient host = lab.Connect();
        async Task<bool> PassesAsync(SslClientAuthenticationOptions tls)
        {
            using TcpClient tcp = new();
            await tcp.ConnectAsync(lab.Server.Server.SecureEndPoint!, Cancel);
            await using SslStream stream = new(tcp.GetStream());
            try
            {
                await stream.AuthenticateAsClientAsync(tls, Cancel);
                await stream.WriteAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), Cancel);
                return await stream.ReadAsync(new byte[100], Cancel) > 0;
            }
            catch (Exception e) when (e is IOException or AuthenticationException)
            {
                return false;
            }
        }

        Assert.True(await PassesAsync(host.Tls));
        SslClientAuthenticationOptions old = host.Tls;
        old.EnabledSslProtocols = SslProtocols.Tls12;
        Assert.False(await PassesAsync(old));
        SslClientAuthenticationOptions bare = host.Tls;
        bare.LocalCertificateSelectionCallback = null;
        Assert.False(await PassesAsync(bare));
        using ECDsa p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using X509Certificate2 other = new CertificateRequest("CN=x", p384, HashAlgorithmName.SHA384).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue.AddDays(-1));
        SslClientAuthenticationOptions wrong = host.Tls;
        wrong.LocalCertificateSelectionCallback = (_, _, _, _, _) => other;
        Assert.False(await PassesAsync(wrong));
        lab.Server.WaitFor(() => lab.Refused("handshake") == 3);

        // Dates mean nothing: the clock of a capture kernel may be wrong.
        using X509Certificate2 expired = new CertificateRequest("CN=x", lab.Host, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1));
        using UploadClient late = lab.Connect(expired);
        Assert.Equal("web1.example", (await late.Http.GetFromJsonAsync(UploadPaths.Host, UploadJson.Default.HostStanding, Cancel))!.Name);
    }
}
