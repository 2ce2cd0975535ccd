using System.Numerics;

namespace Netdump.Vmcore.Memory;

/// <summary>The kernel's page tables on arm64: 4, 16 and 64 KiB pages, 36 to 52 bits of address, LPA and LPA2.</summary>
/// <remarks>
/// Sources: Arm ARM, VMSAv8-64 translation table descriptors; arch/arm64/kernel/vmcore_info.c and asm/memory.h (VA_BITS, kimage_voffset,
/// PHYS_OFFSET). A kernel built for 52 bits may run with fewer: TCR_EL1_T1SZ says with how many.
/// </remarks>
internal sealed class Arm64PageTables : PageTables
{
    private const ulong KernelHalf = 1UL << 55; // tells TTBR1 from TTBR0, tags or not
    private const ulong LargestImage = 256UL << 20;
    private const ulong ValidBit = 1;
    private const ulong TableBit = 2;

    private readonly int _pageShift;
    private readonly int _addressBits;
    private readonly bool _hasWideAddresses;
    private readonly ulong _imageOffset;
    private readonly ulong _imageStart;
    private readonly ulong _imageEnd;
    private readonly bool _hasLinear;
    private readonly bool _linearIsLowerHalf;
    private readonly ulong _linearOffset;
    private readonly int _runningBits;
    private readonly ulong _physicalEnd;

    private Arm64PageTables(MemoryReader physical, VmcoreInfo info, Shape shape, ulong root, ulong physicalEnd)
        : base(physical, shape.PageShift, shape.TableBits, root)
    {
        _pageShift = shape.PageShift;
        _addressBits = shape.TableBits;
        _runningBits = shape.RunningBits;
        _hasWideAddresses = shape.TableBits == 52;
        _imageOffset = shape.ImageOffset;
        _physicalEnd = physicalEnd;
        (_imageStart, _imageEnd) = ImageRange(info);

        // paddr = vaddr - PAGE_OFFSET + PHYS_OFFSET modulo 2^64. Since 5.4 the linear map is the lower half of kernel addresses and
        // PAGE_OFFSET follows from the bits the kernel was built for, whatever it runs with; before it was the upper half.
        _hasLinear = info.UnsignedNumber("PHYS_OFFSET") is not null;
        var physicalOffset = info.UnsignedNumber("PHYS_OFFSET").GetValueOrDefault();
        _linearIsLowerHalf = _imageStart == 0 || _imageStart > unchecked(0UL - (1UL << (Math.Min(shape.BuiltBits, 48) - 1)));
        _linearOffset = unchecked((1UL << (_linearIsLowerHalf ? shape.BuiltBits : shape.BuiltBits - 1)) + physicalOffset);
    }

    public static Arm64PageTables Open(MemoryReader physical, VmcoreInfo info, ulong physicalEnd)
    {
        var pageSize = info.PageSize ?? throw KernelMemory.Missing("PAGESIZE");
        if (pageSize is not (4096 or 16384 or 65536))
            throw new VmcoreFormatException(-1, $"PAGESIZE is {pageSize}, arm64 has 4096, 16384 or 65536");
        var built = Bits(info, "VA_BITS") ?? throw KernelMemory.Missing("NUMBER(VA_BITS)");
        var running = info.Number("TCR_EL1_T1SZ") is { } size ? 64 - (int)Math.Clamp(size, 0, 64) : built;
        if (running is < 36 or > 52)
            throw new VmcoreFormatException(-1, $"NUMBER(TCR_EL1_T1SZ) makes addresses of {running} bits, 36 to 52 can be");
        var offset = info.UnsignedNumber("kimage_voffset") ?? throw KernelMemory.Missing("NUMBER(kimage_voffset)");
        var root = info.Symbol("swapper_pg_dir") ?? throw KernelMemory.Missing("SYMBOL(swapper_pg_dir)");
        var shape = new Shape(
            BitOperations.Log2((uint)pageSize), built, running,
            // With 64 KiB pages the tables are laid out for the bits the kernel was built for, whatever it runs with.
            pageSize == 65536 ? built : running, offset);
        var rootAt = unchecked(root - offset);
        // A top table of few entries need not fill a page, but it is aligned to its own size.
        if (rootAt % 64 != 0 || rootAt >> 52 != 0)
            throw new VmcoreFormatException(-1, $"SYMBOL(swapper_pg_dir) 0x{root:x} less kimage_voffset 0x{offset:x} is no table's address");
        return new Arm64PageTables(physical, info, shape, rootAt, physicalEnd);
    }

