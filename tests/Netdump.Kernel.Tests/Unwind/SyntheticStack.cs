using System.Buffers.Binary;
using Netdump.Kernel.Unwind;

namespace Netdump.Kernel.Tests.Unwind;

/// <summary>A small x86_64 kernel's code, stacks and ORC tables, written word by word.</summary>
internal sealed class SyntheticStack
{
    public const ulong Text = 0xffff_ffff_8100_0000;
    public const ulong FunctionSize = 0x100;
    public const ulong Stack = 0xffff_c900_0000_0000;
    public const ulong StackSize = 0x4000;
    public const ulong IrqStack = 0xffff_c900_0010_0000;
    public const ulong Tables = 0xffff_ffff_8200_0000;
    private const int Functions = 16;

    private readonly SortedDictionary<ulong, byte[]> _memory = [];
    private readonly List<(ulong Address, OrcEntry Entry)> _entries = [];
    private readonly List<(ulong Address, byte[] Bytes)> _rawEntries = [];

    public SyntheticStack()
    {
        _memory[Text] = new byte[Functions * (int)FunctionSize];
        _memory[Text].AsSpan().Fill(0x90);
        _memory[Stack] = new byte[StackSize];
        _memory[IrqStack] = new byte[StackSize];
    }

    /// <summary>Pages that the dump does not have.</summary>
    public HashSet<ulong> MissingPages { get; } = [];

    public static OrcEntry Call(short spOffset, OrcRegister sp = OrcRegister.Sp, short bpOffset = 0, OrcRegister bp = OrcRegister.Undefined) =>
        new(spOffset, bpOffset, sp, bp, OrcType.Call, IsSignal: false);

    /// <summary>Where function n begins.</summary>
    public static ulong Function(int n) => Text + (ulong)n * FunctionSize;

    /// <summary>Gives function n an entry, from an offset in it on.</summary>
    public SyntheticStack Orc(int n, OrcEntry entry, ulong from = 0)
    {
        _entries.Add((Function(n) + from, entry));
        return this;
    }

