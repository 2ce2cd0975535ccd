using System.Security.Cryptography;
using CsCheck;
using Netdump.Client.Configuration;
using Netdump.Client.Tests.Host;
using Netdump.Client.Trust;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Tests.Trust;

public sealed class KnownServersTests : IDisposable
{
    private readonly FakeHost _host = new();

    private static KeyFingerprint Key(byte seed) => KeyFingerprint.Of(SHA256.HashData([seed]));

    private KnownServers Load(string text)
    {
        _host.Write(KnownServers.FilePath, text);
        return KnownServers.Load(_host.Files);
    }

    [Fact]
    public void Lines_are_read_as_an_administrator_writes_them()
    {
        KnownServers known = Load($"# the rack\n\ndump.example {Key(1)} 2026-10-02 # since the move\n10.0.0.2:7000\t{Key(2)}\n[fd00::1]:6667 {Key(3)}\nfd00::2 {Key(4)}\nDUMP.example {Key(5)}\n");
        Assert.Equal((Key(5), null), (known.Find("dump.example", 6667)!.Key, known.Find("dump.example", 6667)!.Since));
        Assert.Equal(Key(2), known.Find("10.0.0.2", 7000)?.Key);
        Assert.Null(known.Find("10.0.0.2", 6667));
        Assert.Equal((Key(3), Key(4)), (known.Find("fd00::1", 6667)!.Key, known.Find("fd00::2", 6667)!.Key));
        Assert.Null(KnownServers.Load(new Netdump.Client.Host.HostFiles("/nowhere")).Find("x", 6667));
    }

    [Fact]
    public void A_pin_replaces_its_servers_own_line_and_no_other()
    {
        KnownServers known = Load($"# the rack\na {Key(1)} 2026-10-02\nb {Key(2)}\n");
        known.Pin(_host.Files, new(new Endpoint("a", 6667), Key(1), new DateOnly(2026, 11, 1)));
        Assert.Equal($"# the rack\na {Key(1)} 2026-10-02\nb {Key(2)}\n", File.ReadAllText(_host.Root + KnownServers.FilePath)); // the same key: nothing changed
        known.Pin(_host.Files, new(new Endpoint("a", 6667), Key(3), new DateOnly(2026, 11, 1)));
        known.Pin(_host.Files, new(new Endpoint("fd00::1", 7000), Key(4), null));
        Assert.Equal($"# the rack\nb {Key(2)}\na:6667 {Key(3)} 2026-11-01\n[fd00::1]:7000 {Key(4)}\n", File.ReadAllText(_host.Root + KnownServers.FilePath));
        KnownServers again = KnownServers.Load(_host.Files);
        Assert.Equal((Key(3), Key(2), Key(4)), (again.Find("a", 6667)!.Key, again.Find("b", 6667)!.Key, again.Find("fd00::1", 7000)!.Key));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("a SHA256:AAAA")]
    [InlineData("a MD5:00")]
    [InlineData("a:b:c SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("a SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= yesterday")]
    [InlineData("a SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 2026-01-01 more")]
    public void A_line_that_is_none_is_an_error_with_its_number(string line) =>
        Assert.StartsWith($"{KnownServers.FilePath}:2: ", Assert.Throws<ClientException>(() => Load($"\n{line}\n")).Message);

    [Fact]
    public void Any_text_is_read_or_refused() => Gen.String.Sample(text =>
    {
        try
        {
            Load(text);
        }
        catch (ClientException)
        {
            // told
        }
    }, iter: 200, threads: 1);

    public void Dispose() => _host.Dispose();
}
