using System.Buffers.Binary;

namespace Netdump.Fuzz.Tests.Engine;

/// <summary>Makes new inputs of old ones; the same seed makes the same ones.</summary>
internal sealed class Mutator
{
    private static readonly ulong[] Interesting =
    [
        0, 1, 2, 4, 7, 8, 13, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 511, 512, 1000, 1023, 1024, 1037, 1460, 4095, 4096, 32767, 32768,
        65535, 65536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, ulong.MaxValue,
    ];

    private readonly Random _random;
    private readonly IReadOnlyList<byte[]> _tokens;
    private readonly int _maximum;

    public Mutator(int seed, IReadOnlyList<byte[]> tokens, int maximum)
    {
        _random = new Random(seed);
        _tokens = tokens;
        _maximum = maximum;
    }

    /// <summary>One of the inputs kept so far, changed in one to eight ways. Later ones went further, and are chosen more often.</summary>
    public byte[] Next(IReadOnlyList<byte[]> kept)
    {
        int index = _random.Next(2) == 0 ? _random.Next(kept.Count) : Math.Max(_random.Next(kept.Count), _random.Next(kept.Count));
        List<byte> input = [.. kept[index]];
        for (int left = 1 << _random.Next(4); left > 0; left--) Change(input, kept);
        if (input.Count > _maximum) input.RemoveRange(_maximum, input.Count - _maximum);
        return [.. input];
    }

    private void Change(List<byte> input, IReadOnlyList<byte[]> kept)
    {
        if (input.Count == 0)
        {
            Insert(input, Noise(_random.Next(1, 16)));
            return;
        }

        int at = _random.Next(input.Count);
        switch (_random.Next(12))
        {
            case 0:
                input[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1:
                input[at] = (byte)_random.Next(256);
                break;
            case 2:
                input[at] = (byte)(input[at] + _random.Next(-16, 17));
                break;
            case 3 or 4:
                Number(input, at);
                break;
            case 5:
                input.RemoveRange(at, Math.Min(input.Count - at, Length()));
                break;
            case 6:
                Insert(input, [.. input.Skip(at).Take(Length())]); // a part of it twice
                break;
            case 7:
                Insert(input, Noise(Length()));
                break;
            case 8:
                input.RemoveRange(at, input.Count - at);
                break;
            case 9:
                byte[] other = kept[_random.Next(kept.Count)];
                input.RemoveRange(at, input.Count - at);
                input.AddRange(other.AsSpan(_random.Next(other.Length + 1)));
                break;
            case 10 when _tokens.Count > 0:
                Insert(input, _tokens[_random.Next(_tokens.Count)]);
                break;
            case 11 when _tokens.Count > 0:
                Overwrite(input, at, _tokens[_random.Next(_tokens.Count)]);
                break;
            default:
                Overwrite(input, at, Noise(Length()));
                break;
        }
    }

    /// <summary>A telling number in one of the usual widths and byte orders, or a small change to the one that is there.</summary>
    private void Number(List<byte> input, int at)
    {
        int width = 1 << _random.Next(4);
        if (input.Count < width) return;
        at = Math.Min(at, input.Count - width);
        byte[] bytes = new byte[8];
        bool big = _random.Next(2) == 0;
        ulong value = Interesting[_random.Next(Interesting.Length)];
        if (_random.Next(3) == 0)
        {
            for (int i = 0; i < width; i++) bytes[big ? 8 - width + i : i] = input[at + i];
            value = (big ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : BinaryPrimitives.ReadUInt64LittleEndian(bytes)) + (ulong)_random.Next(-20, 21);
        }

        if (big) BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        else BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Overwrite(input, at, big ? bytes[(8 - width)..] : bytes[..width]);
    }

    private int Length() => _random.Next(4) == 0 ? _random.Next(1, 257) : _random.Next(1, 17);

    private byte[] Noise(int length)
    {
        byte[] noise = new byte[length];
        if (_random.Next(2) == 0) Array.Fill(noise, (byte)_random.Next(256));
        else _random.NextBytes(noise);
        return noise;
    }

    private void Insert(List<byte> input, byte[] bytes) => input.InsertRange(_random.Next(input.Count + 1), bytes);

    private static void Overwrite(List<byte> input, int at, byte[] bytes)
    {
        for (int i = 0; i < bytes.Length && at + i < input.Count; i++) input[at + i] = bytes[i];
    }
}
