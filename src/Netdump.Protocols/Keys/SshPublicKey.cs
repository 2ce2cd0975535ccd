using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Netdump.Protocols.Keys;

/// <summary>
/// An ECDSA P-256 public key as OpenSSH writes it: <c>ecdsa-sha2-nistp256 BASE64 COMMENT</c>. The base64 holds three strings, each behind its
/// length (32 bits, big-endian): the algorithm, <c>nistp256</c>, and the point, 65 bytes, uncompressed (RFC 5656 section 3.1).
/// </summary>
public sealed class SshPublicKey
{
    /// <summary>Name of the algorithm; nothing else is taken.</summary>
    public const string Algorithm = "ecdsa-sha2-nistp256";

    /// <summary>Bytes of a point, uncompressed: 4, X, Y.</summary>
    public const int PointSize = 65;

    private const int BlobSize = 4 + 19 + 4 + 8 + 4 + PointSize;

    // SubjectPublicKeyInfo of P-256 up to the point: id-ecPublicKey, prime256v1, BIT STRING without unused bits (RFC 5480 section 2).
    private static ReadOnlySpan<byte> InfoPrefix =>
    [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];

    private readonly byte[] _point;

    private SshPublicKey(byte[] point, string comment)
    {
        _point = point;
        Comment = comment;
        Fingerprint = KeyFingerprint.Of(SubjectPublicKeyInfo());
    }

    /// <summary>What stands behind the key: the host's name in an enrolment; empty when nothing does.</summary>
    public string Comment { get; }

    /// <summary>Names the key.</summary>
    public KeyFingerprint Fingerprint { get; }

    /// <summary>The public half of a key.</summary>
    /// <exception cref="ArgumentException">It is no P-256 key.</exception>
    public static SshPublicKey Of(ECDsa key, string comment)
    {
        byte[] info = key.ExportSubjectPublicKeyInfo();
        return TryFromSubjectPublicKeyInfo(info, comment, out SshPublicKey? ours) ? ours : throw new ArgumentException("the key is not of the curve P-256", nameof(key));
    }

    /// <summary>The key out of a certificate's SubjectPublicKeyInfo (DER).</summary>
    /// <returns>False when it is no point of P-256, uncompressed.</returns>
    public static bool TryFromSubjectPublicKeyInfo(ReadOnlySpan<byte> info, string comment, [NotNullWhen(true)] out SshPublicKey? key)
    {
        key = null;
        if (info.Length != InfoPrefix.Length + PointSize || !info.StartsWith(InfoPrefix)) return false;
        return TryFromPoint(info[InfoPrefix.Length..], comment, out key);
    }

    /// <summary>Reads <c>ecdsa-sha2-nistp256 BASE64 [COMMENT]</c>: a .pub file's line. Options before the key are not its part.</summary>
    public static bool TryParse(ReadOnlySpan<char> line, [NotNullWhen(true)] out SshPublicKey? key)
    {
        key = null;
        line = line.Trim();
        if (!line.StartsWith(Algorithm, StringComparison.Ordinal) || line.Length <= Algorithm.Length || line[Algorithm.Length] is not (' ' or '\t')) return false;
        line = line[Algorithm.Length..].TrimStart();
        int end = line.IndexOfAny(' ', '\t');
        ReadOnlySpan<char> base64 = end < 0 ? line : line[..end];
        ReadOnlySpan<char> comment = end < 0 ? default : line[end..].Trim();
        Span<byte> room = stackalloc byte[BlobSize + 3];
        if (base64.Length != (BlobSize + 2) / 3 * 4 || !Convert.TryFromBase64Chars(base64, room, out int length) || length != BlobSize) return false;
        // The last digit has two bits to spare: one key has one spelling.
        Span<char> spelling = stackalloc char[(BlobSize + 2) / 3 * 4];
        if (!Convert.TryToBase64Chars(room[..BlobSize], spelling, out _) || !base64.SequenceEqual(spelling)) return false;
        var blob = new SshReader(room[..BlobSize]);
        return blob.TryText(out ReadOnlySpan<byte> algorithm) && algorithm.SequenceEqual("ecdsa-sha2-nistp256"u8)
            && blob.TryText(out ReadOnlySpan<byte> curve) && curve.SequenceEqual("nistp256"u8)
            && blob.TryText(out ReadOnlySpan<byte> point) && blob.IsAtEnd
            && TryFromPoint(point, comment.ToString(), out key);
    }

    /// <summary>The same key with another comment.</summary>
    public SshPublicKey Named(string comment) => new(_point, comment);

    /// <summary>The key as DER SubjectPublicKeyInfo.</summary>
    public byte[] SubjectPublicKeyInfo() => [.. InfoPrefix, .. _point];

    /// <summary>The key for verifying signatures; the caller disposes it.</summary>
    public ECDsa Open() => ECDsa.Create(new ECParameters
    {
        Curve = ECCurve.NamedCurves.nistP256,
        Q = new ECPoint { X = _point[1..33], Y = _point[33..] },
    });

    /// <summary>The key as SSH's messages hold it, and the line in base64.</summary>
    public byte[] ToBlob()
    {
        byte[] blob = new byte[BlobSize];
        var writer = new SshWriter(blob);
        writer.Text("ecdsa-sha2-nistp256"u8);
        writer.Text("nistp256"u8);
        writer.Text(_point);
        return blob;
    }

    /// <summary>The line without a newline; no trailing blank when there is no comment.</summary>
    public override string ToString() => $"{Algorithm} {Convert.ToBase64String(ToBlob())}{(Comment.Length == 0 ? "" : " ")}{Comment}";

    private static bool TryFromPoint(ReadOnlySpan<byte> point, string comment, [NotNullWhen(true)] out SshPublicKey? key)
    {
        key = null;
        if (point.Length != PointSize || point[0] != 4) return false;
        var found = new SshPublicKey(point.ToArray(), comment);
        try
        {
            // Whoever imports it checks that the point lies on the curve: one that does not is no key.
            found.Open().Dispose();
        }
        catch (CryptographicException)
        {
            return false;
        }
        key = found;
        return true;
    }
}
