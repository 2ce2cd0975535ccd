using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Netdump.Protocols.Keys;

namespace Netdump.Client.Send.Secure;

/// <summary>TLS 1.3 with our certificate, to a server that must have the pinned key: the handshake proves that it holds it. No authority, no name, no date.</summary>
internal sealed class PinnedTls(X509Certificate2 certificate, KeyFingerprint pin)
{
    private volatile object? _wrong;

    // The framework looks for certificates of the user, and fails when nothing tells a home: a service has none, nor has a capture kernel a user.
    static PinnedTls()
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("HOME"))) Environment.SetEnvironmentVariable("HOME", "/");
    }

    /// <summary>The key that a server showed instead of the pinned one; null when none did.</summary>
    public KeyFingerprint? Wrong => (KeyFingerprint?)_wrong;

    /// <summary>For the handshake. Nothing is looked up, neither in files nor on the network: a capture kernel has no authorities.</summary>
    public SslClientAuthenticationOptions Options() => new()
    {
        EnabledSslProtocols = SslProtocols.Tls13,
        AllowTlsResume = false, // a resumed session would prove no key, on neither side
        ClientCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true),
        RemoteCertificateValidationCallback = (_, shown, _, _) => IsPinned(shown as X509Certificate2),
        CertificateChainPolicy = new X509ChainPolicy
        {
            DisableCertificateDownloads = true, // a certificate names addresses to fetch from: a stranger's
            RevocationMode = X509RevocationMode.NoCheck,
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            VerificationFlags = X509VerificationFlags.AllFlags,
        },
    };

    private bool IsPinned(X509Certificate2? shown)
    {
        if (shown is null) return false;
        KeyFingerprint key = KeyFingerprint.Of(shown.PublicKey.ExportSubjectPublicKeyInfo());
        if (key == pin) return true;
        _wrong = key;
        return false;
    }
}
