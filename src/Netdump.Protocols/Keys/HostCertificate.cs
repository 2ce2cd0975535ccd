using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Netdump.Protocols.Keys;

/// <summary>
/// What a host shows in the TLS handshake. Either a certificate of its own enrolled key, or a leaf: a key made for one arming, whose certificate is
/// signed by the enrolled key and names the boot it is for. There is no authority: the enrolled keys are the trust. Validity dates mean nothing, as
/// the clock of a capture kernel may be wrong.
/// </summary>
/// <param name="Key">The key that the peer holds, proven by the handshake.</param>
/// <param name="Issuer">Of a leaf: fingerprint of the enrolled key that is said to have signed it; else null.</param>
/// <param name="BootId">Of a leaf: the boot it is for (/proc/sys/kernel/random/boot_id); else null.</param>
public sealed record HostCertificate(SshPublicKey Key, KeyFingerprint? Issuer, Guid? BootId)
{
    // An arc made from a UUID (ITU-T X.667): nobody else has it. The value is an OCTET STRING, the boot id's 16 bytes in their written order.
    private const string BootOid = "2.25.215271528888555716028614593871523141059";
    private const string AuthorityOid = "2.5.29.35"; // AuthorityKeyIdentifier: keyIdentifier is the SHA-256 of the issuer's SubjectPublicKeyInfo
    private static readonly DateTimeOffset NotBefore = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset NotAfter = new(9999, 12, 31, 23, 59, 59, TimeSpan.Zero); // RFC 5280 4.1.2.5: no end

    private byte[] _signed = [];
    private byte[] _signature = [];

    /// <summary>A certificate of a key by itself; with the private key, for a TLS end.</summary>
    /// <param name="key">A P-256 key; stays the caller's.</param>
    /// <param name="name">Common name, for those who look at a capture: nothing believes it.</param>
    public static X509Certificate2 OfOwnKey(ECDsa key, string name) =>
        new CertificateRequest(NameOf(name), key, HashAlgorithmName.SHA256).CreateSelfSigned(NotBefore, NotAfter);

    /// <summary>A leaf for one boot.</summary>
    /// <param name="leaf">The key of this arming; stays the caller's.</param>
    /// <param name="host">The host's enrolled key; stays the caller's.</param>
    /// <param name="bootId">The boot.</param>
    /// <returns>The certificate without its private key.</returns>
    public static X509Certificate2 MakeLeaf(ECDsa leaf, ECDsa host, Guid bootId)
    {
        var request = new CertificateRequest(NameOf("netdump capture"), leaf, HashAlgorithmName.SHA256);
        Span<byte> issuer = stackalloc byte[KeyFingerprint.Size];
        KeyFingerprint.Of(host).CopyTo(issuer);
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(issuer));
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteOctetString(bootId.ToByteArray(bigEndian: true));
        request.CertificateExtensions.Add(new X509Extension(BootOid, writer.Encode(), critical: false));
        return request.Create(NameOf("netdump host"), X509SignatureGenerator.CreateForECDsa(host), NotBefore, NotAfter, RandomNumberGenerator.GetBytes(16));
    }

    /// <summary>Reads a certificate that a peer showed.</summary>
    /// <param name="der">The certificate, DER.</param>
    /// <param name="certificate">What it says; a leaf's signature is not checked yet (<see cref="IsSignedBy"/>).</param>
    /// <returns>False when it is no certificate of a P-256 key.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> der, [NotNullWhen(true)] out HostCertificate? certificate)
    {
        certificate = null;
        try
        {
            AsnReader outer = new AsnReader(der, AsnEncodingRules.DER).ReadSequence();
            ReadOnlyMemory<byte> signed = outer.ReadEncodedValue();
            outer.ReadSequence(); // the algorithm: whatever it says, the signature is checked as ECDSA with SHA-256
            byte[] signature = outer.ReadBitString(out _);
            AsnReader body = new AsnReader(signed, AsnEncodingRules.DER).ReadSequence();
            var context0 = new Asn1Tag(TagClass.ContextSpecific, 0);
            if (body.PeekTag().HasSameClassAndValue(context0)) body.ReadEncodedValue(); // version
            for (int skipped = 0; skipped < 5; skipped++) body.ReadEncodedValue(); // serial, algorithm, issuer, validity, subject
            if (!SshPublicKey.TryFromSubjectPublicKeyInfo(body.ReadEncodedValue().Span, "", out SshPublicKey? key)) return false;
            (KeyFingerprint? issuer, Guid? boot) = ReadExtensions(body);
            // Either alone is no leaf of ours: the key then stands for itself, as any certificate's does.
            certificate = issuer is null || boot is null
                ? new HostCertificate(key, null, null)
                : new HostCertificate(key, issuer, boot) { _signed = signed.ToArray(), _signature = signature };
            return true;
        }
        catch (Exception e) when (e is AsnContentException or CryptographicException)
        {
            return false;
        }
    }

    /// <summary>Whether an enrolled key signed this leaf.</summary>
    public bool IsSignedBy(SshPublicKey host)
    {
        if (Issuer != host.Fingerprint) return false;
        using ECDsa key = host.Open();
        return key.VerifyData(_signed, _signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    private static (KeyFingerprint? Issuer, Guid? BootId) ReadExtensions(AsnReader body)
    {
        KeyFingerprint? issuer = null;
        Guid? boot = null;
        var context3 = new Asn1Tag(TagClass.ContextSpecific, 3, isConstructed: true);
        while (body.HasData && !body.PeekTag().HasSameClassAndValue(context3)) body.ReadEncodedValue(); // unique identifiers
        if (!body.HasData) return default;
        AsnReader extensions = body.ReadSequence(context3).ReadSequence();
        while (extensions.HasData)
        {
            AsnReader extension = extensions.ReadSequence();
            string name = extension.ReadObjectIdentifier();
            if (extension.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean)) extension.ReadBoolean();
            byte[] value = extension.ReadOctetString();
            if (name == BootOid)
            {
                byte[] bytes = new AsnReader(value, AsnEncodingRules.DER).ReadOctetString();
                if (bytes.Length == 16) boot = new Guid(bytes, bigEndian: true);
            }
            else if (name == AuthorityOid)
            {
                AsnReader authority = new AsnReader(value, AsnEncodingRules.DER).ReadSequence();
                var context0 = new Asn1Tag(TagClass.ContextSpecific, 0);
                if (authority.HasData && authority.PeekTag().HasSameClassAndValue(context0)
                    && KeyFingerprint.TryFromBytes(authority.ReadOctetString(context0), out KeyFingerprint fingerprint)) issuer = fingerprint;
            }
        }
        return (issuer, boot);
    }

    private static X500DistinguishedName NameOf(string name)
    {
        var builder = new X500DistinguishedNameBuilder();
        builder.AddCommonName(name);
        return builder.Build();
    }
}
