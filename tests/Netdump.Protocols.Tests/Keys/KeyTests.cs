using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CsCheck;
using Netdump.Protocols.Keys;

namespace Netdump.Protocols.Tests.Keys;

public sealed class KeyTests
{
    [Fact]
    public void OpenSshAndOpenSslAgreeOnAKey()
    {
        string directory = Directory.CreateTempSubdirectory("netdump-key").FullName;
        try
        {
            string path = Path.Combine(directory, "k");
            Run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "256", "-N", "", "-C", "web 17", "-f", path);
            string line = File.ReadAllText(path + ".pub").TrimEnd();
            Assert.True(SshPublicKey.TryParse(line, out SshPublicKey? key));
            Assert.Equal("web 17", key.Comment);
            Assert.Equal(line, key.ToString());
            string pem = Run("ssh-keygen", "-e", "-m", "PKCS8", "-f", path + ".pub");
            using var other = ECDsa.Create();
            other.ImportFromPem(pem);
            Assert.Equal(other.ExportSubjectPublicKeyInfo(), key.SubjectPublicKeyInfo());
            // What curl's --pinnedpubkey takes: sha256 over the DER of the public key.
            byte[] der = PemEncoding.TryFind(pem, out PemFields fields) ? Convert.FromBase64String(pem[fields.Base64Data]) : [];
            Assert.Equal("SHA256:" + Convert.ToBase64String(SHA256.HashData(der)), key.Fingerprint.ToString());
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void AFingerprintIsReadAsItIsWritten() => Gen.Byte.Array[KeyFingerprint.Size].Sample(bytes =>
    {
        Assert.True(KeyFingerprint.TryFromBytes(bytes, out KeyFingerprint one));
        string text = one.ToString();
        Assert.True(KeyFingerprint.TryParse(text, out KeyFingerprint again) && again == one);
        Assert.True(KeyFingerprint.TryParse(text.TrimEnd('='), out again) && again == one);
        Assert.True(KeyFingerprint.TryParse(string.Concat("sha256//", text.AsSpan("SHA256:".Length)), out again) && again == one);
        Assert.False(KeyFingerprint.TryParse(text.AsSpan(1), out _));
        Assert.False(KeyFingerprint.TryParse(text + "A", out _));
    });

    [Fact]
    public void GarbageIsNoKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        string line = SshPublicKey.Of(key, "h").ToString();
        Gen.Select(Gen.Int[0, line.Length - 1], Gen.Char[' ', '~']).Sample((at, c) =>
        {
            string changed = line[..at] + c + line[(at + 1)..];
            if (SshPublicKey.TryParse(changed, out SshPublicKey? read)) Assert.Equal(changed.Trim(), read.ToString().Trim());
        });
        Gen.String.Sample(text => Assert.False(SshPublicKey.TryParse(text, out _)));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Throws<ArgumentException>(() => SshPublicKey.Of(other, ""));
        // A point beside the curve: x and y both 1.
        byte[] point = new byte[SshPublicKey.PointSize];
        point[0] = 4;
        point[32] = point[64] = 1;
        byte[] info = key.ExportSubjectPublicKeyInfo();
        point.CopyTo(info.AsSpan(info.Length - point.Length));
        Assert.False(SshPublicKey.TryFromSubjectPublicKeyInfo(info, "", out _));
    }

    [Fact]
    public void ALeafNamesItsBootAndItsIssuer()
    {
        using var host = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var leaf = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Guid boot = Guid.NewGuid();
        using X509Certificate2 made = HostCertificate.MakeLeaf(leaf, host, boot);
        Assert.True(HostCertificate.TryRead(made.RawData, out HostCertificate? read));
        Assert.Equal(boot, read.BootId);
        Assert.Equal(KeyFingerprint.Of(leaf), read.Key.Fingerprint);
        Assert.True(read.IsSignedBy(SshPublicKey.Of(host, "h")));
        Assert.False(read.IsSignedBy(SshPublicKey.Of(stranger, "h")));

        // One that names the host as its issuer and was signed by somebody else.
        using X509Certificate2 forged = HostCertificate.MakeLeaf(leaf, stranger, boot);
        byte[] wanted = new byte[KeyFingerprint.Size], theirs = new byte[KeyFingerprint.Size];
        KeyFingerprint.Of(host).CopyTo(wanted);
        KeyFingerprint.Of(stranger).CopyTo(theirs);
        byte[] raw = forged.RawData;
        wanted.CopyTo(raw.AsSpan(raw.AsSpan().IndexOf(theirs)));
        Assert.True(HostCertificate.TryRead(raw, out HostCertificate? lie));
        Assert.Equal(KeyFingerprint.Of(host), lie.Issuer);
        Assert.False(lie.IsSignedBy(SshPublicKey.Of(host, "h")));

        using X509Certificate2 own = HostCertificate.OfOwnKey(host, "h");
        Assert.True(HostCertificate.TryRead(own.RawData, out HostCertificate? self));
        Assert.Equal((KeyFingerprint.Of(host), null, null), (self.Key.Fingerprint, self.Issuer, self.BootId));
        Assert.Equal(new DateTime(9999, 12, 31), own.NotAfter.ToUniversalTime().Date);
    }

    [Fact]
    public void ACertificateOfAnyBytesIsReadOrRefused()
    {
        using var host = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var leaf = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 made = HostCertificate.MakeLeaf(leaf, host, Guid.NewGuid());
        byte[] raw = made.RawData;
        SshPublicKey key = SshPublicKey.Of(host, "");
        Gen.Select(Gen.Int[0, raw.Length - 1], Gen.Byte[1, 255], Gen.Int[0, raw.Length]).Sample((at, change, cut) =>
        {
            byte[] bytes = [.. raw];
            bytes[at] ^= change;
            // What is signed is all but the outer frame and the signature's own encoding: a change is never taken for genuine.
            if (HostCertificate.TryRead(bytes, out HostCertificate? read) && read.Issuer is not null && at is > 8 && at < raw.Length - 90) Assert.False(read.IsSignedBy(key));
            HostCertificate.TryRead(raw.AsMemory(0, cut), out _);
        });
        Gen.Byte.Array.Sample(bytes => { HostCertificate.TryRead(bytes, out _); });
    }

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
