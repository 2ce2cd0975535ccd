using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Memory;

/// <summary>Page tables that point at themselves: each walk ends after one table of each level, whatever it is asked for.</summary>
public sealed class HostileTablesTests
{
    private const ulong Root = 0x4000_0000;
    private const ulong ImageOffset = 0xffff_7fff_c000_0000;

    // Every entry of the only table points at that table: as a table, as a large page, and as what is reserved.
    public static TheoryData<ushort, int, int, ulong> Tables => new()
    {
        { Machines.X64, 4096, 4, 0x63 },
        { Machines.X64, 4096, 5, 0x63 },
        { Machines.X64, 4096, 4, 0xe3 },
        { Machines.X64, 4096, 5, ulong.MaxValue & ~0x000f_ffff_ffff_f000UL },
        { Machines.Arm64, 4096, 48, 3 },
        { Machines.Arm64, 4096, 52, 3 },
        { Machines.Arm64, 16384, 47, 3 },
        { Machines.Arm64, 65536, 52, 3 },
        { Machines.Arm64, 4096, 48, 1 },
        { Machines.Arm64, 65536, 42, 0xf003 },
    };

    [Theory]
    [MemberData(nameof(Tables))]
    public void Item63_a_table_that_points_at_itself_ends_every_walk(ushort machine, int pageSize, int shape, ulong flags)
    {
        var reads = 0;
        var entry = Root | flags;
        var memory = new KernelMemory(
            (address, destination) =>
            {
                reads++;
                for (var i = 0; i < destination.Length; i++)
                    destination[i] = (byte)(entry >> (int)((address + (ulong)i) % 8 * 8));
                return destination.Length;
            },
            Info(machine, pageSize, shape),
            machine,
            physicalEnd: 1UL << 40);
        foreach (var at in (ulong[])[0, 0xffff_8880_0000_0000, 0xffff_ffff_8100_0000, 0xff00_0000_0000_1000, 0xfff0_0000_1234_5678, ulong.MaxValue])
        {
            reads = 0;
            var result = memory.Translate(at, out var physical, out var size);
            Assert.InRange(reads, 0, memory.Levels);
            if (result == TranslationResult.Mapped)
                Assert.Equal((at & (size - 1)) | (Root & 0x000f_ffff_ffff_f000 & ~(size - 1)), physical & 0x0000_ffff_ffff_ffff);
            Assert.InRange(memory.Read(at, new byte[3 * pageSize]), 0, 3 * pageSize);
            var list = memory.WalkList(at, 1000);
            while (list.MoveNext())
                continue;
            Assert.NotEqual(ListEnd.None, list.End);
            _ = memory.TryReadText(at, 1000, out _);
        }
    }

    private static VmcoreInfo Info(ushort machine, int pageSize, int shape) => VmcoreInfo.Parse(Encoding.ASCII.GetBytes(machine == Machines.X64
        ? $"NUMBER(phys_base)={Root}\nSYMBOL(swapper_pg_dir)={KernelMemory.ImageStart:x}\nNUMBER(pgtable_l5_enabled)={shape - 4}\n"
            + $"NUMBER(KERNEL_IMAGE_SIZE)=1073741824\nPAGESIZE=4096\nSYMBOL(mem_section)=ff11000000000000\n"
        : $"PAGESIZE={pageSize}\nNUMBER(VA_BITS)={shape}\nNUMBER(TCR_EL1_T1SZ)=0x{64 - shape:x}\nNUMBER(kimage_voffset)=0x{ImageOffset:x}\n"
            + $"SYMBOL(swapper_pg_dir)={unchecked(ImageOffset + Root):x}\nNUMBER(PHYS_OFFSET)=0x40000000\n"));
}
