using System.Buffers.Binary;
using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests;

/// <summary>A small machine: physical memory, page tables built entry by entry, and the VMCOREINFO to find them.</summary>
internal sealed class SyntheticKernel
{
    public const ulong PhysicalBase = 0x4000;
    public const ulong Present = 1;
    public const ulong Large = 1 << 7;

    private readonly Dictionary<string, string> _keys = [];
    private ulong _nextTable;

    public SyntheticKernel(int levels = 4, int pages = 64, ulong encryptionMask = 0)
    {
        Levels = levels;
        EncryptionMask = encryptionMask;
        Memory = new byte[pages * 4096];
        _nextTable = PhysicalBase + 0x1000; // the root is the first page of the image
        Key("NUMBER(phys_base)", $"{PhysicalBase}");
        Key("SYMBOL(swapper_pg_dir)", $"{KernelMemory.ImageStart:x}");
        Key("NUMBER(pgtable_l5_enabled)", levels == 5 ? "1" : "0");
        Key("NUMBER(KERNEL_IMAGE_SIZE)", "1073741824");
        Key("NUMBER(sme_mask)", $"{(long)encryptionMask}");
        Key("PAGESIZE", "4096");
    }

    public int Levels { get; }

    public ulong EncryptionMask { get; }

    public byte[] Memory { get; }

    public HashSet<ulong> MissingPages { get; } = [];

    public string InfoText => string.Concat(_keys.Select(k => $"{k.Key}={k.Value}\n"));

    public VmcoreInfo Info => VmcoreInfo.Parse(Encoding.ASCII.GetBytes(InfoText));

    public KernelMemory Open() => new(ReadPhysical, Info);

    public void Key(string key, string value) => _keys[key] = value;

    public int ReadPhysical(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length && address + (ulong)done < (ulong)Memory.Length && !MissingPages.Contains((address + (ulong)done) >> 12))
        {
            var at = (int)address + done;
            var count = Math.Min(destination.Length - done, 4096 - at % 4096);
            Memory.AsSpan(at, count).CopyTo(destination[done..]);
            done += count;
        }
        return done;
    }

    /// <summary>Maps one page; level 0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB.</summary>
    public void Map(ulong address, ulong physical, int level = 0, ulong flags = Present)
    {
        var entryAt = EntryAddress(address, level);
        BinaryPrimitives.WriteUInt64LittleEndian(Memory.AsSpan((int)entryAt), physical | flags | EncryptionMask | (level > 0 ? Large : 0));
    }

    /// <summary>Physical address of the entry for an address in the table of a level, tables above it made as needed.</summary>
    public ulong EntryAddress(ulong address, int level)
    {
        var table = PhysicalBase;
        for (var at = Levels - 1; ; at--)
        {
            var entryAt = table + ((address >> (12 + 9 * at)) & 511) * 8;
            if (at == level)
                return entryAt;
            var entry = BinaryPrimitives.ReadUInt64LittleEndian(Memory.AsSpan((int)entryAt));
            if (entry == 0)
            {
                entry = _nextTable | Present | EncryptionMask;
                _nextTable += 0x1000;
                BinaryPrimitives.WriteUInt64LittleEndian(Memory.AsSpan((int)entryAt), entry);
            }
            table = entry & ~EncryptionMask & 0x000ffffffffff000;
        }
    }
}
