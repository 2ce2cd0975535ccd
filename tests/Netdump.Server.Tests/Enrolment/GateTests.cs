using System.Net;
using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Enrolment;

public sealed class GateTests : IDisposable
{
    private const string Connection = "10.0.0.7 40000 10.0.0.1 22";
    private readonly ScratchStore _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string Ask(string? command, string? connection = Connection, string? authentication = null) =>
        new Gate(_scratch.Store, TimeProvider.System).Answer(command, connection, authentication);

    [Fact]
    public void AnswersTheFingerprint()
    {
        string answer = Ask("fingerprint");
        using ServerIdentity identity = ServerIdentity.Load(_scratch.Store);
        Assert.Equal(identity.Fingerprint.ToString(), answer);
    }

    [Theory]
    [InlineData("10.0.0.7 40000 10.0.0.1 22", "10.0.0.7")]
    [InlineData("::ffff:10.0.0.7 40000 ::1 22", "10.0.0.7")]
    [InlineData("fd00::7 40000 fd00::1 22", "fd00__7")]
    [InlineData("fe80::7%1 40000 fe80::1%1 22", "fe80__7")]
    public void KeepsTheMagicOfThePeer(string connection, string name)
    {
        Ask("magic 0123456789abcdef", connection);
        Ask("magic FEDCBA9876543210", connection);
        string path = _scratch.At("magic", name);
        Assert.Equal("fedcba9876543210\n", File.ReadAllText(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Single(Directory.GetFileSystemEntries(_scratch.At("magic")));
        IPAddress address = IPAddress.Parse(connection.Split(' ')[0]);
        Assert.Equal(MagicVerdict.Accepted, new MagicFiles(_scratch.Store).Check(address, 0xfedcba9876543210, SecurePolicy.Always, out _));
        Assert.Equal(MagicVerdict.Mismatch, new MagicFiles(_scratch.Store).Check(address, 1, SecurePolicy.Auto, out _));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("id")]
    [InlineData("sh")]
    [InlineData("scp -t /tmp")]
    [InlineData("/usr/lib/openssh/sftp-server")]
    [InlineData("fingerprint; id")]
    [InlineData(" fingerprint")]
    [InlineData("netdump-server fingerprint")]
    [InlineData("magic")]
    [InlineData("magic ")]
    [InlineData("magic 0123456789abcde")]
    [InlineData("magic 0123456789abcdef0")]
    [InlineData("magic  0123456789abcdef")]
    [InlineData("magic 0123456789abcdef ")]
    [InlineData("magic 0123456789abcdefg")]
    [InlineData("magic 0123456789abcdef; id")]
    [InlineData("magic -123456789abcdef")]
    [InlineData("magic 0x23456789abcdef")]
    public void RefusesTheRest(string? command)
    {
        GateException refusal = Assert.Throws<GateException>(() => Ask(command));
        Assert.DoesNotContain('\n', refusal.Message);
        Assert.False(Directory.Exists(_scratch.At("magic")));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("UNKNOWN 65535 UNKNOWN 65535")]
    [InlineData("../x 1 2 3")]
    public void MagicNeedsAnAddress(string? connection) =>
        Assert.Throws<GateException>(() => Ask("magic 0123456789abcdef", connection));

    [Fact]
    public void KeyThatWasRevokedOpensNothingMore()
    {
        SshPublicKey key = ScratchStore.NewKey("web-17");
        string authentication = _scratch.Beside("auth");
        File.WriteAllText(authentication, $"publickey {key.Named("")}\n");
        Assert.Throws<GateException>(() => Ask("fingerprint", authentication: authentication));
        _scratch.WriteKeys(ScratchStore.Line(key));
        Ask("fingerprint", authentication: authentication);
        _scratch.WriteKeys("");
        Assert.Throws<GateException>(() => Ask("fingerprint", authentication: authentication));
        Assert.Throws<GateException>(() => Ask("fingerprint", authentication: _scratch.Beside("missing")));
    }

    [Fact]
    public void MagicFilesAreBounded()
    {
        MagicFiles magics = new(_scratch.Store) { MaximumFiles = 3 };
        for (byte i = 0; i < 3; i++) magics.Deposit(new IPAddress([10, 0, 0, i]), i);
        Assert.Contains("holds 3 files", Assert.Throws<StoreException>(() => magics.Deposit(IPAddress.Loopback, 1)).Message);
        magics.Deposit(new IPAddress([10, 0, 0, 0]), 9);
    }

    [Fact]
    public void MagicDoesNotFollowLinks()
    {
        string elsewhere = Directory.CreateDirectory(_scratch.Beside("elsewhere")).FullName;
        Directory.CreateDirectory(_scratch.Path);
        Directory.CreateSymbolicLink(_scratch.At("magic"), elsewhere);
        Assert.Throws<StoreException>(() => Ask("magic 0123456789abcdef"));
        Assert.Empty(Directory.GetFileSystemEntries(elsewhere));
        // A link in place of the file is replaced, not written through.
        Directory.Delete(_scratch.At("magic"));
        Directory.CreateDirectory(_scratch.At("magic"));
        File.WriteAllText(Path.Combine(elsewhere, "target"), "untouched");
        File.CreateSymbolicLink(_scratch.At("magic", "10.0.0.7"), Path.Combine(elsewhere, "target"));
        Ask("magic 0123456789abcdef");
        Assert.Equal("untouched", File.ReadAllText(Path.Combine(elsewhere, "target")));
        Assert.Null(new FileInfo(_scratch.At("magic", "10.0.0.7")).LinkTarget);
    }

    [Theory]
    [InlineData("/var/crash", "/usr/bin/netdump-server", "netdump-server gate")]
    [InlineData("/var/crash/", "/usr/local/bin/netdump-server", "netdump-server gate")]
    [InlineData("/srv/crash", "/usr/bin/netdump-server", "netdump-server gate --store /srv/crash")]
    [InlineData("/srv/it's", "/opt/a b/netdump-server", "'/opt/a b/netdump-server' gate --store '/srv/it'\\''s'")]
    [InlineData("/var/crash", "/usr/sbin/netdump-server", "/usr/sbin/netdump-server gate")]
    public void ForcedCommandNamesWhatTheGateDoesNotKnow(string store, string program, string command) =>
        Assert.Equal(command, ForcedCommand.For(new CrashStore(store, TimeProvider.System), "/var/crash", program));

    [Fact]
    public void ForcedCommandIsOneLine() =>
        Assert.Throws<StoreException>(() => ForcedCommand.For(new CrashStore("/srv/a\nb", TimeProvider.System), null, "/usr/bin/netdump-server"));
}
