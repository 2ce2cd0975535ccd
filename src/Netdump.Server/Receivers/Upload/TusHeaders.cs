using System.Buffers.Text;
using System.Security.Cryptography;

namespace Netdump.Server.Receivers.Upload;

/// <summary>Digests a block may come with.</summary>
internal enum ChecksumKind
{
    /// <summary>None: the bytes count as they arrive.</summary>
    None,

    /// <summary>SHA-1, which the standard demands.</summary>
    Sha1,

    /// <summary>SHA-256.</summary>
    Sha256,
}

/// <summary>Reads the header fields of tus 1.0. Any text may be given; what is not understood is false.</summary>
internal static class TusHeaders
{
    /// <summary>The version of the protocol.</summary>
    public const string Version = "1.0.0";

    /// <summary>What is offered beyond the core.</summary>
    public const string Extensions = "creation,creation-defer-length,checksum,termination,expiration";

    /// <summary>Digests that are understood.</summary>
    public const string Algorithms = "sha1,sha256";

    /// <summary>Reads an offset or a length: decimal digits only, no sign, at most 2^62.</summary>
    public static bool TryReadNumber(ReadOnlySpan<char> text, out long number)
    {
        number = 0;
        if (text.IsEmpty || text.Length > 19)
            return false;
        foreach (char c in text)
        {
            if (!char.IsAsciiDigit(c))
                return false;
            number = unchecked((number * 10) + (c - '0'));
        }

        return number is >= 0 and <= 1L << 62;
    }

    /// <summary>Reads <c>sha256 BASE64</c> or <c>sha1 BASE64</c>.</summary>
    /// <param name="text">The field.</param>
    /// <param name="kind">Which it is.</param>
    /// <param name="digest">The digest.</param>
    /// <returns>False for another algorithm, or a digest of another length.</returns>
    public static bool TryReadChecksum(ReadOnlySpan<char> text, out ChecksumKind kind, out byte[] digest)
    {
        kind = ChecksumKind.None;
        digest = [];
        int blank = text.IndexOf(' ');
        if (blank < 0)
            return false;
        ReadOnlySpan<char> name = text[..blank];
        ChecksumKind named = name.SequenceEqual("sha256") ? ChecksumKind.Sha256 : name.SequenceEqual("sha1") ? ChecksumKind.Sha1 : ChecksumKind.None;
        if (named == ChecksumKind.None || !TryReadDigest(text[(blank + 1)..], LengthOf(named), out digest))
            return false;
        kind = named;
        return true;
    }

    /// <summary>Reads base64 of just so many bytes.</summary>
    public static bool TryReadDigest(ReadOnlySpan<char> text, int length, out byte[] digest)
    {
        digest = [];
        Span<byte> bytes = stackalloc byte[Base64.GetMaxDecodedFromUtf8Length(((length + 2) / 3 * 4) + 4)];
        if (text.Length != (length + 2) / 3 * 4 || text.ContainsAny(" \t\r\n") || !Convert.TryFromBase64Chars(text, bytes, out int count) || count != length)
            return false;
        digest = bytes[..length].ToArray();
        return true;
    }

    /// <summary>The hash of a kind; null for none.</summary>
    public static IncrementalHash? HashOf(ChecksumKind kind) => kind switch
    {
        ChecksumKind.Sha256 => IncrementalHash.CreateHash(HashAlgorithmName.SHA256),
        ChecksumKind.Sha1 => IncrementalHash.CreateHash(HashAlgorithmName.SHA1),
        _ => null,
    };

    private static int LengthOf(ChecksumKind kind) => kind == ChecksumKind.Sha256 ? SHA256.HashSizeInBytes : SHA1.HashSizeInBytes;
}
