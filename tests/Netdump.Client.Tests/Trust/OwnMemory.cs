using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Netdump.Client.Tests.Trust;

/// <summary>A private number, masked so that looking for it puts no copy of it anywhere, and the search for it in this process.</summary>
internal sealed class OwnMemory
{
    private const byte Mask = 0x5a;
    private const ulong WideMask = 0x5a5a5a5a5a5a5a5a;

    private readonly byte[] _masked = new byte[32];

    /// <summary>Takes the number of a key.</summary>
    public OwnMemory(ECDsa key)
    {
        byte[] number = key.ExportParameters(includePrivateParameters: true).D!;
        for (int i = 0; i < 32; i++) _masked[i] = (byte)(number[i] ^ Mask);
        CryptographicOperations.ZeroMemory(number);
    }

    /// <summary>Where the number stands in writable memory, forwards (as files have it) or backwards (as OpenSSL's words have it).</summary>
    public List<string> Find()
    {
        var found = new List<string>();
        ulong forwards = MemoryMarshal.Read<ulong>(_masked);
        byte[] reversed = [.. _masked.Reverse()];
        ulong backwards = MemoryMarshal.Read<ulong>(reversed);
        using FileStream memory = new("/proc/self/mem", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        byte[] block = GC.AllocateArray<byte>((1 << 20) + 32, pinned: true);
        foreach (string line in File.ReadAllLines("/proc/self/maps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!words[1].StartsWith("rw", StringComparison.Ordinal)) continue;
            long first = long.Parse(words[0].Split('-')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            long end = long.Parse(words[0].Split('-')[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            for (long at = first; at < end; at += 1 << 20)
            {
                int length;
                try
                {
                    length = RandomAccess.Read(memory.SafeFileHandle, block.AsSpan(0, (int)Math.Min(block.Length, end - at)), at);
                }
                catch (IOException)
                {
                    break; // reserved, not there
                }
                for (int i = 0; i + 32 <= length; i++)
                {
                    ulong here = MemoryMarshal.Read<ulong>(block.AsSpan(i)) ^ WideMask;
                    if ((here == forwards && Is(block.AsSpan(i, 32), _masked)) || (here == backwards && Is(block.AsSpan(i, 32), reversed)))
                        found.Add($"{at + i:x} {(words.Length > 5 ? words[5] : "anonymous")}");
                }
                block.AsSpan().Clear();
            }
        }
        return found;
    }

    private static bool Is(ReadOnlySpan<byte> bytes, byte[] masked)
    {
        for (int i = 0; i < masked.Length; i++)
            if ((bytes[i] ^ Mask) != masked[i]) return false;
        return true;
    }
}
