using System.Buffers.Binary;
using System.Numerics;

namespace Netdump.Kernel.Incidents;

/// <summary>
/// SHA-256 (FIPS 180-4) for signatures. The framework's own asks OpenSSL, which is not in the capture kernel's image and must not be opened by a
/// process that has confined itself; a missing library ends the process there.
/// </summary>
internal static class Sha256
{
    /// <summary>Bytes of a digest.</summary>
    public const int Length = 32;

    private const int Block = 64;

    private static readonly uint[] Rounds =
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
        0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
        0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
        0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    /// <summary>The digest of some bytes.</summary>
    public static byte[] Of(ReadOnlySpan<byte> bytes)
    {
        uint[] state = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
        ReadOnlySpan<byte> rest = bytes;
        for (; rest.Length >= Block; rest = rest[Block..])
            Compress(state, rest[..Block]);
        // The end: one bit, zeros, the length in bits.
        Span<byte> end = stackalloc byte[2 * Block];
        end.Clear();
        rest.CopyTo(end);
        end[rest.Length] = 0x80;
        int length = rest.Length + 9 <= Block ? Block : 2 * Block;
        BinaryPrimitives.WriteUInt64BigEndian(end[(length - 8)..], (ulong)bytes.Length * 8);
        for (int at = 0; at < length; at += Block)
            Compress(state, end.Slice(at, Block));
        byte[] digest = new byte[Length];
        for (int i = 0; i < state.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(digest.AsSpan(i * 4), state[i]);
        return digest;
    }

    private static void Compress(uint[] state, ReadOnlySpan<byte> block)
    {
        Span<uint> words = stackalloc uint[64];
        for (int i = 0; i < 16; i++)
            words[i] = BinaryPrimitives.ReadUInt32BigEndian(block[(i * 4)..]);
        for (int i = 16; i < 64; i++)
        {
            uint x = words[i - 15], y = words[i - 2];
            words[i] = unchecked(words[i - 16] + (Right(x, 7) ^ Right(x, 18) ^ (x >> 3)) + words[i - 7] + (Right(y, 17) ^ Right(y, 19) ^ (y >> 10)));
        }
        var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]);
        for (int i = 0; i < 64; i++)
        {
            uint one = unchecked(h + (Right(e, 6) ^ Right(e, 11) ^ Right(e, 25)) + ((e & f) ^ (~e & g)) + Rounds[i] + words[i]);
            uint two = unchecked((Right(a, 2) ^ Right(a, 13) ^ Right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c)));
            (h, g, f, e, d, c, b, a) = (g, f, e, unchecked(d + one), c, b, a, unchecked(one + two));
        }
        unchecked
        {
            state[0] += a;
            state[1] += b;
            state[2] += c;
            state[3] += d;
            state[4] += e;
            state[5] += f;
            state[6] += g;
            state[7] += h;
        }
    }

    private static uint Right(uint value, int bits) => BitOperations.RotateRight(value, bits);
}
