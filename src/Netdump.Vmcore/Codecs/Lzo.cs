using System.Buffers.Binary;

namespace Netdump.Vmcore.Codecs;

/// <summary>Decodes raw LZO1X blocks. The stream is described in the kernel's Documentation/staging/lzo.rst.</summary>
/// <remarks>
/// An instruction's byte tells by its value a literal run or a match; the two lowest bits of a match count up to three literals that follow
/// it. Every length and distance is checked against both buffers before a byte is copied.
/// </remarks>
internal static class Lzo
{
    /// <summary>State after a literal run: a byte below 16 is then a match from further back.</summary>
    private const int AfterRun = 4;

    /// <summary>Decodes one block.</summary>
    /// <param name="input">The whole block.</param>
    /// <param name="output">Is filled; never written beyond.</param>
    /// <returns>False when the block is corrupt, or does not give exactly as many bytes as the output has.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var (at, done, state) = (0, 0, 0);
        if (input.Length > 0 && input[0] > 17)
        {
            // The first byte may be a literal run of its own kind.
            var run = input[0] - 17;
            at = 1;
            if (!CopyLiterals(input, ref at, output, ref done, run))
                return false;
            state = Math.Min(run, AfterRun);
        }
        while (at < input.Length)
        {
            var code = (int)input[at++];
            int length, distance, literals;
            if (code < 16 && state == 0)
            {
                if (!ReadLength(input, ref at, code, 15, out length) || !CopyLiterals(input, ref at, output, ref done, length + 3))
                    return false;
                state = AfterRun;
                continue;
            }
            if (code is >= 16 and < 64)
            {
                var isFar = code < 32;
                if (!ReadLength(input, ref at, code & (isFar ? 7 : 31), isFar ? 7 : 31, out length) || at + 2 > input.Length)
                    return false;
                int pair = BinaryPrimitives.ReadUInt16LittleEndian(input[at..]);
                at += 2;
                length += 2;
                literals = pair & 3;
                distance = isFar ? 16384 + ((code & 8) << 11) + (pair >> 2) : (pair >> 2) + 1;
                if (distance == 16384 && isFar)
                    return length == 3 && at == input.Length && done == output.Length; // the end mark 11 00 00
            }
            else
            {
                if (at == input.Length)
                    return false;
                int high = input[at++];
                literals = code & 3;
                (length, distance) = code switch
                {
                    >= 128 => (5 + ((code >> 5) & 3), (high << 3) + ((code >> 2) & 7) + 1),
                    >= 64 => (3 + ((code >> 5) & 1), (high << 3) + ((code >> 2) & 7) + 1),
                    _ when state == AfterRun => (3, (high << 2) + (code >> 2) + 2049),
                    _ => (2, (high << 2) + (code >> 2) + 1),
                };
            }
            if (!CopyMatch(output, ref done, distance, length) || !CopyLiterals(input, ref at, output, ref done, literals))
                return false;
            state = literals;
        }
        return false; // no end mark
    }

    // A length of 0 goes on in the next bytes: each zero adds 255, the first other byte ends it.
    private static bool ReadLength(ReadOnlySpan<byte> input, ref int at, int given, int all, out int length)
    {
        length = given;
        if (given != 0)
            return true;
        length = all;
        while (at < input.Length)
        {
            int next = input[at++];
            if (next != 0)
            {
                length += next;
                return true;
            }
            length += 255; // at most 255 for each byte of an input that is no longer than a page: cannot overflow
        }
        return false;
    }

    private static bool CopyLiterals(ReadOnlySpan<byte> input, ref int at, Span<byte> output, ref int done, int count)
    {
        if (count > input.Length - at || count > output.Length - done)
            return false;
        input.Slice(at, count).CopyTo(output[done..]);
        at += count;
        done += count;
        return true;
    }

    private static bool CopyMatch(Span<byte> output, ref int done, int distance, int length)
    {
        if (distance > done || length > output.Length - done)
            return false;
        if (distance >= length)
            output.Slice(done - distance, length).CopyTo(output[done..]);
        else
            for (var i = 0; i < length; i++)
                output[done + i] = output[done + i - distance]; // source and target overlap: a repeated pattern
        done += length;
        return true;
    }
}
