using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Netdump.Protocols.Keys;

/// <summary>
/// A private key file as ssh-keygen writes it, for one ECDSA P-256 key without a passphrase (OpenSSH's PROTOCOL.key). Between the PEM lines stands
/// <c>openssh-key-v1</c>, cipher, key derivation and its options, the number of keys, the public key, then the private part: a number twice, the key,
/// its comment, and 1, 2, 3 ... up to a multiple of 8 bytes. Buffers that held the key are wiped, and never move while they hold it.
/// </summary>
public static class OpenSshKeyFile
{
    /// <summary>Most bytes of a file that is read: a key has about 500.</summary>
    public const int LongestFile = 16 << 10;

    private const string Label = "OPENSSH PRIVATE KEY";
    private const int LineLength = 70; // as ssh-keygen's
    private const int PrivateBlock = 8; // of the cipher "none"
    private const int NumberSize = 32;
    private const int LongestComment = 1024;

    private enum Fault
    {
        None,
        NoKeyFile,
        Encrypted,
        OtherKind,
        Damaged,
    }

    /// <summary>Reads a private key file.</summary>
    /// <param name="text">The file.</param>
    /// <param name="key">The key; the caller disposes it, which wipes it.</param>
    /// <returns>False when it is no such file; <see cref="Explain"/> says why.</returns>
    public static bool TryRead(ReadOnlySpan<byte> text, [NotNullWhen(true)] out ECDsa? key) => Read(text, out key) == Fault.None;

    /// <summary>Why a file is not read, in a few words behind its name, with what to do.</summary>
    public static string Explain(ReadOnlySpan<byte> text)
    {
        Fault fault = Read(text, out ECDsa? key);
        key?.Dispose();
        return fault switch
        {
            Fault.None => "is a key",
            Fault.Encrypted => "is protected by a passphrase, and nobody is there to type it after a crash: ssh-keygen -p takes it off a copy",
            Fault.OtherKind => "is a key of another kind than ECDSA P-256: netdump keygen makes one",
            Fault.Damaged => "is a damaged key file: take it from a backup, or make another one with netdump keygen",
            _ => "is no private key file of OpenSSH: netdump keygen makes one",
        };
    }

    /// <summary>Writes a private key file.</summary>
    /// <param name="key">A P-256 key; stays the caller's.</param>
    /// <param name="comment">What stands behind the key, at most a kilobyte; it holds no line breaks.</param>
    /// <param name="destination">Takes the file; 4 KiB always do. It holds the key then.</param>
    /// <returns>Bytes written.</returns>
    /// <exception cref="ArgumentException">Another kind of key, too long a comment, or too little room.</exception>
    public static int Write(ECDsa key, string comment, Span<byte> destination)
    {
        if (Encoding.UTF8.GetByteCount(comment) > LongestComment) throw new ArgumentException("the comment is too long", nameof(comment));
        byte[] blob = GC.AllocateArray<byte>(2048, pinned: true);
        byte[] base64 = GC.AllocateArray<byte>(Base64.GetMaxEncodedToUtf8Length(blob.Length), pinned: true);
        try
        {
            var all = new SshWriter(blob);
            all.Bytes("openssh-key-v1\0"u8);
            all.Text("none"u8);
            all.Text("none"u8);
            all.Text([]);
            all.Number(1);
            byte[] shown = SshPublicKey.Of(key, "").ToBlob();
            all.Text(shown);
            int size = all.Length;
            all.Number(0);
            int begin = all.Length;
            uint check = BinaryPrimitives.ReadUInt32LittleEndian(RandomNumberGenerator.GetBytes(4));
            all.Number(check);
            all.Number(check);
            all.Bytes(shown); // the private part begins as the public one: algorithm, curve, point
            WriteNumber(ref all, key);
            all.Text(Encoding.UTF8.GetBytes(comment));
            for (byte pad = 1; (all.Length - begin) % PrivateBlock != 0; pad++) all.Bytes([pad]);
            BinaryPrimitives.WriteInt32BigEndian(blob.AsSpan(size), all.Length - begin);
            Base64.EncodeToUtf8(blob.AsSpan(0, all.Length), base64, out _, out int length);
            return WriteLines(base64.AsSpan(0, length), destination);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(blob);
            CryptographicOperations.ZeroMemory(base64);
        }
    }

    private static Fault Read(ReadOnlySpan<byte> text, out ECDsa? key)
    {
        key = null;
        if (text.Length > LongestFile || !PemEncoding.TryFindUtf8(text, out PemFields fields) || !text[fields.Label].SequenceEqual(Encoding.ASCII.GetBytes(Label)))
            return Fault.NoKeyFile;
        byte[] blob = GC.AllocateArray<byte>(fields.DecodedDataLength, pinned: true);
        try
        {
            return Base64.DecodeFromUtf8(text[fields.Base64Data], blob, out _, out int length) == OperationStatus.Done
                ? Decode(blob.AsSpan(0, length), out key) : Fault.Damaged;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(blob);
        }
    }

