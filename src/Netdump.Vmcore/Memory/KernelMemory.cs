using System.Buffers.Binary;

namespace Netdump.Vmcore.Memory;

/// <summary>How the translation of a virtual address ended.</summary>
public enum TranslationResult
{
    /// <summary>The address is mapped.</summary>
    Mapped,

    /// <summary>No address of this machine: the bits above the highest translated one do not repeat it.</summary>
    NotCanonical,

    /// <summary>A table entry says that nothing is mapped there.</summary>
    NotPresent,

    /// <summary>A page-table entry that the processor would refuse.</summary>
    Reserved,

    /// <summary>A page of the tables is not in the dump.</summary>
    TableMissing,
}

/// <summary>The dead kernel's virtual memory on x86_64, translated with nothing but VMCOREINFO and the page tables in the dump. For one thread.</summary>
/// <remarks>Sources: Intel SDM volume 3, chapter 4 (paging); arch/x86/kernel/vmcore_info_64.c (phys_base, swapper_pg_dir, sme_mask).</remarks>
public sealed class KernelMemory
{
    /// <summary>Where the kernel image begins before phys_base is applied (__START_KERNEL_map).</summary>
    public const ulong ImageStart = 0xffff_ffff_8000_0000;

    private const int PageShift = 12;
    private const int PageSize = 1 << PageShift;
    private const int CachedTables = 16;
    private const ulong DefaultImageSize = 1UL << 30;
    private const ulong PresentBit = 1;
    private const ulong LargePageBit = 1 << 7;
    private const ulong AddressMask = 0x000f_ffff_ffff_f000;

    private readonly MemoryReader _physical;
    private readonly byte[][] _tables = new byte[CachedTables][];
    private readonly ulong[] _tableAddresses = new ulong[CachedTables];
    private readonly ulong _physicalBase;
    private readonly ulong _imageSize;
    private readonly ulong _encryptionMask;
    private readonly ulong _root;
    private readonly int _levels;

    /// <summary>Finds the kernel's page tables.</summary>
    /// <param name="physical">Physical memory.</param>
    /// <param name="info">The kernel's VMCOREINFO.</param>
    /// <exception cref="VmcoreFormatException">A key is missing, or the root table's address makes no sense.</exception>
    public KernelMemory(MemoryReader physical, VmcoreInfo info)
    {
        _physical = physical;
        _physicalBase = unchecked((ulong)(info.PhysicalBase ?? throw Missing("NUMBER(phys_base)")));
        _imageSize = info.KernelImageSize is { } size and > 0 and <= 1UL << 31 ? size : DefaultImageSize;
        _encryptionMask = info.EncryptionMask;
        _levels = info.FiveLevelPaging ? 5 : 4;
        var root = info.Symbol("swapper_pg_dir") ?? info.Symbol("init_top_pgt") ?? throw Missing("SYMBOL(swapper_pg_dir)");
        if (!TryTranslateImage(root, out _root) || _root % PageSize != 0)
            throw new VmcoreFormatException(-1, $"SYMBOL(swapper_pg_dir) 0x{root:x} is no page of the kernel image");
        Array.Fill(_tableAddresses, ulong.MaxValue);
    }

    /// <summary>Levels of page tables: 4 or 5.</summary>
    public int Levels => _levels;

    /// <summary>Translates by the rule for the kernel image alone: linked address plus phys_base.</summary>
    /// <returns>False outside the image's range.</returns>
    public bool TryTranslateImage(ulong address, out ulong physical)
    {
        physical = unchecked(address - ImageStart + _physicalBase);
        return address >= ImageStart && address - ImageStart < _imageSize;
    }

    /// <summary>Translates through the page tables.</summary>
    /// <param name="address">Virtual address.</param>
    /// <param name="physical">Physical address when mapped.</param>
    public TranslationResult Translate(ulong address, out ulong physical)
    {
        physical = 0;
        var unused = 64 - (PageShift + 9 * _levels);
        if ((ulong)((long)(address << unused) >> unused) != address)
            return TranslationResult.NotCanonical;
        var table = _root;
        for (var level = _levels - 1; ; level--)
        {
            var shift = PageShift + 9 * level;
            var bytes = Table(table);
            if (bytes is null)
                return TranslationResult.TableMissing;
            var entry = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan((int)((address >> shift) & 511) * 8));
            if ((entry & PresentBit) == 0)
                return TranslationResult.NotPresent;
            var target = entry & ~_encryptionMask & AddressMask;
            // Bit 7 makes a large page of 2 MiB or 1 GiB; in the last table it is a cache attribute, in the top ones reserved.
            var isLarge = level > 0 && (entry & LargePageBit) != 0;
            if (isLarge && level > 2)
                return TranslationResult.Reserved;
            if (level == 0 || isLarge)
            {
                var inPage = (1UL << shift) - 1;
                physical = (target & ~inPage) | (address & inPage);
                return TranslationResult.Mapped;
            }
            table = target;
        }
    }

    /// <summary>Reads virtual memory, page by page, since neighbours need not be neighbours in physical memory.</summary>
    /// <returns>Bytes read: fewer than asked when the next page is not mapped or not in the dump.</returns>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var at = unchecked(address + (ulong)done);
            if (at < address)
                break; // wrapped at 2^64
            var result = Translate(at, out var physical);
            if (result == TranslationResult.TableMissing && TryTranslateImage(at, out physical))
                result = TranslationResult.Mapped;
            if (result != TranslationResult.Mapped)
                break;
            var part = destination.Slice(done, Math.Min(destination.Length - done, PageSize - (int)(at % PageSize)));
            var got = _physical(physical, part);
            done += got;
            if (got < part.Length)
                break;
        }
        return done;
    }

    private byte[]? Table(ulong address)
    {
        var slot = (int)((address >> PageShift) % CachedTables);
        if (_tableAddresses[slot] == address)
            return _tables[slot];
        var bytes = _tables[slot] ??= new byte[PageSize];
        _tableAddresses[slot] = ulong.MaxValue;
        if (_physical(address, bytes) != PageSize)
            return null;
        _tableAddresses[slot] = address;
        return bytes;
    }

    private static VmcoreFormatException Missing(string key) => new(-1, $"VMCOREINFO has no {key}: kernel memory cannot be translated");
}
