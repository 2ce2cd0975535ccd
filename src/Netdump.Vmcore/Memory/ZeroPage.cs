using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Netdump.Vmcore.Memory;

/// <summary>Tests whole pages for zeros.</summary>
public static class ZeroPage
{
    /// <summary>Whether all bytes are zero. At memory speed; most pages that are not end the test at once.</summary>
    // Not guarded by IsHardwareAccelerated: ahead-of-time code answers false there and still compiles pairs of 128-bit operations.
    public static bool IsZero(ReadOnlySpan<byte> bytes)
    {
        ref var start = ref MemoryMarshal.GetReference(bytes);
        var at = 0;
        for (; at <= bytes.Length - 128; at += 128)
        {
            var any = Vector256.LoadUnsafe(ref start, (nuint)at) | Vector256.LoadUnsafe(ref start, (nuint)at + 32)
                | Vector256.LoadUnsafe(ref start, (nuint)at + 64) | Vector256.LoadUnsafe(ref start, (nuint)at + 96);
            if (any != Vector256<byte>.Zero)
                return false;
        }
        for (; at < bytes.Length; at++)
            if (Unsafe.Add(ref start, at) != 0)
                return false;
        return true;
    }
}
