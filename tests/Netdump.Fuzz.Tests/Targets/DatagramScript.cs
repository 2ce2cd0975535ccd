using System.Buffers.Binary;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>
/// A fuzzer's input as datagrams in time: for each a u16 (little endian; bits 0-10 its length, bits 11-15 the pause before it) and its
/// bytes, the last one as short as the input makes it.
/// </summary>
internal ref struct DatagramScript
{
    private static readonly int[] Pauses = [0, 0, 0, 1, 5, 20, 50, 100, 200, 300, 500, 1000, 1500, 2000, 3000, 5000, 10_000, 15_000, 30_000, 60_000, 600_000];

    private ReadOnlySpan<byte> _rest;

    public DatagramScript(ReadOnlySpan<byte> input) => _rest = input;

    /// <summary>Takes the next datagram.</summary>
    public bool TryTake(out ReadOnlySpan<byte> datagram, out TimeSpan pause)
    {
        datagram = default;
        pause = default;
        if (_rest.Length < 2) return false;
        ushort head = BinaryPrimitives.ReadUInt16LittleEndian(_rest);
        int length = Math.Min(head & 0x7ff, _rest.Length - 2);
        datagram = _rest.Slice(2, length);
        pause = TimeSpan.FromMilliseconds(Pauses[(head >> 11) % Pauses.Length]);
        _rest = _rest[(2 + length)..];
        return true;
    }

    /// <summary>Writes datagrams as an input.</summary>
    public static byte[] Write(IEnumerable<byte[]> datagrams, int pause = 0)
    {
        List<byte> input = [];
        foreach (byte[] datagram in datagrams)
        {
            byte[] head = new byte[2];
            BinaryPrimitives.WriteUInt16LittleEndian(head, (ushort)(Math.Min(datagram.Length, 0x7ff) | (pause << 11)));
            input.AddRange(head);
            input.AddRange(datagram.AsSpan(0, Math.Min(datagram.Length, 0x7ff)));
        }

        return [.. input];
    }
}
