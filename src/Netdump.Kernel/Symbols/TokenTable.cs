using System.Buffers.Binary;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Symbols;

/// <summary>The 256 pieces that kallsyms puts its names together from (kallsyms_token_table, kallsyms_token_index).</summary>
internal sealed class TokenTable
{
    /// <summary>Multiplier of the names' hash: a piece's hash moves by one factor of it for each byte that follows.</summary>
    private const uint Prime = 0x0100_0193;

    private readonly byte[] _text;
    private readonly ushort[] _starts;
    private readonly uint[] _hashes = new uint[256];
    private readonly uint[] _factors = new uint[256];

    private TokenTable(byte[] text, ushort[] starts)
    {
        _text = text;
        _starts = starts;
        for (var token = 0; token < 256; token++)
        {
            var factor = 1u;
            foreach (var _ in this[token])
                factor *= Prime;
            (_hashes[token], _factors[token]) = (Hash(this[token]), factor);
        }
    }

    /// <summary>The text of a token.</summary>
    public ReadOnlySpan<byte> this[int token] => _text.AsSpan(_starts[token], _starts[token + 1] - 1 - _starts[token]);

    /// <summary>Bytes of the table.</summary>
    public int Length => _text.Length;

    /// <summary>Reads the table.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="table">Address of kallsyms_token_table.</param>
    /// <param name="index">Address of kallsyms_token_index.</param>
    /// <param name="why">The reason when it cannot be read or is no such table.</param>
    public static TokenTable? Read(KernelMemory memory, ulong table, ulong index, out string why)
    {
        Span<byte> places = stackalloc byte[512];
        if (!memory.TryRead(index, places, out var fault))
        {
            why = $"kallsyms_token_index: {fault}";
            return null;
        }
        var starts = new ushort[257];
        for (var token = 0; token < 256; token++)
        {
            starts[token] = BinaryPrimitives.ReadUInt16LittleEndian(places[(token * 2)..]);
            if (token == 0 ? starts[0] != 0 : starts[token] <= starts[token - 1])
            {
                why = $"kallsyms_token_index at 0x{index:x} does not ascend from 0 at token {token}";
                return null;
            }
        }
        var text = new byte[starts[255] + KallsymsNames.LongestName];
        var got = memory.Read(table, text);
        var end = got <= starts[255] ? -1 : text.AsSpan(starts[255], got - starts[255]).IndexOf((byte)0);
        if (end < 0 || starts[255] + end + 1 > ushort.MaxValue)
        {
            why = $"kallsyms_token_table at 0x{table:x} has no end";
            return null;
        }
        starts[256] = (ushort)(starts[255] + end + 1);
        for (var token = 0; token < 256; token++)
            if (text.AsSpan(starts[token]).IndexOf((byte)0) != starts[token + 1] - 1 - starts[token])
            {
                why = $"kallsyms_token_table at 0x{table:x}: token {token} does not end where the next one begins";
                return null;
            }
        why = "";
        return new(text[..starts[256]], starts);
    }

    /// <summary>The hash of a name.</summary>
    public static uint Hash(ReadOnlySpan<byte> name)
    {
        var hash = 0u;
        foreach (var letter in name)
            hash = hash * Prime + letter + 1;
        return hash;
    }

    /// <summary>The hash of a name that is longer by a token.</summary>
    /// <param name="hash">The hash of what stands before.</param>
    /// <param name="token">The token.</param>
    public uint Hash(uint hash, byte token) => hash * _factors[token] + _hashes[token];
}