    public override ulong Untagged(ulong address) => unchecked((ulong)((long)(address << 8) >> 8));

    public override bool IsCanonical(ulong address) => (address & KernelHalf) != 0 && address >> _addressBits == ulong.MaxValue >> _addressBits;

    public override bool TryImage(ulong address, out ulong physical)
    {
        physical = unchecked(address - _imageOffset);
        return address >= _imageStart && address < _imageEnd;
    }

    public override bool TryDirect(ulong address, out ulong physical)
    {
        physical = unchecked(address + _linearOffset);
        var inLowerHalf = (address >> (_runningBits - 1) & 1) == 0;
        return _hasLinear && (address & KernelHalf) != 0 && inLowerHalf == _linearIsLowerHalf && physical < _physicalEnd;
    }

    protected override TableEntry Decode(ulong entry, int level, out ulong target)
    {
        target = Address(entry);
        if ((entry & ValidBit) == 0)
            return TableEntry.NotPresent;
        var pointsOn = (entry & TableBit) != 0;
        if (level == 0)
            return pointsOn ? TableEntry.Leaf : TableEntry.Reserved;
        if (pointsOn)
            return TableEntry.Table;
        return MayBeBlock(level) ? TableEntry.Leaf : TableEntry.Reserved;
    }

    // 4 KiB: 2 MiB, 1 GiB and with LPA2 512 GiB; 16 KiB: 32 MiB and with LPA2 64 GiB; 64 KiB: 512 MiB and with LPA 4 TiB.
    private bool MayBeBlock(int level) => _pageShift switch
    {
        12 => level <= (_hasWideAddresses ? 3 : 2),
        _ => level <= (_hasWideAddresses ? 2 : 1),
    };

    private ulong Address(ulong entry)
    {
        var pageMask = (1UL << _pageShift) - 1;
        if (_pageShift == 16) // bits 15:12 are 51:48 of the address; zero where there are none
            return (entry & 0x0000_ffff_ffff_0000) | ((entry & 0xf000) << 36);
        if (_hasWideAddresses) // LPA2: bits 49:48 stay, bits 9:8 are 51:50 (else they tell shareability)
            return (entry & 0x0003_ffff_ffff_ffff & ~pageMask) | ((entry & 0x300) << 42);
        return entry & 0x0000_ffff_ffff_ffff & ~pageMask;
    }

    private static int? Bits(VmcoreInfo info, string name) => info.Number(name) is { } bits and >= 36 and <= 52 ? (int)bits : null;

    // The image's end is not exported; what lies between the symbols that are is the image's for sure.
    private static (ulong Start, ulong End) ImageRange(VmcoreInfo info)
    {
        if (info.Symbol("_stext") is not { } start)
            return (0, 0);
        var end = start;
        foreach (var (key, _) in info.Values)
            if (key.StartsWith("SYMBOL(", StringComparison.Ordinal) && key.EndsWith(')') && info.Symbol(key[7..^1]) is { } symbol
                && symbol > end && symbol - start < LargestImage)
                end = symbol;
        return (start & ~0xffffUL, end + 1);
    }

    private readonly record struct Shape(int PageShift, int BuiltBits, int RunningBits, int TableBits, ulong ImageOffset);
}
