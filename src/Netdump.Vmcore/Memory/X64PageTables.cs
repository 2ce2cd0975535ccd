namespace Netdump.Vmcore.Memory;

/// <summary>Page tables of x86_64, four or five levels.</summary>
/// <remarks>Sources: Intel SDM volume 3, chapter 4 (paging); arch/x86/kernel/vmcore_info_64.c (phys_base, swapper_pg_dir, sme_mask).</remarks>
internal sealed class X64PageTables : PageTables
{
    private const int PageShift = 12;
    private const ulong DefaultImageSize = 1UL << 30;
    private const ulong PresentBit = 1;
    private const ulong LargePageBit = 1 << 7;
    private const ulong AddressMask = 0x000f_ffff_ffff_f000;

    private readonly ulong _physicalBase;
    private readonly ulong _imageSize;
    private readonly ulong _encryptionMask;
    private readonly ulong _physicalEnd;
    private readonly int _unusedBits;
    private ulong? _directMap;

    private X64PageTables(MemoryReader physical, VmcoreInfo info, ulong physicalBase, ulong root, ulong physicalEnd)
        : base(physical, PageShift, info.FiveLevelPaging ? 57 : 48, root)
    {
        _unusedBits = info.FiveLevelPaging ? 7 : 16;
        _physicalBase = physicalBase;
        _imageSize = ImageSize(info);
        _encryptionMask = info.EncryptionMask;
        _physicalEnd = physicalEnd;
        // The direct map's start is random and not exported, but the sections' root array lies in it.
        if (info.Symbol("mem_section") is { } section and < KernelMemory.ImageStart
            && Walk(section, out var at, out _) == TranslationResult.Mapped)
            _directMap = unchecked(section - at);
    }

    /// <summary>Where physical address 0 is mapped, when that could be learnt.</summary>
    public ulong? DirectMap => _directMap;

    public static X64PageTables Open(MemoryReader physical, VmcoreInfo info, ulong physicalEnd)
    {
        var physicalBase = unchecked((ulong)(info.PhysicalBase ?? throw KernelMemory.Missing("NUMBER(phys_base)")));
        var root = info.Symbol("swapper_pg_dir") ?? info.Symbol("init_top_pgt") ?? throw KernelMemory.Missing("SYMBOL(swapper_pg_dir)");
        var rootAt = unchecked(root - KernelMemory.ImageStart + physicalBase);
        if (root < KernelMemory.ImageStart || root - KernelMemory.ImageStart >= ImageSize(info) || rootAt % (1UL << PageShift) != 0)
            throw new VmcoreFormatException(-1, $"SYMBOL(swapper_pg_dir) 0x{root:x} is no page of the kernel image");
        return new X64PageTables(physical, info, physicalBase, rootAt, physicalEnd);
    }

    public override bool IsCanonical(ulong address) => (ulong)((long)(address << _unusedBits) >> _unusedBits) == address;

    public override bool TryImage(ulong address, out ulong physical)
    {
        physical = unchecked(address - KernelMemory.ImageStart + _physicalBase);
        return address >= KernelMemory.ImageStart && address - KernelMemory.ImageStart < _imageSize;
    }

    public override bool TryDirect(ulong address, out ulong physical)
    {
        physical = unchecked(address - _directMap.GetValueOrDefault());
        return _directMap is { } start && address >= start && physical < _physicalEnd;
    }

    protected override TableEntry Decode(ulong entry, int level, out ulong target)
    {
        target = entry & ~_encryptionMask & AddressMask;
        if ((entry & PresentBit) == 0)
            return TableEntry.NotPresent;
        // Bit 7 makes a large page of 2 MiB or 1 GiB; in the last table it is a cache attribute, in the top ones reserved.
        if (level == 0)
            return TableEntry.Leaf;
        if ((entry & LargePageBit) == 0)
            return TableEntry.Table;
        return level > 2 ? TableEntry.Reserved : TableEntry.Leaf;
    }

    private static ulong ImageSize(VmcoreInfo info) => info.KernelImageSize is { } size and > 0 and <= 1UL << 31 ? size : DefaultImageSize;
}
