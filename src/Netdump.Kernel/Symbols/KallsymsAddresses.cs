using System.Runtime.InteropServices;
using System.Text;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Symbols;

/// <summary>What an entry of kallsyms_offsets means.</summary>
internal enum AddressMode
{
    /// <summary>x86_64 until 6.14: an offset from 0 on is an address by itself (per-CPU and absolute symbols); a negative one counts from the base down.</summary>
    AbsolutePerCpu,

    /// <summary>x86_64 from 6.15 to 6.19, and arm64: an unsigned distance from the base.</summary>
    BaseRelative,

    /// <summary>Since 7.0: a signed distance from the entry itself.</summary>
    PlaceRelative,

    /// <summary>Without CONFIG_KALLSYMS_BASE_RELATIVE: whole addresses.</summary>
    Whole,
}

/// <summary>The addresses of kallsyms, in the order of the names, after they were proven against what VMCOREINFO says of single symbols.</summary>
/// <remarks>In memory the kernel has already moved them by what KASLR chose. Kept as they are stored, in half the memory.</remarks>
internal sealed class KallsymsAddresses
{
    // Symbols in different sections: a table read from a place next to the right one gives the neighbours' addresses, and _stext has aliases.
    private static readonly string[] Witnesses =
    [
        "_stext", "init_uts_ns", "swapper_pg_dir", "init_top_pgt", "printk_rb_static", "clear_seq", "vmap_area_list", "node_data",
    ];

    private readonly MemoryView _stored;
    private readonly ulong _start;

    private KallsymsAddresses(MemoryView stored, AddressMode mode, ulong start) => (_stored, Mode, _start) = (stored, mode, start);

    /// <summary>The form that is proven right.</summary>
    public AddressMode Mode { get; }

    /// <summary>How many there are.</summary>
    public int Count => _stored.Length / EntryLength(Mode);

    /// <summary>The address of a symbol.</summary>
    public ulong this[int symbol] => unchecked(Mode switch
    {
        AddressMode.Whole => MemoryMarshal.Cast<byte, ulong>(_stored.Span)[symbol],
        AddressMode.PlaceRelative => _start + (ulong)symbol * 4 + (ulong)(long)Offset(symbol),
        AddressMode.BaseRelative => _start + (uint)Offset(symbol),
        _ => Offset(symbol) is >= 0 and var absolute ? (ulong)absolute : _start - 1 - (ulong)(long)Offset(symbol),
    });

    /// <summary>Reads the addresses.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="place">Where the tables lie.</param>
    /// <param name="names">The names.</param>
    /// <param name="info">The kernel's VMCOREINFO.</param>
    /// <param name="forced">The only mode to try; null for all that can be.</param>
    /// <param name="why">The reason when no mode gives the addresses that VMCOREINFO has.</param>
    public static KallsymsAddresses? Read(
        KernelMemory memory, KallsymsPlace place, KallsymsNames names, VmcoreInfo info, AddressMode? forced, out string why)
    {
        if (place.Addresses != 0)
        {
            if (ReadTable(memory, place.Addresses, names.Count * EntryLength(AddressMode.Whole), out var gone) is not { } whole)
            {
                why = $"kallsyms_addresses: {gone}";
                return null;
            }
            KallsymsAddresses plain = new(whole, AddressMode.Whole, 0);
            return plain.Agrees(names, info, out why) ? plain : null;
        }
        if (ReadTable(memory, place.Offsets, names.Count * EntryLength(AddressMode.BaseRelative), out var fault) is not { } offsets)
        {
            why = $"kallsyms_offsets: {fault}";
            return null;
        }
        var start = 0UL;
        if (place.RelativeBase is { } at && !memory.TryReadUInt64(at, out start))
        {
            why = $"kallsyms_relative_base at 0x{at:x} is not in the dump";
            return null;
        }
        why = "";
        foreach (var candidate in Candidates(place, offsets))
        {
            if (forced is { } only && only != candidate)
                continue;
            KallsymsAddresses addresses = new(offsets, candidate, candidate == AddressMode.PlaceRelative ? place.Offsets : start);
            if (addresses.Agrees(names, info, out var reason))
                return addresses;
            why = why.Length > 0 ? why : reason;
        }
        return null;
    }

    private int Offset(int symbol) => MemoryMarshal.Cast<byte, int>(_stored.Span)[symbol];

    private static int EntryLength(AddressMode mode) => mode == AddressMode.Whole ? 8 : 4;

    private static MemoryView? ReadTable(KernelMemory memory, ulong address, int length, out MemoryFault fault)
    {
        fault = default;
        var view = memory.View(address, length, out var got);
        if (got == length)
            return view;
        _ = memory.TryRead(address + (ulong)got, stackalloc byte[1], out fault); // says why
        return null;
    }

    // The most likely first.
    private static AddressMode[] Candidates(KallsymsPlace place, MemoryView offsets) =>
        place.RelativeBase is null ? [AddressMode.PlaceRelative]
        : MemoryMarshal.Cast<byte, int>(offsets.Span).ContainsAnyInRange(int.MinValue, -1) ? [AddressMode.AbsolutePerCpu, AddressMode.BaseRelative, AddressMode.PlaceRelative]
        : [AddressMode.BaseRelative, AddressMode.AbsolutePerCpu, AddressMode.PlaceRelative];

    private bool Agrees(KallsymsNames names, VmcoreInfo info, out string why)
    {
        var met = 0;
        foreach (var witness in Witnesses)
        {
            if (info.Symbol(witness) is not { } expected)
                continue;
            var name = Encoding.ASCII.GetBytes(witness);
            var first = names.Find(name);
            var symbol = first;
            while (symbol >= 0 && this[symbol] != expected)
                symbol = names.Find(name, symbol);
            if (symbol < 0 && first >= 0)
            {
                why = $"kallsyms gives 0x{this[first]:x} for {witness}, VMCOREINFO 0x{expected:x}: the table is of another form, or damaged";
                return false;
            }
            met += symbol < 0 ? 0 : 1;
        }
        why = met > 0 ? "" : "kallsyms has none of the symbols that VMCOREINFO has, so its addresses cannot be proven";
        return met > 0;
    }
}
