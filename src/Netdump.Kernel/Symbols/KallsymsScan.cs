using System.Buffers.Binary;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Symbols;

/// <summary>Finds kallsyms in the kernel image without being told where it lies: kernels before 6.0 do not say.</summary>
/// <remarks>
/// The digits stay tokens of their own and are neighbours, so the token table shows itself. What stands around it depends on the version;
/// a place is right only when its names, their markers and the addresses of known symbols agree.
/// </remarks>
internal static class KallsymsScan
{
    private const int Reach = 80 << 20;      // from _stext on; text and read-only data of a large kernel take half of it
    private const int Window = 1 << 20;
    private const int Overlap = 64;
    private const int NamesReach = 8 << 20;  // from the token table back to the number of symbols: twice what it is in 7.3
    private const int MostAttempts = 32;     // tables that are read in full
    private const long MostNames = 50_000_000; // entries that are walked: a hostile dump could be full of beginnings
    private const int FewestSymbols = 1000;
    private const int SampledNames = 200;
    private const int MostDigits = 256;      // places that may be the token table's

    private static ReadOnlySpan<byte> Digits => "0\01\02\03\04\05\06\07\08\09\0"u8;

    /// <summary>Searches the image.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="info">The kernel's VMCOREINFO: needs SYMBOL(_stext).</param>
    /// <param name="why">The reason when nothing is found.</param>
    /// <returns>The symbols; null when there are none.</returns>
    public static ImageSymbols? Find(KernelMemory memory, VmcoreInfo info, out string why)
    {
        if (info.Symbol("_stext") is not { } start)
        {
            why = "VMCOREINFO has no SYMBOL(kallsyms_names) and no SYMBOL(_stext) to search kallsyms from";
            return null;
        }
        why = $"kallsyms was not found in the {Reach >> 20} MiB from _stext 0x{start:x} on";
        var window = new byte[Window + Overlap];
        var attempts = MostAttempts;
        var digits = MostDigits;
        for (var done = 0; done < Reach; done += Window)
        {
            memory.ReadWithHoles(start + (ulong)done, window);
            for (var from = 0; from < Window && window.AsSpan(from).IndexOf(Digits) is var found and >= 0; from += found + 1)
            {
                if (digits-- == 0)
                    return null;
                if (TokensAround(memory, start + (ulong)(done + from + found)) is not { } tokens)
                    continue;
                if (FindNames(memory, info, tokens, ref attempts, ref why) is { } symbols)
                    return symbols;
                if (attempts-- <= 0)
                    return null;
            }
        }
        return null;
    }

    private readonly record struct Tokens(ulong Table, ulong Index);

    // The index follows the table, which ends 208 tokens behind that of "0".
    private static Tokens? TokensAround(KernelMemory memory, ulong zero)
    {
        var bytes = new byte[8192];
        memory.ReadWithHoles(zero, bytes);
        var end = 0;
        for (var token = '0'; token < 256; token++)
        {
            var length = bytes.AsSpan(end).IndexOf((byte)0);
            if (length < 0)
                return null;
            end += length + 1;
        }
        for (var alignment = 1UL; alignment <= 8; alignment *= 2)
        {
            var index = (zero + (ulong)end + alignment - 1) / alignment * alignment;
            if (!memory.TryReadUInt16(index + '0' * 2, out var before))
                continue;
            if (TokenTable.Read(memory, zero - before, index, out _) is { } table && table.Length == before + end)
                return new(zero - before, index);
        }
        return null;
    }

    private static ImageSymbols? FindNames(KernelMemory memory, VmcoreInfo info, Tokens tokens, ref int attempts, ref string why)
    {
        if (TokenTable.Read(memory, tokens.Table, tokens.Index, out _) is not { } table)
            return null;
        var start = tokens.Table / 4 * 4 - NamesReach;
        var reach = memory.ViewWithHoles(start, NamesReach);
        var budget = MostNames;
        for (var at = NamesReach - 8; at >= 0; at -= 4)
        {
            var count = BinaryPrimitives.ReadUInt32LittleEndian(reach.Span[at..]);
            if (count < FewestSymbols || count * 2L > NamesReach - at)
                continue;
            // 8-aligned names stand behind four bytes of zeros.
            var names = BinaryPrimitives.ReadUInt32LittleEndian(reach.Span[(at + 4)..]) == 0 ? at + 8 : at + 4;
            if (!AreNames(reach.Span[names..], (int)count, table, ref budget))
                continue;
            foreach (var place in Places(start + (ulong)at, count, start + (ulong)names, tokens))
            {
                if (ImageSymbols.Open(memory, info, place, null, out var reason) is { } symbols)
                    return symbols;
                why = $"a table found at 0x{place.Count:x} is not kallsyms: {reason}";
                if (attempts-- <= 0)
                    return null;
            }
        }
        return null;
    }

    // The names of a real table end where markers say where every 256th begins. Since entries follow each other without a gap, a start in the
    // middle of real names looks right for long: only the end tells.
    private static bool AreNames(ReadOnlySpan<byte> bytes, int count, TokenTable table, ref long budget)
    {
        var markers = new int[(count + KallsymsNames.MarkerDistance - 1) / KallsymsNames.MarkerDistance];
        for (var longLengths = 1; longLengths >= 0; longLengths--)
        {
            var (at, i) = (0, 0);
            for (; i < count && budget > 0; i++, budget--)
            {
                if (i % KallsymsNames.MarkerDistance == 0)
                    markers[i / KallsymsNames.MarkerDistance] = at;
                if (!KallsymsNames.TryReadLength(bytes, ref at, longLengths != 0, out var length) || length == 0 || at + length >= bytes.Length
                    || (i < SampledNames && (table[bytes[at]] is not [var letter, ..] || !char.IsAsciiLetter((char)letter))))
                    break;
                at += length;
            }
            if (i == count && KallsymsNames.HasMarkers(bytes, at, markers))
                return true;
        }
        return false;
    }

    private static IEnumerable<KallsymsPlace> Places(ulong number, uint count, ulong names, Tokens tokens)
    {
        // Until 6.4 the addresses stand before the names, with their base; since then behind the tokens, and since 7.0 there is no base.
        var before = (number - 8 - 4UL * count) / 8 * 8;
        var behind = tokens.Index + 512;
        yield return new(number, names, tokens.Table, tokens.Index, before, number - 8);
        yield return new(number, names, tokens.Table, tokens.Index, behind, null);
        yield return new(number, names, tokens.Table, tokens.Index, behind, (behind + 4UL * count + 7) / 8 * 8);
        yield return new(number, names, tokens.Table, tokens.Index, 0, null, (number - 8UL * count) / 8 * 8);
    }
}