    private static Fault Decode(ReadOnlySpan<byte> blob, out ECDsa? key)
    {
        key = null;
        var all = new SshReader(blob);
        if (!all.TryBytes("openssh-key-v1\0"u8.Length, out ReadOnlySpan<byte> magic) || !magic.SequenceEqual("openssh-key-v1\0"u8)) return Fault.NoKeyFile;
        if (!all.TryText(out ReadOnlySpan<byte> cipher) || !all.TryText(out ReadOnlySpan<byte> derivation) || !all.TryText(out ReadOnlySpan<byte> options)
            || !all.TryNumber(out uint keys) || keys != 1 || !all.TryText(out ReadOnlySpan<byte> shown)) return Fault.Damaged;
        var named = new SshReader(shown);
        if (named.TryText(out ReadOnlySpan<byte> algorithm) && !algorithm.SequenceEqual("ecdsa-sha2-nistp256"u8)) return Fault.OtherKind;
        if (!cipher.SequenceEqual("none"u8)) return Fault.Encrypted;
        if (!derivation.SequenceEqual("none"u8) || !options.IsEmpty || !all.TryText(out ReadOnlySpan<byte> secret) || !all.IsAtEnd || secret.Length % PrivateBlock != 0)
            return Fault.Damaged;
        var inner = new SshReader(secret);
        if (!inner.TryNumber(out uint first) || !inner.TryNumber(out uint second) || first != second
            || !inner.TryBytes(shown.Length, out ReadOnlySpan<byte> again) || !again.SequenceEqual(shown)
            || !inner.TryText(out ReadOnlySpan<byte> number) || !inner.TryText(out _) || !IsPadding(inner.Rest)) return Fault.Damaged;
        return Open(number, shown, out key) ? Fault.None : Fault.Damaged;
    }

    // The point is computed from the number and compared: a file whose halves do not belong together is no key.
    private static bool Open(ReadOnlySpan<byte> number, ReadOnlySpan<byte> shown, out ECDsa? key)
    {
        key = null;
        if (number is [0, >= 0x80, ..]) number = number[1..];
        else if (number is [] or [0, ..] or [>= 0x80, ..]) return false; // negative, or longer than need be
        if (number.Length > NumberSize) return false;
        byte[] d = GC.AllocateArray<byte>(NumberSize, pinned: true);
        ECDsa? made = null;
        try
        {
            number.CopyTo(d.AsSpan(NumberSize - number.Length));
            made = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d });
            if (!SshPublicKey.Of(made, "").ToBlob().AsSpan().SequenceEqual(shown)) return false;
            (key, made) = (made, null);
            return true;
        }
        catch (CryptographicException)
        {
            return false; // zero, or not below the curve's order
        }
        finally
        {
            made?.Dispose();
            CryptographicOperations.ZeroMemory(d);
        }
    }

    private static bool IsPadding(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= PrivateBlock) return false;
        for (int i = 0; i < bytes.Length; i++)
            if (bytes[i] != i + 1) return false;
        return true;
    }

    // Not out of PKCS#8: the writers that make it leave copies behind.
    private static void WriteNumber(ref SshWriter writer, ECDsa key)
    {
        byte[] d = key.ExportParameters(includePrivateParameters: true).D!;
        GCHandle pinned = GCHandle.Alloc(d, GCHandleType.Pinned);
        try
        {
            ReadOnlySpan<byte> number = d.AsSpan().TrimStart((byte)0);
            writer.Number((uint)number.Length + (number is [>= 0x80, ..] ? 1u : 0));
            if (number is [>= 0x80, ..]) writer.Bytes([0]);
            writer.Bytes(number);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(d);
            pinned.Free();
        }
    }

    private static int WriteLines(ReadOnlySpan<byte> base64, Span<byte> destination)
    {
        int lines = (base64.Length + LineLength - 1) / LineLength;
        int needed = "-----BEGIN -----\n-----END -----\n".Length + 2 * Label.Length + base64.Length + lines;
        if (destination.Length < needed) throw new ArgumentException($"the file has {needed} bytes", nameof(destination));
        int at = Encoding.ASCII.GetBytes($"-----BEGIN {Label}-----\n", destination);
        for (; !base64.IsEmpty; destination[at++] = (byte)'\n')
        {
            ReadOnlySpan<byte> line = base64[..Math.Min(LineLength, base64.Length)];
            line.CopyTo(destination[at..]);
            at += line.Length;
            base64 = base64[line.Length..];
        }
        return at + Encoding.ASCII.GetBytes($"-----END {Label}-----\n", destination[at..]);
    }
}
