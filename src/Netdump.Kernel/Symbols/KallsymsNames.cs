using System.Runtime.InteropServices;
using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Symbols;

/// <summary>The names of kallsyms, packed as the kernel has them (kallsyms_names); one is unpacked when it is asked for.</summary>
/// <remarks>
/// An entry is a length and that many token numbers. Since 6.1 a length from 128 on takes two bytes; before, it was one byte whatever its value.
/// The first letter of what the tokens give is the symbol's type, the rest its name.
/// </remarks>
internal sealed class KallsymsNames
{
    /// <summary>KSYM_NAME_LEN since 6.1, the type letter and the NUL included.</summary>
    public const int LongestName = 512;

    /// <summary>The most symbols that are read: ten times what distributions' kernels have.</summary>
    public const int MaximumCount = 2_000_000;

    /// <summary>The most bytes of packed names that are read.</summary>
    public const int MaximumBytes = 32 << 20;

    /// <summary>A marker says where every so many-th name begins.</summary>
    public const int MarkerDistance = 256;

    private const int BlockSize = 16;

    private readonly MemoryView _packed;
    private readonly int[] _blocks;
    private readonly TokenTable _tokens;
    private readonly bool _longLengths;
    private readonly NameIndex _index;

    private KallsymsNames(MemoryView packed, int end, int[] blocks, TokenTable tokens, bool longLengths, uint[] hashes)
    {
        (_packed, _blocks, _tokens, _longLengths) = (packed, blocks, tokens, longLengths);
        PackedBytes = end;
        Count = hashes.Length;
        _index = new(hashes);
    }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>Bytes of the packed names.</summary>
    public int PackedBytes { get; }

    /// <summary>Reads the names.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="place">Where the tables lie.</param>
    /// <param name="why">The reason when they cannot be read.</param>
    public static KallsymsNames? Read(KernelMemory memory, KallsymsPlace place, out string why)
    {
        if (!memory.TryReadUInt32(place.Count, out var count))
        {
            why = $"kallsyms_num_syms at 0x{place.Count:x} is not in the dump";
            return null;
        }
        if (count is 0 or > MaximumCount)
        {
            why = $"kallsyms_num_syms at 0x{place.Count:x} is {count}: expected 1 to {MaximumCount}";
            return null;
        }
        if (TokenTable.Read(memory, place.TokenTable, place.TokenIndex, out why) is not { } tokens)
            return null;
        // In every layout the names end before the tokens begin.
        var room = place.TokenTable > place.Names ? place.TokenTable - place.Names : 0;
        if (room < count * 2UL || room > MaximumBytes)
        {
            why = $"kallsyms_token_table at 0x{place.TokenTable:x} leaves no room for {count} names from 0x{place.Names:x}";
            return null;
        }
        var packed = memory.View(place.Names, (int)room, out var got);
        return Walk(packed, got, (int)count, tokens, out why);
    }

    /// <summary>The symbol's type letter.</summary>
    public char Letter(int symbol) => (char)_tokens[_packed.Span[Find(symbol, out _)]][0];

    /// <summary>Unpacks a name.</summary>
    public string Name(int symbol)
    {
        Span<byte> text = stackalloc byte[LongestName];
        return Encoding.UTF8.GetString(text[..Unpack(symbol, text)]);
    }

    /// <summary>Unpacks a name.</summary>
    /// <param name="symbol">Number of the symbol.</param>
    /// <param name="text">Takes it; <see cref="LongestName"/> bytes.</param>
    /// <returns>Its bytes.</returns>
    public int Unpack(int symbol, Span<byte> text) => Unpack(Find(symbol, out var length), length, text);

    /// <summary>The first symbol of a name, or the first after another one of that name; -1 when there is none.</summary>
    public int Find(ReadOnlySpan<byte> name, int after = -1)
    {
        Span<byte> text = stackalloc byte[LongestName];
        for (var next = after < 0 ? _index.First(TokenTable.Hash(name)) : _index.Next(after); next >= 0; next = _index.Next(next))
            if (text[..Unpack(next, text)].SequenceEqual(name))
                return next;
        return -1;
    }

    /// <summary>Reads the length of an entry.</summary>
    /// <param name="packed">The names.</param>
    /// <param name="at">The entry; moved behind the length.</param>
    /// <param name="longLengths">Whether a length from 128 on takes two bytes.</param>
    /// <param name="length">How many tokens follow.</param>
    internal static bool TryReadLength(ReadOnlySpan<byte> packed, ref int at, bool longLengths, out int length)
    {
        length = 0;
        if (at >= packed.Length)
            return false;
        length = packed[at++];
        if (!longLengths || length < 0x80)
            return true;
        if (at >= packed.Length || packed[at] >= 0x80)
            return false;
        length = (length & 0x7f) | packed[at++] << 7;
        return true;
    }

