using System.Numerics;

namespace Netdump.Vmcore.Memory;

/// <summary>One bit a page in words of 64: bit n%64 of word n/64, as the bitmaps of a kdump-compressed file have them on little-endian machines.</summary>
public static class PageBits
{
    /// <summary>Whether the bit is set.</summary>
    public static bool Test(ReadOnlySpan<ulong> bits, int index) => (bits[index >> 6] >> index & 1) != 0;

    /// <summary>Sets one bit.</summary>
    public static void Set(Span<ulong> bits, int index) => bits[index >> 6] |= 1UL << index;

    /// <summary>Sets the bits from <paramref name="start"/> up to, not including, <paramref name="end"/>.</summary>
    public static void Set(Span<ulong> bits, ulong start, ulong end)
    {
        if (start >= end)
            return;
        var (first, last) = ((int)(start >> 6), (int)((end - 1) >> 6));
        var firstMask = ulong.MaxValue << (int)start;
        var lastMask = ulong.MaxValue >> (int)(63 - ((end - 1) & 63));
        if (first == last)
        {
            bits[first] |= firstMask & lastMask;
            return;
        }
        bits[first] |= firstMask;
        bits[(first + 1)..last].Fill(ulong.MaxValue);
        bits[last] |= lastMask;
    }

    /// <summary>How many bits are set.</summary>
    public static long Count(ReadOnlySpan<ulong> bits)
    {
        var count = 0L;
        foreach (var word in bits)
            count += BitOperations.PopCount(word);
        return count;
    }
}
