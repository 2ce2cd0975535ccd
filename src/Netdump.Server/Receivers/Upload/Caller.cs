using Netdump.Protocols.Keys;
using Netdump.Server.Enrolment;

namespace Netdump.Server.Receivers.Upload;

/// <summary>Who asks: an enrolled host, by its own key or by a leaf of one boot.</summary>
/// <param name="Host">The host by its enrolment.</param>
/// <param name="Leaf">The boot that the leaf is for; null for the enrolled key itself.</param>
internal sealed record Caller(EnrolledHost Host, Guid? Leaf)
{
    /// <summary>Fingerprint of the enrolled key.</summary>
    public KeyFingerprint Key => Host.Key.Fingerprint;

    /// <summary>Finds whose a certificate is.</summary>
    /// <param name="certificate">What the peer showed, possession of its key proven.</param>
    /// <param name="enrolled">The enrolled hosts.</param>
    /// <returns>Null when neither its key nor the one that signed it is enrolled.</returns>
    public static Caller? Find(HostCertificate certificate, EnrolledHosts enrolled)
    {
        if (enrolled.TryFind(certificate.Key.Fingerprint, out EnrolledHost? host))
            return new Caller(host, null);
        return certificate.Issuer is { } issuer && enrolled.TryFind(issuer, out host) && certificate.IsSignedBy(host.Key)
            ? new Caller(host, certificate.BootId)
            : null;
    }
}