    /// <summary>Whether the markers follow the names.</summary>
    /// <param name="packed">The names and what stands behind them.</param>
    /// <param name="end">Where the names end.</param>
    /// <param name="markers">What they have to say.</param>
    internal static bool HasMarkers(ReadOnlySpan<byte> packed, int end, ReadOnlySpan<int> markers)
    {
        var expected = MemoryMarshal.AsBytes(markers);
        for (var alignment = 4; alignment <= 8; alignment += 4)
            if (packed[int.Min(packed.Length, end + (alignment - end % alignment) % alignment)..].StartsWith(expected))
                return true;
        return false;
    }

    // The markers, which follow the names, tell the two ways to read a length apart: they say where every 256th entry begins.
    private static KallsymsNames? Walk(MemoryView bytes, int got, int count, TokenTable tokens, out string why)
    {
        var packed = bytes.Span[..got];
        var blocks = new int[(count + BlockSize - 1) / BlockSize];
        var hashes = new uint[count];
        var longLengths = true;
        if (Walk(packed, tokens, true, blocks, hashes, out var ambiguous, out why) is not { } end || (ambiguous && !HasMarkers(packed, end, Markers(blocks))))
        {
            var firstReason = why;
            longLengths = false;
            if (Walk(packed, tokens, false, blocks, hashes, out _, out why) is not { } otherEnd || !HasMarkers(packed, otherEnd, Markers(blocks)))
            {
                why = firstReason.Length > 0 ? firstReason : "kallsyms_markers do not tell where the names end";
                return null;
            }
            end = otherEnd;
        }
        why = "";
        // Only the markers lie between names and tokens: a copy without them would need more memory than it saves.
        return new(bytes.IsMapped || end >= bytes.Length / 2 ? bytes : MemoryView.Of(packed[..end]), end, blocks, tokens, longLengths, hashes);
    }

    private static int? Walk(
        ReadOnlySpan<byte> packed, TokenTable tokens, bool longLengths, int[] blocks, uint[] hashes, out bool ambiguous, out string why)
    {
        ambiguous = false;
        why = "";
        var at = 0;
        for (var i = 0; i < hashes.Length; i++)
        {
            if (i % BlockSize == 0)
                blocks[i / BlockSize] = at;
            var start = at;
            ambiguous |= at < packed.Length && packed[at] >= 0x80;
            if (!TryReadLength(packed, ref at, longLengths, out var length) || length == 0 || length > packed.Length - at)
            {
                why = $"kallsyms_names: symbol {i} of {hashes.Length}, at offset 0x{start:x}, has no valid length, or runs off what the dump has";
                return null;
            }
            // The letter of the type, with which the first token begins, is no part of the name.
            var first = tokens[packed[at]];
            var hash = first.IsEmpty ? 0 : TokenTable.Hash(first[1..]);
            var size = first.IsEmpty ? LongestName + 1 : first.Length;
            foreach (var token in packed.Slice(at + 1, length - 1))
            {
                hash = tokens.Hash(hash, token);
                size += tokens[token].Length;
            }
            if (size is < 2 or > LongestName)
            {
                why = $"kallsyms_names: symbol {i}, at offset 0x{start:x}, would have {size} letters: a name has 1 to {LongestName - 1}";
                return null;
            }
            hashes[i] = hash;
            at += length;
        }
        return at;
    }

    private static int[] Markers(int[] blocks)
    {
        const int step = MarkerDistance / BlockSize;
        var markers = new int[(blocks.Length + step - 1) / step];
        for (var i = 0; i < markers.Length; i++)
            markers[i] = blocks[i * step];
        return markers;
    }

    private int Find(int symbol, out int length)
    {
        var at = _blocks[symbol / BlockSize];
        length = 0;
        for (var skipped = symbol % BlockSize; skipped >= 0; skipped--)
        {
            at += length;
            TryReadLength(_packed.Span, ref at, _longLengths, out length);
        }
        return at;
    }

    private int Unpack(int at, int length, Span<byte> text)
    {
        var packed = _packed.Span;
        var piece = _tokens[packed[at]][1..];
        piece.CopyTo(text);
        var done = piece.Length;
        foreach (var token in packed.Slice(at + 1, length - 1))
        {
            piece = _tokens[token];
            piece.CopyTo(text[done..]);
            done += piece.Length;
        }
        return done;
    }
}
