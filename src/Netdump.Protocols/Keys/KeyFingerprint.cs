using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Netdump.Protocols.Keys;

/// <summary>
/// Names a public key: SHA-256 over its DER SubjectPublicKeyInfo, written <c>SHA256:</c> and base64 with its padding. curl takes the same as
/// <c>--pinnedpubkey sha256//BASE64</c>; OpenSSH's own fingerprints are over another encoding and differ.
/// </summary>
public readonly struct KeyFingerprint : IEquatable<KeyFingerprint>
{
    /// <summary>Bytes of the digest.</summary>
    public const int Size = 32;

    private const string Prefix = "SHA256:";

    private readonly ulong _a, _b, _c, _d;

    private KeyFingerprint(ReadOnlySpan<byte> digest)
    {
        _a = BitConverter.ToUInt64(digest);
        _b = BitConverter.ToUInt64(digest[8..]);
        _c = BitConverter.ToUInt64(digest[16..]);
        _d = BitConverter.ToUInt64(digest[24..]);
    }

    /// <summary>The fingerprint of a key.</summary>
    /// <param name="subjectPublicKeyInfo">The key's DER encoding.</param>
    public static KeyFingerprint Of(ReadOnlySpan<byte> subjectPublicKeyInfo)
    {
        Span<byte> digest = stackalloc byte[Size];
        SHA256.HashData(subjectPublicKeyInfo, digest);
        return new(digest);
    }

    /// <summary>The fingerprint of a private or public key.</summary>
    public static KeyFingerprint Of(ECDsa key) => Of(key.ExportSubjectPublicKeyInfo());

    /// <summary>A fingerprint out of its 32 bytes.</summary>
    /// <returns>False when there are more or fewer.</returns>
    public static bool TryFromBytes(ReadOnlySpan<byte> digest, out KeyFingerprint fingerprint)
    {
        fingerprint = digest.Length == Size ? new(digest) : default;
        return digest.Length == Size;
    }

    /// <summary>Writes the 32 bytes.</summary>
    public void CopyTo(Span<byte> digest)
    {
        BitConverter.TryWriteBytes(digest, _a);
        BitConverter.TryWriteBytes(digest[8..], _b);
        BitConverter.TryWriteBytes(digest[16..], _c);
        BitConverter.TryWriteBytes(digest[24..], _d);
    }

    /// <summary>Reads <c>SHA256:BASE64</c>, with or without the padding, blanks around it ignored; curl's <c>sha256//BASE64</c> too.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out KeyFingerprint fingerprint)
    {
        fingerprint = default;
        text = text.Trim();
        if (text.StartsWith(Prefix, StringComparison.Ordinal)) text = text[Prefix.Length..];
        else if (text.StartsWith("sha256//", StringComparison.Ordinal)) text = text["sha256//".Length..];
        else return false;
        if (text.Length is not (43 or 44) || (text.Length == 44 && text[43] != '=')) return false;
        Span<char> padded = stackalloc char[44];
        text.CopyTo(padded);
        padded[43] = '=';
        Span<byte> digest = stackalloc byte[Size + 1];
        return Convert.TryFromBase64Chars(padded, digest, out int length) && TryFromBytes(digest[..length], out fingerprint);
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        Span<byte> digest = stackalloc byte[Size];
        CopyTo(digest);
        return Prefix + Convert.ToBase64String(digest);
    }

    /// <inheritdoc/>
    public bool Equals(KeyFingerprint other) => _a == other._a && _b == other._b && _c == other._c && _d == other._d;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is KeyFingerprint other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _a.GetHashCode();

    /// <summary>Whether two keys are the same.</summary>
    public static bool operator ==(KeyFingerprint left, KeyFingerprint right) => left.Equals(right);

    /// <summary>Whether two keys differ.</summary>
    public static bool operator !=(KeyFingerprint left, KeyFingerprint right) => !left.Equals(right);
}
