using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Trust;

/// <summary>
/// What libraries left of this host's private number in this process's memory, in whichever order of bytes: looked for and overwritten, once no key is
/// in use. Wiping one's own buffers is not enough: a handshake that was given up, or an object that waits for its finalizer, keeps a copy until the
/// process ends, and a process that ends wipes nothing. The number itself is remembered masked, so that the search adds no copy of it.
/// </summary>
internal static unsafe partial class KeyRemains
{
    private const int Size = 32; // of a number of P-256
    private const int Piece = 1 << 20;
    private const int Sample = 4; // bytes that are looked for in the clear; the rest is compared masked

    private static readonly byte[] Mask = RandomNumberGenerator.GetBytes(Size);
    private static readonly List<byte[]> Masked = [];

    /// <summary>Remembers a key that was opened or made.</summary>
    public static void Remember(ECDsa key)
    {
        byte[] number = key.ExportParameters(includePrivateParameters: true).D!;
        byte[] masked = new byte[Size];
        for (int i = 0; i < Size; i++) masked[i] = (byte)(number[i] ^ Mask[i]);
        CryptographicOperations.ZeroMemory(number);
        lock (Masked)
            if (!Masked.Any(m => m.AsSpan().SequenceEqual(masked))) Masked.Add(masked);
    }

    /// <summary>Overwrites what is left. No key that was remembered may be in use: it would be overwritten too.</summary>
    /// <returns>How many copies there were.</returns>
    public static int Wipe()
    {
        lock (Masked)
        {
            if (Masked.Count == 0) return 0;
            using var piece = new SecretBytes(Piece + Size); // holds what it finds while it looks
            using SafeFileHandle memory = Descriptors.Open("/proc/self/mem", OpenFlags.ReadWrite);
            int found = 0;
            fixed (byte* own = piece.Room)
            {
                foreach ((long first, long end) in Writable())
                {
                    for (long at = first; at < end; at += Piece)
                    {
                        int length = (int)Math.Min(Piece + Size, end - at);
                        nint got = NativeRead(memory, own, (nuint)length, at);
                        if (got <= 0) break; // reserved, not there
                        Span<byte> here = piece.Room[..(int)got];
                        foreach (byte[] masked in Masked) found += Overwrite(memory, here, at, masked, (long)own, (long)own + piece.Room.Length);
                    }
                }
            }
            return found;
        }
    }

    private static int Overwrite(SafeFileHandle memory, Span<byte> here, long address, byte[] masked, long ownFirst, long ownEnd)
    {
        int found = 0;
        Span<byte> sample = stackalloc byte[Sample];
        byte* zeros = stackalloc byte[Size];
        foreach (bool isReversed in (bool[])[false, true])
        {
            for (int i = 0; i < Sample; i++) sample[i] = At(masked, i, isReversed);
            for (int from = 0; here[from..].IndexOf(sample) is >= 0 and int next; from++)
            {
                from += next;
                long place = address + from;
                if (from + Size > here.Length || (place < ownEnd && place + Size > ownFirst) || !Is(here.Slice(from, Size), masked, isReversed)) continue;
                if (NativeWrite(memory, zeros, Size, place) == Size) found++;
            }
        }
        sample.Clear();
        return found;
    }

    private static bool Is(ReadOnlySpan<byte> bytes, byte[] masked, bool isReversed)
    {
        for (int i = 0; i < Size; i++)
            if (bytes[i] != At(masked, i, isReversed)) return false;
        return true;
    }

    private static byte At(byte[] masked, int i, bool isReversed)
    {
        if (isReversed) i = Size - 1 - i;
        return (byte)(masked[i] ^ Mask[i]);
    }

    /// <summary>The mappings that this process may write to (proc_pid_maps(5)), shared ones apart.</summary>
    private static List<(long First, long End)> Writable()
    {
        var found = new List<(long, long)>();
        foreach (string line in File.ReadAllLines("/proc/self/maps"))
        {
            string[] words = line.Split(' ', 3);
            string[] ends = words[0].Split('-');
            if (words.Length == 3 && words[1].StartsWith("rw", StringComparison.Ordinal) && words[1].EndsWith('p')
                && long.TryParse(ends[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out long first)
                && long.TryParse(ends[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out long end)) found.Add((first, end));
        }
        return found;
    }

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static partial nint NativeRead(SafeFileHandle file, byte* buffer, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint NativeWrite(SafeFileHandle file, byte* buffer, nuint length, long offset);
}
