using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Netdump.Kernel.Symbols;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tests.Symbols;

/// <summary>Tables of kallsyms as a kernel of a given form has them, in memory that holds nothing else.</summary>
internal sealed class KallsymsImage
{
    public const ulong Start = 0xffff_ffff_8000_0000;
    public const ulong Text = Start + 0x20_0000;
    public const ulong End = Start + 0x400_0000;

    // What kallsyms is proven with: SYMBOL() lines that name symbols of the table.
    private static readonly string[] Known = ["_stext", "init_uts_ns", "swapper_pg_dir", "init_top_pgt", "clear_seq"];

    private readonly byte[] _bytes;
    private readonly ulong _at;
    private readonly StringBuilder _info = new();

    /// <summary>Writes the tables.</summary>
    /// <param name="symbols">Address, type letter and name, in their order.</param>
    /// <param name="mode">How addresses are stored; this decides where the tables stand.</param>
    /// <param name="longLengths">Whether a length from 128 on takes two bytes.</param>
    /// <param name="at">Where the tables begin.</param>
    public KallsymsImage(IReadOnlyList<KernelSymbol> symbols, AddressMode mode, bool longLengths = true, ulong at = Start + 0x300_0000)
    {
        _at = at;
        var bytes = new MemoryStream();
        ulong Here() => at + (ulong)bytes.Length;
        void Align(int to)
        {
            while (bytes.Length % to != 0)
                bytes.WriteByte(0);
        }
        void Word(uint value) => bytes.Write(BitConverter.GetBytes(value));
        var relativeBase = mode == AddressMode.PlaceRelative ? (ulong?)null : symbols.Where(symbol => symbol.Address >= Start).Min(symbol => symbol.Address);
        KallsymsPlace place = default;
        void Offsets()
        {
            if (mode == AddressMode.Whole)
            {
                place = place with { Addresses = Here() };
                foreach (var symbol in symbols)
                    bytes.Write(BitConverter.GetBytes(symbol.Address));
                return;
            }
            place = place with { Offsets = Here() };
            foreach (var symbol in symbols)
                Word(unchecked((uint)(mode switch
                {
                    AddressMode.PlaceRelative => symbol.Address - Here(),
                    AddressMode.BaseRelative => symbol.Address - relativeBase!.Value,
                    _ => symbol.Address < Start ? symbol.Address : relativeBase!.Value - 1 - symbol.Address,
                })));
            if (relativeBase is { } value)
            {
                Align(8);
                place = place with { RelativeBase = Here() };
                bytes.Write(BitConverter.GetBytes(value));
            }
        }
        bytes.Write(new byte[64]);
        var isOld = mode is AddressMode.AbsolutePerCpu or AddressMode.Whole;
        if (isOld)
            Offsets();
        place = place with { Count = Here() };
        Word((uint)symbols.Count);
        if (mode != AddressMode.PlaceRelative)
            Align(8);
        place = place with { Names = Here() };
        var markers = new List<uint>();
        for (var i = 0; i < symbols.Count; i++)
        {
            if (i % 256 == 0)
                markers.Add((uint)(Here() - place.Names));
            var name = Encoding.UTF8.GetBytes(symbols[i].Letter + symbols[i].Name);
            bytes.WriteByte((byte)(longLengths && name.Length >= 0x80 ? name.Length & 0x7f | 0x80 : name.Length));
            if (longLengths && name.Length >= 0x80)
                bytes.WriteByte((byte)(name.Length >> 7));
            bytes.Write(name);
        }
        Align(mode == AddressMode.PlaceRelative ? 4 : 8);
        markers.ForEach(Word);
        Align(8);
        // Every token is one letter; those that no name has are empty.
        var used = symbols.SelectMany(symbol => Encoding.UTF8.GetBytes(symbol.Letter + symbol.Name)).Concat("0123456789"u8.ToArray()).ToHashSet();
        place = place with { TokenTable = Here() };
        var index = new List<ushort>();
        for (var token = 0; token < 256; token++)
        {
            index.Add((ushort)(Here() - place.TokenTable));
            if (used.Contains((byte)token))
                bytes.WriteByte((byte)token);
            bytes.WriteByte(0);
        }
        Align(mode == AddressMode.PlaceRelative ? 4 : 8);
        place = place with { TokenIndex = Here() };
        index.ForEach(start => bytes.Write(BitConverter.GetBytes(start)));
        if (!isOld)
            Offsets();
        bytes.Write(new byte[4096]);
        (Place, _bytes) = (place, bytes.ToArray());
        _info.Append(CultureInfo.InvariantCulture, $"OSRELEASE=0\nPAGESIZE=4096\nNUMBER(phys_base)=0\nSYMBOL(swapper_pg_dir)={Start + 0x10_0000:x}\n");
        foreach (var name in Known)
            if (symbols.FirstOrDefault(symbol => symbol.Name == name) is { Name: not null } known)
                _info.Append(CultureInfo.InvariantCulture, $"SYMBOL({name})={known.Address:x}\n");
    }

    public KallsymsPlace Place { get; set; }

    /// <summary>Opens the tables where <see cref="Place"/> says, or, without, by search.</summary>
    public KernelSymbols? Open(Gaps gaps, bool search = false)
    {
        var text = new StringBuilder(_info.ToString());
        if (!search)
        {
            foreach (var (name, address) in new (string, ulong)[]
            {
                ("num_syms", Place.Count), ("names", Place.Names), ("token_table", Place.TokenTable), ("token_index", Place.TokenIndex),
                ("offsets", Place.Offsets), ("relative_base", Place.RelativeBase ?? 0), ("addresses", Place.Addresses),
            })
                if (address != 0)
                    text.Append(CultureInfo.InvariantCulture, $"SYMBOL(kallsyms_{name})={address:x}\n");
        }
        var info = VmcoreInfo.Parse(Encoding.ASCII.GetBytes(text.ToString()));
        return KernelSymbols.Open(new KernelMemory(Read, info), info, Machines.X64, gaps);
    }

    public void Write(ulong address, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan((int)(address - _at)), value);

    public void Write(ulong address, byte value) => _bytes[address - _at] = value;

    /// <summary>Changes a byte, counted from the first; places behind the last begin anew.</summary>
    public void Change(int place, byte value) => _bytes[place % _bytes.Length] = value;

    private int Read(ulong physical, Span<byte> destination)
    {
        var address = physical + Start;
        if (address < _at || address >= _at + (ulong)_bytes.Length)
            return 0;
        var part = _bytes.AsSpan((int)(address - _at));
        part = part[..int.Min(part.Length, destination.Length)];
        part.CopyTo(destination);
        return part.Length;
    }
}
