using System.Buffers.Binary;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Memory;

/// <summary>The kernel half of two real kernels' page tables, walked entry by entry beside the reader.</summary>
public class WholeTablesTests
{
    [Theory]
    [InlineData("linux-6.1-sysrq", "vmcore.kdump-zlib-d31", 5, 77813, 396)]
    [InlineData("linux-6.1-sysrq-4level", "vmcore.kdump", 4, 76361, 172)]
    public void Item36_every_leaf_of_the_kernel_half_is_found_where_it_is(string crash, string dump, int levels, int small, int large)
    {
        using var file = VmcoreFile.Open(SharedData.File(crash, dump));
        var memory = file.OpenKernelMemory();
        Assert.Equal(levels, memory.Levels);
        Assert.True(memory.TryTranslateImage(file.Info!.Symbol("swapper_pg_dir")!.Value, out var root));
        var leaves = new int[3];
        var direct = memory.DirectMapStart!.Value;
        Walk(root, levels - 1, levels == 5 ? ulong.MaxValue << 57 : ulong.MaxValue << 48, firstEntry: 256);
        Assert.Equal([small, large, 0], leaves);

        void Walk(ulong table, int level, ulong above, int firstEntry)
        {
            var bytes = new byte[4096];
            Assert.Equal(bytes.Length, file.Physical.Read(table, bytes)); // page tables survive every level
            for (var i = firstEntry; i < 512; i++)
            {
                var entry = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i * 8));
                var address = above | (ulong)i << (12 + 9 * level);
                if ((entry & 1) == 0)
                    continue;
                if (level > 0 && (entry & 0x80) == 0)
                {
                    Walk(entry & 0x000f_ffff_ffff_f000, level - 1, address, 0);
                    continue;
                }
                leaves[level]++;
                var size = 4096UL << (9 * level);
                Assert.Equal(TranslationResult.Mapped, memory.Translate(address + size - 8, out var physical, out var found));
                Assert.Equal((size, (entry & 0x000f_ffff_ffff_f000 & ~(size - 1)) + size - 8), (found, physical));
                // Item 38: within memory the direct map is one constant away.
                if (address >= direct && address - direct < file.Physical.EndPage * 4096)
                    Assert.Equal(address - direct, physical & ~(size - 1));
            }
        }
    }
}
