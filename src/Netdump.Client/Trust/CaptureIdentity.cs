using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Trust;

/// <summary>
/// What a capture kernel shows of itself: a key made for one arming, and its certificate by the host's key, for one crash of one boot. The host's own
/// key stays on the host: a dump holds memory, and so does a capture image.
/// </summary>
internal sealed class CaptureIdentity : IDisposable
{
    /// <summary>Where the key lies in the image: PKCS#8, DER.</summary>
    public const string KeyPath = "/etc/netdump-capture.key";

    /// <summary>Where the certificate lies in the image: DER.</summary>
    public const string CertificatePath = "/etc/netdump-capture.crt";

    private const int LongestKey = 256; // PKCS#8 of P-256 has 138 bytes

    private CaptureIdentity(SecretBytes key, byte[] certificate) => (Key, Certificate) = (key, certificate);

    /// <summary>The key, PKCS#8.</summary>
    public SecretBytes Key { get; }

    /// <summary>The certificate, DER.</summary>
    public byte[] Certificate { get; }

    /// <summary>Makes key and certificate.</summary>
    /// <param name="host">The host's own key; stays the caller's.</param>
    /// <param name="bootId">The boot whose crash they are for.</param>
    public static CaptureIdentity Make(ECDsa host, Guid bootId)
    {
        using ECDsa leaf = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = HostCertificate.MakeLeaf(leaf, host, bootId);
        var key = new SecretBytes(LongestKey);
        if (!leaf.TryExportPkcs8PrivateKey(key.Room, out int length)) throw new CryptographicException("the key of this arming is too long");
        key.Length = length;
        return new CaptureIdentity(key, certificate.RawData);
    }

    /// <summary>Reads both in the capture kernel: a certificate with its private key.</summary>
    /// <exception cref="IOException">A file is not there.</exception>
    /// <exception cref="CryptographicException">They are not what <see cref="Make"/> made.</exception>
    public static X509Certificate2 Load()
    {
        using SecretBytes text = SecretFile.Read(KeyPath);
        using var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(text.Span, out _);
        using X509Certificate2 certificate = X509CertificateLoader.LoadCertificateFromFile(CertificatePath);
        return certificate.CopyWithPrivateKey(key);
    }

    /// <inheritdoc/>
    public void Dispose() => Key.Dispose();
}
