using System.Diagnostics.CodeAnalysis;
using System.Text;
using CsCheck;
using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;

namespace Netdump.Server.Tests.Enrolment;

public sealed class AuthorizedLineTests
{
    private static readonly SshPublicKey Key = ScratchStore.NewKey("web-17");

    private static bool IsEnrolment(string line) => TryRead(Encoding.Latin1.GetBytes(line), out _);

    private static bool TryRead(byte[] line, [NotNullWhen(true)] out EnrolledHost? host)
    {
        AuthorizedLine.Read(line, out SshPublicKey? key, out host);
        Assert.True(host is null || key == host.Key);
        return host is not null;
    }

    [Theory]
    [InlineData("restrict,command=\"netdump-server gate\"")]
    [InlineData("RESTRICT,Command=\"netdump-server gate\"")]
    [InlineData("command=\"netdump-server gate\",restrict")]
    [InlineData("restrict,no-pty,command=\"/usr/local/bin/netdump-server gate --store /srv/crash\",no-port-forwarding")]
    [InlineData("  \trestrict,command=\"'/opt/a b/netdump-server' gate --store '/srv/it'\\''s'\"")]
    [InlineData("restrict,command=\"'/opt/\\\"b\\\"/netdump-server' gate\"")]
    public void OurLinesAreEnrolments(string options) => Assert.True(IsEnrolment($"{options} {Key}"));

    [Theory]
    [InlineData("")]
    [InlineData("restrict")]
    [InlineData("command=\"netdump-server gate\"")]
    [InlineData("restrict,command=\"netdump-server gate")]
    [InlineData("restrict,command=netdump-server gate")]
    [InlineData("restrict,command=\"netdump-server gatekeeper\"")]
    [InlineData("restrict,command=\"netdump-server enrol -\"")]
    [InlineData("restrict,command=\"my-netdump-server gate\"")]
    [InlineData("restrict,command=\"netdump-server gate; sh\"")]
    [InlineData("restrict,command=\"$X netdump-server gate\"")]
    [InlineData("restrict,command=\"echo netdump-server gate\"")]
    [InlineData("restrict,command=\"netdump-server gate\",command=\"sh\"")]
    [InlineData("restrict,command=\"netdump-server gate\",")]
    [InlineData(",restrict,command=\"netdump-server gate\"")]
    [InlineData("restrict,command=\"netdump-server gate\"x")]
    [InlineData("restrict,pty,command=\"netdump-server gate\"")]
    [InlineData("restrict,from=\"10.0.0.1\",command=\"netdump-server gate\"")]
    [InlineData("restrict,expiry-time=\"20200101\",command=\"netdump-server gate\"")]
    [InlineData("cert-authority,restrict,command=\"netdump-server gate\"")]
    [InlineData("#restrict,command=\"netdump-server gate\"")]
    public void OtherLinesAreNot(string options) => Assert.False(IsEnrolment($"{options} {Key}"));

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("-x")]
    [InlineData("a b")]
    [InlineData("../x")]
    [InlineData("a/b")]
    [InlineData("ä")]
    [InlineData("root@web")]
    public void NamesThatAreNoneEnrolNobody(string name) => Assert.False(IsEnrolment($"restrict,command=\"netdump-server gate\" {ScratchStore.NewKey(name)}"));

    [Fact]
    public void LongestNameIsTaken()
    {
        Assert.True(HostName.IsValid(new string('a', 253)));
        Assert.False(HostName.IsValid(new string('a', 254)));
    }

    [Fact]
    public void NulMakesALineUnreadable() => Assert.False(IsEnrolment($"restrict,command=\"netdump-server gate\" {Key}\0"));

    [Fact]
    public void WhatIsWrittenIsRead() => Gen.String[Gen.Char[' ', '~'], 0, 40].Sample(directory =>
    {
        string command = $"{ShellWords.Quote("/opt/netdump-server")} gate --store {ShellWords.Quote(directory)}";
        Assert.True(TryRead(Encoding.Latin1.GetBytes(AuthorizedLine.Write(command, Key)), out EnrolledHost? host));
        Assert.Equal(Key.Fingerprint, host.Key.Fingerprint);
        Assert.Equal("web-17", host.Name);
        Assert.True(ShellWords.TrySplit(command, out List<string>? words));
        Assert.Equal(["/opt/netdump-server", "gate", "--store", directory], words);
    });

    [Fact]
    public void AnyBytesAreRead() => Gen.Byte.Array[0, 400].Sample(bytes =>
    {
        Assert.False(TryRead(bytes, out _));
    });

    [Fact]
    public void ChangedLinesAreReadAndNeverEnrolAnotherKeyOrName()
    {
        byte[] line = Encoding.ASCII.GetBytes(ScratchStore.Line(Key));
        Gen.Select(Gen.Int[0, line.Length - 1], Gen.Byte, Gen.Int[0, 2]).Array[1, 4].Sample(changes =>
        {
            List<byte> changed = [.. line];
            foreach ((int at, byte value, int kind) in changes)
            {
                if (at >= changed.Count) continue;
                if (kind == 0) changed[at] = value;
                else if (kind == 1) changed.Insert(at, value);
                else changed.RemoveAt(at);
            }

            if (TryRead([.. changed], out EnrolledHost? host)) Assert.True(HostName.IsValid(host.Name));
        });
    }

    [Fact]
    public void PrefixOfOptionsIsNeverEnough()
    {
        // Every proper prefix of the options, with the key behind it: none is an enrolment.
        const string options = "restrict,command=\"netdump-server gate\"";
        for (int length = 0; length < options.Length; length++) Assert.False(IsEnrolment($"{options[..length]} {Key}"), options[..length]);
    }
}
