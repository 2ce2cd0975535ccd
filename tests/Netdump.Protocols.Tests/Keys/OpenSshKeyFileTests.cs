using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Netdump.Protocols.Keys;

namespace Netdump.Protocols.Tests.Keys;

public sealed class OpenSshKeyFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-key-file").FullName;

    [Fact]
    public void WhatIsWrittenIsReadAsTheSameKey() => Gen.String[0, 300].Sample(comment =>
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] text = new byte[4096];
        int length = OpenSshKeyFile.Write(key, comment, text);
        Assert.True(OpenSshKeyFile.TryRead(text.AsSpan(0, length), out ECDsa? read));
        using (read)
            Assert.Equal(key.ExportPkcs8PrivateKey(), read.ExportPkcs8PrivateKey());
        Assert.Throws<ArgumentException>(() => OpenSshKeyFile.Write(key, comment, new byte[length - 1]));
    }, iter: 300);

    [Fact]
    public void SshKeygenReadsWhatIsWritten()
    {
        // Numbers with a leading one bit and with leading zero bytes are written in other lengths: small ones come once in 256 keys.
        for (int i = 0; i < 8; i++)
        {
            using ECDsa key = i < 6 ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : OfNumber([i == 6 ? (byte)0x7f : (byte)0x80, .. RandomNumberGenerator.GetBytes(i == 6 ? 30 : 29)]);
            string path = Write(key, "web 17");
            SshPublicKey half = SshPublicKey.Of(key, "web 17");
            Assert.Equal(half.ToString(), Run("ssh-keygen", "-y", "-f", path).TrimEnd());
            File.WriteAllText(path + ".pub", half + "\n");
            Assert.Equal($"256 SHA256:{Convert.ToBase64String(SHA256.HashData(half.ToBlob())).TrimEnd('=')} web 17 (ECDSA)", Run("ssh-keygen", "-l", "-f", path).TrimEnd());
        }
    }

    [Fact]
    public void WhatSshKeygenWritesIsRead()
    {
        for (int i = 0; i < 4; i++)
        {
            string path = Keygen($"own{i}", "ecdsa", "");
            Assert.True(OpenSshKeyFile.TryRead(File.ReadAllBytes(path), out ECDsa? key));
            using (key)
            {
                Assert.True(SshPublicKey.TryParse(File.ReadAllText(path + ".pub"), out SshPublicKey? half));
                Assert.Equal(half.Fingerprint, KeyFingerprint.Of(key));
                using ECDsa other = half.Open();
                Assert.True(other.VerifyData("x"u8, key.SignData("x"u8, HashAlgorithmName.SHA256), HashAlgorithmName.SHA256));
            }
            byte[] crlf = Encoding.ASCII.GetBytes(File.ReadAllText(path).ReplaceLineEndings("\r\n"));
            Assert.True(OpenSshKeyFile.TryRead(crlf, out key));
            key.Dispose();
        }
    }

    [Fact]
    public void AKeyThatIsNotTakenIsExplained()
    {
        Assert.Contains("passphrase", Explain(File.ReadAllBytes(Keygen("locked", "ecdsa", "secret"))), StringComparison.Ordinal);
        Assert.Contains("another kind", Explain(File.ReadAllBytes(Keygen("edwards", "ed25519", ""))), StringComparison.Ordinal);
        Assert.Contains("another kind", Explain(File.ReadAllBytes(Keygen("locked-edwards", "ed25519", "secret"))), StringComparison.Ordinal);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.Contains("no private key file", Explain(Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem())), StringComparison.Ordinal);
        Assert.Contains("no private key file", Explain([]), StringComparison.Ordinal);
        Assert.Contains("no private key file", Explain(new byte[OpenSshKeyFile.LongestFile + 1]), StringComparison.Ordinal);
        byte[] text = File.ReadAllBytes(Write(key, ""));
        Assert.Equal("is a key", OpenSshKeyFile.Explain(text));
        Assert.Contains("damaged", Explain(Pem(Blob(text)[..^8])), StringComparison.Ordinal);
        using var wide = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Throws<ArgumentException>(() => OpenSshKeyFile.Write(wide, "", new byte[4096]));
    }

    [Fact]
    public void HalvesThatDoNotBelongTogetherAreNoKey()
    {
        using var one = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] blob = Blob(File.ReadAllBytes(Write(one, "")));
        byte[] ours = SshPublicKey.Of(one, "").ToBlob(), theirs = SshPublicKey.Of(other, "").ToBlob();
        for (int at = 0; blob.AsSpan(at).IndexOf(ours) is >= 0 and int next; at += next + ours.Length) theirs.CopyTo(blob.AsSpan(at + next));
        Assert.False(OpenSshKeyFile.TryRead(Pem(blob), out _));
    }

    [Fact]
    public void AnyChangeOfAByteIsNoticedOrKeepsTheKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] blob = Blob(File.ReadAllBytes(Write(key, "host")));
        KeyFingerprint fingerprint = KeyFingerprint.Of(key);
        Gen.Select(Gen.Int[0, blob.Length - 1], Gen.Byte, Gen.Int[0, blob.Length]).Sample((at, value, length) =>
        {
            byte[] changed = (byte[])blob.Clone();
            changed[at] = value;
            if (OpenSshKeyFile.TryRead(Pem(changed), out ECDsa? read)) Assert.Equal(fingerprint, KeyFingerprint.Of(read));
            read?.Dispose();
            Assert.True(length == blob.Length || !OpenSshKeyFile.TryRead(Pem(blob[..length]), out _));
        }, iter: 3000);
    }

    [Fact]
    public void GarbageIsNoKey()
    {
        Gen.Byte.Array[0, 600].Sample(bytes =>
        {
            Assert.False(OpenSshKeyFile.TryRead(bytes, out _));
            Assert.False(OpenSshKeyFile.TryRead(Pem(bytes), out _));
            Assert.False(OpenSshKeyFile.TryRead(Pem([.. "openssh-key-v1\0"u8, .. bytes]), out _));
        });
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static string Explain(byte[] text)
    {
        Assert.False(OpenSshKeyFile.TryRead(text, out _));
        return OpenSshKeyFile.Explain(text);
    }

    private static ECDsa OfNumber(byte[] number)
    {
        byte[] d = new byte[32];
        number.CopyTo(d, d.Length - number.Length);
        return ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d });
    }

    private static byte[] Blob(byte[] text)
    {
        string pem = Encoding.ASCII.GetString(text);
        return Convert.FromBase64String(pem[PemEncoding.Find(pem).Base64Data]);
    }

    private static byte[] Pem(byte[] blob) => Encoding.ASCII.GetBytes(PemEncoding.Write("OPENSSH PRIVATE KEY", blob));

    private string Write(ECDsa key, string comment)
    {
        byte[] text = new byte[4096];
        string path = Path.Combine(_directory, Guid.NewGuid().ToString("N"));
        using FileStream file = new(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        file.Write(text.AsSpan(0, OpenSshKeyFile.Write(key, comment, text)));
        return path;
    }

    private string Keygen(string name, string type, string passphrase)
    {
        string path = Path.Combine(_directory, name);
        Run("ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "web 17", "-f", path);
        return path;
    }

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {errors.Result}");
        return output;
    }
}