    /// <summary>Gives function n an entry of any bits.</summary>
    public SyntheticStack OrcRaw(int n, short spOffset, short bpOffset, ushort bits)
    {
        var bytes = new byte[OrcEntry.Size];
        BinaryPrimitives.WriteInt16LittleEndian(bytes, spOffset);
        BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(2), bpOffset);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(4), bits);
        _rawEntries.Add((Function(n), bytes));
        return this;
    }

    public SyntheticStack Write(ulong address, params ulong[] words)
    {
        for (var i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(At(address + (ulong)i * 8, 8), words[i]);
        return this;
    }

    public SyntheticStack Code(ulong address, params byte[] code)
    {
        code.CopyTo(At(address, code.Length));
        return this;
    }

    /// <summary>Writes a call of function n that returns to an address.</summary>
    public SyntheticStack CallBefore(ulong returnAddress, int n)
    {
        var code = new byte[5];
        code[0] = 0xe8;
        BinaryPrimitives.WriteInt32LittleEndian(code.AsSpan(1), unchecked((int)(long)(Function(n) - returnAddress)));
        return Code(returnAddress - 5, code);
    }

    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var at = address + (ulong)done;
            if (MissingPages.Contains(at >> 12) || Segment(at) is not { } segment)
                break;
            destination[done++] = segment.Bytes[(int)(at - segment.Start)];
        }
        return done;
    }

    /// <summary>The tables in the form of a version, and what a walk needs around them.</summary>
    public X64Kernel Open(OrcVersion version = OrcVersion.V1, bool usesFramePointers = false, bool hasTables = true, bool addsBeforeIndirection = false)
    {
        var sorted = _entries.Select(e => (e.Address, Bytes: Encode(e.Entry, version))).Concat(_rawEntries).OrderBy(e => e.Address).ToList();
        var addresses = new byte[sorted.Count * 4];
        var entries = new byte[sorted.Count * OrcEntry.Size];
        for (var i = 0; i < sorted.Count; i++)
        {
            var at = Tables + (ulong)i * 4;
            BinaryPrimitives.WriteInt32LittleEndian(addresses.AsSpan(i * 4), unchecked((int)(long)(sorted[i].Address - at)));
            sorted[i].Bytes.CopyTo(entries.AsSpan(i * OrcEntry.Size));
        }
        _memory[Tables] = [.. addresses, .. entries];
        var memory = new CachedMemory(Read);
        var table = new OrcTable(memory, Tables, Tables + (ulong)addresses.Length, sorted.Count);
        OrcLookup find = (ulong address, out OrcEntry entry) =>
        {
            entry = default;
            return IsText(address) && table.TryFind(address, version, out entry);
        };
        return new X64Kernel(memory, new KernelCode(IsText, FunctionAt), hasTables ? find : null, usesFramePointers, addsBeforeIndirection);
    }

    public static StackAreas Areas() =>
        new([new StackArea(Stack, Stack + StackSize, "TASK"), new StackArea(IrqStack, IrqStack + StackSize, "IRQ")], isComplete: true);

    /// <summary>A pt_regs, or a PRSTATUS note's first words.</summary>
    public static ulong[] Registers(ulong ip, ulong sp, ulong bp = 0, ulong cs = 0x10)
    {
        var words = new ulong[21];
        (words[4], words[16], words[17], words[19], words[20]) = (bp, ip, cs, sp, cs == 0x10 ? 0x18UL : 0x2b);
        return words;
    }

    public static FrameRegisters Start(ulong ip, ulong sp, ulong bp = 0, ulong cs = 0x10)
    {
        var bytes = new byte[21 * 8];
        Registers(ip, sp, bp, cs).AsSpan().ToArray().Select((w, i) => (w, i)).ToList()
            .ForEach(p => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(p.i * 8), p.w));
        return FrameRegisters.Of(Netdump.Vmcore.Machines.X64, bytes)!;
    }

    public static byte[] Encode(OrcEntry entry, OrcVersion version)
    {
        ReadOnlySpan<OrcRegister> numbers = version == OrcVersion.V4
            ? [OrcRegister.Undefined, OrcRegister.Ax, OrcRegister.Dx, OrcRegister.Sp, OrcRegister.Bp, OrcRegister.Di, OrcRegister.R10, OrcRegister.R13,
                OrcRegister.PreviousSp, OrcRegister.SpIndirect, OrcRegister.BpIndirect]
            : [OrcRegister.Undefined, OrcRegister.PreviousSp, OrcRegister.Dx, OrcRegister.Di, OrcRegister.Bp, OrcRegister.Sp, OrcRegister.R10, OrcRegister.R13,
                OrcRegister.BpIndirect, OrcRegister.SpIndirect];
        var bits = numbers.IndexOf(entry.Sp) | numbers.IndexOf(entry.Bp) << 4;
        if (version >= OrcVersion.V3)
            bits |= (int)entry.Type << 8 | (entry.IsSignal ? 1 << 11 : 0);
        else
        {
            bits |= entry.Type switch { OrcType.Registers => 1, OrcType.Interrupt => 2, _ => 0 } << 8;
            bits |= entry.Type == OrcType.End ? 1 << (version == OrcVersion.V1 ? 10 : 11) : 0;
            bits |= version == OrcVersion.V2 && entry.IsSignal ? 1 << 10 : 0;
        }
        var bytes = new byte[OrcEntry.Size];
        BinaryPrimitives.WriteInt16LittleEndian(bytes, entry.SpOffset);
        BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(2), entry.BpOffset);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(4), (ushort)bits);
        return bytes;
    }

    private static bool IsText(ulong address) => address >= Text && address < Text + Functions * FunctionSize;

    private static CodeFunction? FunctionAt(ulong address)
    {
        if (!IsText(address))
            return null;
        var n = (int)((address - Text) / FunctionSize);
        return new CodeFunction(Function(n), Function(n + 1), $"f{n}");
    }

    private (ulong Start, byte[] Bytes)? Segment(ulong address)
    {
        foreach (var (start, bytes) in _memory)
            if (address >= start && address - start < (ulong)bytes.Length)
                return (start, bytes);
        return null;
    }

    private Span<byte> At(ulong address, int length)
    {
        var (start, bytes) = Segment(address) ?? throw new ArgumentOutOfRangeException(nameof(address), $"nothing at {address:x}");
        return bytes.AsSpan((int)(address - start), length);
    }
}
