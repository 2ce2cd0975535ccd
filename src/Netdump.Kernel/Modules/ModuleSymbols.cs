using System.Buffers.Binary;
using System.Text;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Types;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Modules;

/// <summary>The symbols of a module (struct mod_kallsyms, an ELF symbol table in the module's own memory).</summary>
internal sealed class ModuleSymbols
{
    private const int EntrySize = 24; // Elf64_Sym: name u32, info u8, other u8, shndx u16, value u64, size u64
    private const int MaximumCount = 1 << 18;
    private const int MaximumText = 16 << 20;

    private static readonly ModuleSymbols None = new([], [], [], [], null);

    private readonly ulong[] _values;
    private readonly int[] _names;
    private readonly byte[] _letters;
    private readonly byte[] _text;
    private readonly int[] _byAddress;
    private readonly HashSet<(ulong, string)>? _exported;
    private NameIndex? _index;

    private ModuleSymbols(ulong[] values, int[] names, byte[] letters, byte[] text, HashSet<(ulong, string)>? exported)
    {
        (_values, _names, _letters, _text, _exported) = (values, names, letters, text, exported);
        var places = new int[values.Length];
        var count = 0;
        for (var i = 0; i < values.Length; i++)
            if (!IsMapping(NameOf(i)))
                places[count++] = i;
        _byAddress = places[..count];
        Array.Sort(_byAddress, (a, b) => values[a] != values[b] ? values[a].CompareTo(values[b]) : a.CompareTo(b));
    }

    /// <summary>How many there are.</summary>
    public int Count => _values.Length;

    /// <summary>Reads a module's symbols; none where the table cannot be read.</summary>
    public static ModuleSymbols Read(KernelMemory memory, KernelObject module, Gaps gaps)
    {
        var table = module["kallsyms"];
        var name = module["name"].Text;
        if (table["num_symtab"].Unsigned is not { } count || table["symtab"].Pointer is not { } at
            || table["strtab"].Pointer is not { } text || table["typetab"].Pointer is not { } letters)
        {
            gaps.Add($"symbols of module {name}", "module.kallsyms is not in the dump");
            return None;
        }
        if (count > MaximumCount)
        {
            gaps.Add($"symbols of module {name}", $"module.kallsyms.num_symtab is {count}, at most {MaximumCount} are read");
            return None;
        }
        var bytes = new byte[(int)count * EntrySize];
        var got = memory.Read(at, bytes);
        if (got < bytes.Length)
            gaps.Add($"symbols of module {name}", $"the symbol table at 0x{at:x} is cut after {got} of {bytes.Length} bytes");
        var types = new byte[(int)count];
        types.AsSpan(memory.Read(letters, types)).Fill((byte)'?');
        return Read(memory, bytes.AsSpan(0, got / EntrySize * EntrySize), types, text, Exported(memory, module));
    }

    /// <summary>All of them, in the order of the table, with the letters of /proc/kallsyms.</summary>
    public IEnumerable<KernelSymbol> All(string module)
    {
        for (var i = 0; i < _values.Length; i++)
            yield return new(_values[i], Letter(i), Encoding.UTF8.GetString(NameOf(i)), module);
    }

    /// <summary>The type letter of a symbol as /proc/kallsyms has it: in capitals when the module exports it.</summary>
    public char Letter(int symbol)
    {
        var letter = (char)_letters[symbol];
        return _exported is not null && _exported.Contains((_values[symbol], Encoding.UTF8.GetString(NameOf(symbol))))
            ? char.ToUpperInvariant(letter)
            : char.ToLowerInvariant(letter);
    }

