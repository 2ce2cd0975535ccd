using System.IO.Hashing;
using Netdump.Vmcore;

namespace Netdump.Client.Capture;

/// <summary>The digest of a whole dump file, so that what a server holds can be compared with what the capture kernel read.</summary>
public static class VmcoreDigest
{
    /// <summary>Reads the file front to back.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="mapped">True for /proc/vmcore, which is read faster mapped.</param>
    /// <param name="moved">Is told the bytes of each step.</param>
    /// <returns>XXH128 in 32 hexadecimal digits, as <c>xxhsum -H2</c> prints it.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static string Compute(DumpBytes bytes, bool mapped, Action<ulong> moved)
    {
        using DumpWindows windows = new(bytes, mapped);
        XxHash128 hash = new();
        long offset = 0;
        while (offset < bytes.Length)
        {
            ReadOnlySpan<byte> slice = windows.Slice(offset, (int)Math.Min(DumpWindows.MaximumSlice, bytes.Length - offset));
            if (slice.IsEmpty) throw new IOException($"{bytes.Path}: ends at {offset} of {bytes.Length} bytes");
            hash.Append(slice);
            offset += slice.Length;
            moved((ulong)slice.Length);
        }
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
