using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Enrolment;

public sealed class ServerIdentityTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly ScratchStore _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string KeyPath => _scratch.At("server", "key.pem");

    private string CertificatePath => _scratch.At("server", "certificate.pem");

    [Fact]
    public void IsMadeOnceAndKept()
    {
        KeyFingerprint first;
        using (ServerIdentity made = ServerIdentity.Load(_scratch.Store)) first = made.Fingerprint;
        string certificate = File.ReadAllText(CertificatePath);
        using ServerIdentity again = ServerIdentity.Load(_scratch.Store);
        Assert.Equal(first, again.Fingerprint);
        Assert.Equal(certificate, File.ReadAllText(CertificatePath));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(KeyPath));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(CertificatePath));
        Assert.Equal(OwnerOnly | UnixFileMode.UserExecute, File.GetUnixFileMode(_scratch.At("server")));
        Assert.Equal(["certificate.pem", "key.pem"], Directory.GetFiles(_scratch.At("server")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void CertificateHoldsThePinnedKeyAndItsPrivateHalf()
    {
        using ServerIdentity identity = ServerIdentity.Load(_scratch.Store);
        Assert.Equal(identity.Fingerprint, KeyFingerprint.Of(identity.Certificate.PublicKey.ExportSubjectPublicKeyInfo()));
        using ECDsa key = identity.Certificate.GetECDsaPrivateKey()!;
        byte[] text = [1, 2, 3];
        byte[] signature = key.SignData(text, HashAlgorithmName.SHA256);
        using ECDsa known = identity.Certificate.GetECDsaPublicKey()!;
        Assert.True(known.VerifyData(text, signature, HashAlgorithmName.SHA256));
        Assert.Equal(256, key.KeySize);
    }

    [Fact]
    public async Task ThoseWhoStartAtOnceHaveOneKey()
    {
        for (int round = 0; round < 20; round++)
        {
            using ScratchStore scratch = new();
            using Barrier barrier = new(4);
            KeyFingerprint[] found = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() =>
            {
                barrier.SignalAndWait();
                using ServerIdentity identity = ServerIdentity.Load(new CrashStore(scratch.Path, TimeProvider.System));
                return identity.Fingerprint;
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            Assert.Single(found.Distinct());
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("no key at all\n")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqG\n-----END PRIVATE KEY-----\n")]
    public void DamagedKeyIsNeverOverwritten(string text)
    {
        ServerIdentity.Load(_scratch.Store).Dispose();
        File.WriteAllText(KeyPath, text);
        StoreException e = Assert.Throws<StoreException>(() => ServerIdentity.Load(_scratch.Store));
        Assert.Contains($"{KeyPath} is damaged", e.Message);
        Assert.DoesNotContain('\n', e.Message);
        Assert.Equal(text, File.ReadAllText(KeyPath));
    }

    [Fact]
    public void KeysOfOtherKindsAreNoIdentity()
    {
        ServerIdentity.Load(_scratch.Store).Dispose();
        using var wide = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var right = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var rsa = RSA.Create(2048);
        foreach (string pem in new[] { wide.ExportPkcs8PrivateKeyPem(), rsa.ExportPkcs8PrivateKeyPem(), right.ExportSubjectPublicKeyInfoPem() })
        {
            File.WriteAllText(KeyPath, pem);
            Assert.Contains("is damaged", Assert.Throws<StoreException>(() => ServerIdentity.Load(_scratch.Store)).Message);
        }
    }

    [Fact]
    public void KeyThatOthersCanReadIsRefused()
    {
        ServerIdentity.Load(_scratch.Store).Dispose();
        File.SetUnixFileMode(KeyPath, OwnerOnly | UnixFileMode.GroupRead);
        Assert.Contains("is open to others (mode 640)", Assert.Throws<StoreException>(() => ServerIdentity.Load(_scratch.Store)).Message);
    }

    [Fact]
    public void CertificateIsMadeAnewWhenItIsNotTheKeys()
    {
        KeyFingerprint first;
        using (ServerIdentity made = ServerIdentity.Load(_scratch.Store)) first = made.Fingerprint;
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 foreign = HostCertificate.OfOwnKey(other, "other");
        foreach (string pem in new[] { "", "rubbish", foreign.ExportCertificatePem() })
        {
            File.WriteAllText(CertificatePath, pem);
            using ServerIdentity identity = ServerIdentity.Load(_scratch.Store);
            Assert.Equal(first, identity.Fingerprint);
            using X509Certificate2 stored = X509CertificateLoader.LoadCertificateFromFile(CertificatePath);
            Assert.Equal(first, KeyFingerprint.Of(stored.PublicKey.ExportSubjectPublicKeyInfo()));
        }
    }

    [Fact]
    public void LinksOutOfTheStoreAreNotFollowed()
    {
        string elsewhere = Directory.CreateDirectory(_scratch.Beside("elsewhere")).FullName;
        Directory.CreateDirectory(_scratch.Path);
        Directory.CreateSymbolicLink(_scratch.At("server"), elsewhere);
        Assert.Contains("is a symbolic link", Assert.Throws<StoreException>(() => ServerIdentity.Load(_scratch.Store)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(elsewhere));

        Directory.Delete(_scratch.At("server"));
        Directory.CreateDirectory(_scratch.At("server"));
        File.CreateSymbolicLink(KeyPath, Path.Combine(elsewhere, "key"));
        Assert.Contains("is a symbolic link", Assert.Throws<StoreException>(() => ServerIdentity.Load(_scratch.Store)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(elsewhere));
    }
}