    /// <summary>The symbol that an address of the module belongs to.</summary>
    /// <param name="address">The address.</param>
    /// <param name="region">The part of the module it lies in: no symbol reaches over its ends.</param>
    /// <param name="match">The symbol; its module is left out.</param>
    public bool TryResolve(ulong address, ModuleRegion region, out SymbolMatch match)
    {
        var (low, high) = (0, _byAddress.Length);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_values[_byAddress[middle]] <= address)
                low = middle + 1;
            else
                high = middle;
        }
        match = default;
        if (low == 0 || _values[_byAddress[low - 1]] is var start && start < region.Start)
            return false;
        var end = region.Start + (region.IsText(address) ? region.TextSize : region.Size);
        if (low < _byAddress.Length && _values[_byAddress[low]] < end)
            end = _values[_byAddress[low]];
        var first = low - 1;
        while (first > 0 && _values[_byAddress[first - 1]] == start)
            first--;
        match = new(start, end - start, Encoding.UTF8.GetString(NameOf(_byAddress[first])), null);
        return true;
    }

    /// <summary>The first symbol of a name, or the first after another one; -1 when there is none.</summary>
    public int Find(ReadOnlySpan<byte> name, int after = -1)
    {
        if (_index is null)
        {
            var hashes = new uint[_values.Length];
            for (var i = 0; i < hashes.Length; i++)
                hashes[i] = TokenTable.Hash(NameOf(i));
            _index = new(hashes);
        }
        for (var next = after < 0 ? _index.First(TokenTable.Hash(name)) : _index.Next(after); next >= 0; next = _index.Next(next))
            if (NameOf(next).SequenceEqual(name))
                return next;
        return -1;
    }

    /// <summary>The address of a symbol.</summary>
    public ulong this[int symbol] => _values[symbol];

    private static ModuleSymbols Read(KernelMemory memory, ReadOnlySpan<byte> table, ReadOnlySpan<byte> types, ulong text, HashSet<(ulong, string)>? exported)
    {
        // The string table's size is not kept: it reaches as far as a name does.
        var furthest = 0u;
        for (var at = 0; at < table.Length; at += EntrySize)
            if (BinaryPrimitives.ReadUInt32LittleEndian(table[at..]) is var name and < MaximumText)
                furthest = uint.Max(furthest, name);
        var strings = new byte[furthest + KallsymsNames.LongestName];
        strings = strings[..memory.Read(text, strings)];
        var (values, names, letters) = (new ulong[table.Length / EntrySize], new int[table.Length / EntrySize], new byte[table.Length / EntrySize]);
        var count = 0;
        for (var at = 0; at < table.Length; at += EntrySize)
        {
            var entry = table[at..];
            var name = BinaryPrimitives.ReadUInt32LittleEndian(entry);
            // Entry 0 and undefined symbols are of section 0; a name that begins or ends outside of what was read is none.
            if (BinaryPrimitives.ReadUInt16LittleEndian(entry[6..]) == 0 || name >= strings.Length || strings[name] == 0
                || !strings.AsSpan((int)name, int.Min(KallsymsNames.LongestName, strings.Length - (int)name)).Contains((byte)0))
                continue;
            (values[count], names[count], letters[count]) = (BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]), (int)name, types[at / EntrySize]);
            count++;
        }
        return new(values[..count], names[..count], letters[..count], strings, exported);
    }

    // struct kernel_symbol begins with the distances from themselves to the symbol and to its name (CONFIG_HAVE_ARCH_PREL32_RELOCATIONS: both machines).
    private static HashSet<(ulong, string)>? Exported(KernelMemory memory, KernelObject module)
    {
        // Those of EXPORT_SYMBOL_GPL have a table of their own until 7.0, and /proc/kallsyms shows them as if they were not exported.
        var symbols = module["syms"];
        if (symbols.Pointer is not { } at || at == 0 || module["num_syms"].Unsigned is not { } count || count > MaximumCount)
            return null;
        var found = new HashSet<(ulong, string)>();
        var size = (ulong)symbols.Target.Size;
        for (var i = 0UL; i < count && size >= 8; i++)
        {
            var entry = unchecked(at + i * size);
            if (memory.TryReadInt32(entry, out var value) && memory.TryReadInt32(entry + 4, out var name)
                && memory.TryReadText(unchecked(entry + 4 + (ulong)(long)name), KallsymsNames.LongestName, out var text))
                found.Add((unchecked(entry + (ulong)(long)value), Encoding.UTF8.GetString(text)));
        }
        return found;
    }

    // Marks of the assembler between code and data, which the kernel leaves out when it looks an address up.
    private static bool IsMapping(ReadOnlySpan<byte> name) => name[0] == (byte)'$' || name.StartsWith(".L"u8) || name.StartsWith("L0"u8);

    private ReadOnlySpan<byte> NameOf(int symbol)
    {
        var text = _text.AsSpan(_names[symbol]);
        return text[..text.IndexOf((byte)0)];
    }
}
