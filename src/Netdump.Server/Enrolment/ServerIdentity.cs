using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Netdump.Protocols.Keys;
using Netdump.Server.Store;

namespace Netdump.Server.Enrolment;

/// <summary>
/// The server's TLS key (ECDSA P-256) and its certificate by itself: <c>server/key.pem</c> and <c>server/certificate.pem</c> in the store, made when
/// they are missing. Hosts pin the key, so it is never made anew while its file is there; the certificate carries nothing and may be.
/// </summary>
public sealed class ServerIdentity : IDisposable
{
    internal const string DirectoryName = "server";

    private const string KeyName = "key.pem";
    private const string CertificateName = "certificate.pem";
    private const int LongestFile = 64 * 1024;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private ServerIdentity(X509Certificate2 certificate, KeyFingerprint fingerprint)
    {
        Certificate = certificate;
        Fingerprint = fingerprint;
    }

    /// <summary>The certificate with its private key, for the server's end of TLS.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>What hosts pin.</summary>
    public KeyFingerprint Fingerprint { get; }

    /// <summary>
    /// Loads the identity of a store, or makes it. Two processes may do so at once: they end with the same key.
    /// Throws <see cref="StoreException"/>, one line: no access, or a file that is damaged, which stays as it is.
    /// </summary>
    public static ServerIdentity Load(CrashStore store)
    {
        using StoreFolder root = StoreFolder.OpenRoot(store);
        using StoreFolder folder = root.OpenOrMake(DirectoryName);
        using ECDsa key = LoadKey(folder);
        KeyFingerprint fingerprint = KeyFingerprint.Of(key);
        using X509Certificate2 bare = LoadCertificate(folder, key, fingerprint);
        return new ServerIdentity(bare.CopyWithPrivateKey(key), fingerprint);
    }

    /// <summary>Path of the certificate of a store.</summary>
    public static string CertificatePathOf(CrashStore store) => Path.Combine(store.Root, DirectoryName, CertificateName);

    /// <inheritdoc/>
    public void Dispose() => Certificate.Dispose();

    private static ECDsa LoadKey(StoreFolder folder)
    {
        byte[]? pem = folder.TryRead(KeyName, LongestFile, out FileStatus status);
        if (pem is null)
        {
            using var fresh = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            folder.TryCreate(KeyName, Encoding.ASCII.GetBytes(fresh.ExportPkcs8PrivateKeyPem() + "\n"));
            // Whoever was first made it: all take what is there now.
            pem = folder.TryRead(KeyName, LongestFile, out status) ?? throw new StoreException($"cannot read {folder.PathOf(KeyName)}: it was removed just now");
        }

        try
        {
            if ((status.Mode & Others) != UnixFileMode.None)
                throw new StoreException($"{folder.PathOf(KeyName)} is open to others (mode {Convert.ToString((int)status.Mode, 8)}): chmod 600 it, or remove it if others have read it");
            return Parse(pem) ?? throw new StoreException(
                $"{folder.PathOf(KeyName)} is damaged: put back a copy; or remove it, and every host has to pin the new key (netdump propagate)");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pem);
        }
    }

    /// <summary>Null when it is no P-256 private key.</summary>
    private static ECDsa? Parse(byte[] pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(Encoding.ASCII.GetString(pem));
            _ = SshPublicKey.Of(key, "");
            // A public key alone parses too.
            key.SignHash(new byte[32]);
            return key;
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            key.Dispose();
            return null;
        }
    }

    /// <summary>Without the private key.</summary>
    private static X509Certificate2 LoadCertificate(StoreFolder folder, ECDsa key, KeyFingerprint fingerprint)
    {
        if (folder.TryRead(CertificateName, LongestFile) is { } pem && TryParse(pem, fingerprint) is { } there) return there;
        using X509Certificate2 made = HostCertificate.OfOwnKey(key, "netdump-server");
        folder.Replace(CertificateName, Encoding.ASCII.GetBytes(made.ExportCertificatePem() + "\n"));
        return X509CertificateLoader.LoadCertificate(made.RawData);
    }

    private static X509Certificate2? TryParse(byte[] pem, KeyFingerprint fingerprint)
    {
        try
        {
            X509Certificate2 found = X509Certificate2.CreateFromPem(Encoding.ASCII.GetString(pem));
            if (KeyFingerprint.Of(found.PublicKey.ExportSubjectPublicKeyInfo()) == fingerprint) return found;
            found.Dispose();
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            // Made anew.
        }

        return null;
    }
}
