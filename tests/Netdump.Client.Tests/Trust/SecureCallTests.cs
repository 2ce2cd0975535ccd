using System.Net;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Netdump.Client.Configuration;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Tests.Trust;

public sealed class SecureCallTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    private SecureAnswer Ask(TlsServer server, KeyFingerprint? pin = null, TimeSpan? limit = null) =>
        SecureCall.Ask(new IPEndPoint(IPAddress.Loopback, server.Port), pin ?? server.Key, _key, "POST", "/upload/v1/enrol", "{}"u8.ToArray(), limit ?? Limit);

    [Fact]
    public void The_server_sees_our_key_and_we_its_answer()
    {
        string asked = "";
        using var server = new TlsServer(request =>
        {
            asked = request;
            return "HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\n\r\n{\"a\":1}"u8.ToArray();
        });
        SecureAnswer answer = Ask(server);
        Assert.Equal((409, "{\"a\":1}"), (answer.Status, Encoding.UTF8.GetString(answer.Body)));
        Assert.StartsWith("POST /upload/v1/enrol HTTP/1.0\r\n", asked);
        Assert.Equal(KeyFingerprint.Of(_key), server.Client);
    }

    [Fact]
    public void A_server_with_another_key_gets_nothing_and_both_fingerprints_are_told()
    {
        bool asked = false;
        using var server = new TlsServer(_ =>
        {
            asked = true;
            return [];
        });
        OtherKeyException e = Assert.Throws<OtherKeyException>(() => Ask(server, KeyFingerprint.Of(_key)));
        Assert.Equal(server.Key, e.Shown);
        Assert.False(asked);
    }

    [Fact]
    public void Answers_that_are_none_end_within_the_limit()
    {
        foreach (byte[] answer in new[] { [], "nonsense"u8.ToArray(), "HTTP/1.1 2x0 OK\r\n\r\n"u8.ToArray(), new byte[1 << 20] })
        {
            using var server = new TlsServer(_ => answer);
            Assert.Throws<IOException>(() => Ask(server));
        }
        using var silent = new TlsServer(_ =>
        {
            Task.Delay(TimeSpan.FromSeconds(30)).Wait();
            return [];
        });
        Assert.Contains("no answer within 0.3 s", Assert.Throws<IOException>(() => Ask(silent, limit: TimeSpan.FromSeconds(0.3))).Message);
    }

    [Fact]
    public void Nobody_there_is_said_so()
    {
        int port;
        KeyFingerprint key;
        using (var server = new TlsServer(_ => [])) (port, key) = (server.Port, server.Key);
        Assert.Equal("nothing listens there", Assert.Throws<IOException>(() => SecureCall.Ask(new IPEndPoint(IPAddress.Loopback, port), key, _key, "GET", "/", default, Limit)).Message);
    }

    [Fact]
    public void Any_bytes_are_an_answer_or_an_IOException() => Gen.Byte.Array[0, 60].Sample(bytes =>
    {
        try
        {
            SecureCall.Read([.. "HTTP/1."u8, .. bytes]);
            SecureCall.Read(bytes);
        }
        catch (IOException)
        {
            // told
        }
    });

    [Theory]
    [InlineData("bad-token", "make a new one there")]
    [InlineData("name-taken", "choose another name (--name)")]
    [InlineData("key-taken", "enrolled under another name")]
    public void A_token_that_is_refused_says_what_to_do(string code, string remedy)
    {
        using var server = new TlsServer(_ => Encoding.ASCII.GetBytes($"HTTP/1.1 403 Forbidden\r\n\r\n{{\"type\":\"urn:netdump:{code}\",\"title\":\"no\\u001b[1m\",\"status\":403}}"));
        Assert.True(EnrolmentToken.TryParse($"abc@{server.Key}", out EnrolmentToken? token));
        ClientException e = Assert.Throws<ClientException>(() => token.Enrol(new Endpoint("127.0.0.1", server.Port), _key, "web-17"));
        Assert.Contains(remedy, e.Message);
        Assert.DoesNotContain('\e', e.Message);
        Assert.True(EnrolmentToken.TryParse($"abc@{KeyFingerprint.Of(_key)}", out EnrolmentToken? strange));
        Assert.Contains("is not the server that made this token", Assert.Throws<ClientException>(() => strange.Enrol(new Endpoint("127.0.0.1", server.Port), _key, "web-17")).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("abc")]
    [InlineData("@SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("abc@SHA256:AAAA")]
    public void What_is_no_token_is_refused(string text) => Assert.False(EnrolmentToken.TryParse(text, out _));

    public void Dispose() => _key.Dispose();
}
