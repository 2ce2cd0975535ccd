using System.Buffers.Binary;
using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Memory;

/// <summary>Item 40: page tables of arm64 in every shape Linux has, built entry by entry.</summary>
public class Arm64MemoryTests
{
    private const ulong RootAt = 0x10000;
    private const ulong ImageOffset = 0xffff_7fff_c000_0000;
    private const ulong High = 0x000c_0000_0000_0000; // bits 51:50 of a physical address

    public static TheoryData<int, int, int, int> Shapes => new()
    {
        // page size, VA_BITS, T1SZ, levels
        { 4096, 39, 25, 3 }, { 4096, 48, 16, 4 }, { 4096, 52, 12, 5 }, { 4096, 52, 16, 4 },
        { 16384, 36, 28, 2 }, { 16384, 47, 17, 3 }, { 16384, 48, 16, 4 }, { 16384, 52, 12, 4 }, { 16384, 52, 17, 3 },
        { 65536, 42, 22, 2 }, { 65536, 48, 16, 3 }, { 65536, 52, 12, 3 }, { 65536, 52, 16, 3 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Pages_and_blocks_are_found_at_each_level(int pageSize, int builtBits, int t1sz, int levels)
    {
        var machine = new Machine(pageSize, builtBits, t1sz);
        var wide = builtBits == 52 && (t1sz == 12 || pageSize == 65536);
        var target = 0x2345_0000_0000UL | (wide ? High : 0);
        Assert.Equal(levels, machine.Open().Levels);
        for (var level = 0; level < levels; level++)
        {
            var size = (ulong)pageSize << (level * machine.IndexBits);
            var address = machine.Address(0x0007_6543_2101_2345UL);
            machine.Clear();
            machine.Map(address, target & ~(size - 1), level, wide);
            var memory = machine.Open();
            var result = memory.Translate(address, out var physical, out var blockSize);
            if (level == 0 || machine.MayBeBlock(level, wide))
            {
                Assert.Equal(TranslationResult.Mapped, result);
                Assert.Equal((target & ~(size - 1)) | (address & (size - 1)), physical);
                Assert.Equal(size, blockSize);
            }
            else
            {
                Assert.Equal(TranslationResult.Reserved, result);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Item39_absent_and_missing_tables_are_told_apart(int pageSize, int builtBits, int t1sz, int levels)
    {
        var machine = new Machine(pageSize, builtBits, t1sz);
        var address = machine.Address(0x0007_6543_2101_2345UL);
        Assert.Equal(TranslationResult.NotPresent, machine.Open().Translate(address, out _));
        machine.Map(address, 0x40000000, 0, wide: false);
        Assert.Equal(TranslationResult.Mapped, machine.Open().Translate(address, out _));
        machine.MissingFrom = machine.LastTable; // the last table made is that of the last level
        Assert.Equal(levels == 1 ? TranslationResult.Mapped : TranslationResult.TableMissing, machine.Open().Translate(address, out _));
        Assert.Equal(TranslationResult.NotCanonical, machine.Open().Translate(address & ~(1UL << 55) & 0x00ff_ffff_ffff_ffff, out _));
    }

    [Fact]
    public void Shareability_bits_are_no_address_with_48_bits()
    {
        var machine = new Machine(4096, 48, 16);
        var address = machine.Address(0x123456789);
        machine.Map(address, 0x40000000, 0, wide: false, flags: 0x300 | (1UL << 54) | (1UL << 50));
        Assert.Equal(TranslationResult.Mapped, machine.Open().Translate(address, out var physical));
        Assert.Equal(0x40000000 | (address & 0xfff), physical);
    }

    [Fact]
    public void A_tag_in_the_top_byte_is_no_address()
    {
        var machine = new Machine(4096, 48, 16);
        var address = machine.Address(0x123456789);
        machine.Map(address, 0x40000000, 0, wide: false);
        Assert.Equal(TranslationResult.Mapped, machine.Open().Translate((address & 0x00ff_ffff_ffff_ffff) | 0x3aUL << 56, out var physical));
        Assert.Equal(0x40000000 | (address & 0xfff), physical);
    }

    [Theory]
    [InlineData(4096, 52, 12, 0x40000000UL, 0xfff0_0000_4000_1000UL - 0x4000_0000UL, 0x80001000UL - 0x40000000UL)]
    [InlineData(16384, 52, 17, 0xfff0800040000000UL, 0xffff_8000_0000_1000UL, 0x40001000UL)]
    [InlineData(4096, 52, 16, 0xfff1000040000000UL, 0xffff_0000_0000_1000UL, 0x40001000UL)]
    [InlineData(4096, 48, 16, 0xffffde7740000000UL, 0xffff_21a9_0000_1000UL, 0x2040001000UL)]
    public void The_linear_rule_counts_with_the_bits_the_kernel_was_built_for(int pageSize, int builtBits, int t1sz, ulong offset, ulong address, ulong expected)
    {
        var machine = new Machine(pageSize, builtBits, t1sz) { PhysicalOffset = offset };
        Assert.True(machine.Open().TryTranslateDirect(address, out var physical));
        Assert.Equal(expected, physical);
        Assert.False(machine.Open().TryTranslateDirect(address | 1UL << (63 - t1sz), out _)); // the other half is no linear map
    }

    [Fact]
    public void Before_5_4_the_linear_map_was_the_upper_half()
    {
        // PAGE_OFFSET = -(1 << 38) with 39 bits; the image lay below it.
        var machine = new Machine(4096, 39, 25) { PhysicalOffset = 0x80000000, TextStart = 0xffffff8010080000 };
        Assert.True(machine.Open().TryTranslateDirect(0xffffffc000001000, out var physical));
        Assert.Equal(0x80001000UL, physical);
    }

    [Fact]
    public void The_image_rule_covers_the_symbols_there_are()
    {
        var machine = new Machine(4096, 48, 16) { TextStart = 0xffff_8000_0001_0000, LastSymbol = 0xffff_8000_0200_0000 };
        var memory = machine.Open();
        Assert.True(memory.TryTranslateImage(0xffff_8000_0012_3456, out var physical));
        Assert.Equal(0xffff_8000_0012_3456 - ImageOffset, physical);
        Assert.True(memory.TryTranslateImage(machine.LastSymbol, out _));
        Assert.False(memory.TryTranslateImage(machine.LastSymbol + 1, out _));
        Assert.False(memory.TryTranslateImage(0xffff_8000_0000_0000, out _));
    }

    [Theory]
    [InlineData("PAGESIZE=8192")]
    [InlineData("NUMBER(VA_BITS)=64")]
    [InlineData("NUMBER(TCR_EL1_T1SZ)=0x3f")]
    [InlineData("NUMBER(kimage_voffset)=x")]
    [InlineData("SYMBOL(swapper_pg_dir)=1")]
    public void Keys_that_make_no_sense_are_a_format_error(string line)
    {
        var machine = new Machine(4096, 48, 16) { Before = line + "\n" };
        Assert.Throws<VmcoreFormatException>(machine.Open);
    }

    private sealed class Machine(int pageSize, int builtBits, int t1sz)
    {
        private readonly byte[] _memory = new byte[RootAt + 8UL * 65536];
        private readonly int _shift = int.Log2(pageSize);
        private ulong _next = RootAt + 65536;

        public int IndexBits => _shift - 3;

        public ulong PhysicalOffset { get; init; } = 0x40000000;

        public ulong TextStart { get; init; } = 0xffff_8000_0001_0000;

        public ulong LastSymbol { get; init; } = 0xffff_8000_0100_0000;

        public string Before { get; init; } = "";

        public ulong MissingFrom { get; set; } = ulong.MaxValue;

        public ulong LastTable => _next - 65536;

        private int TableBits => pageSize == 65536 ? builtBits : 64 - t1sz;

        private int Levels => (TableBits - _shift + IndexBits - 1) / IndexBits;

        public KernelMemory Open() => new(Read, VmcoreInfo.Parse(Encoding.ASCII.GetBytes(
            $"{Before}PAGESIZE={pageSize}\nNUMBER(VA_BITS)={builtBits}\nNUMBER(TCR_EL1_T1SZ)=0x{t1sz:x}\nNUMBER(kimage_voffset)=0x{ImageOffset:x}\n"
            + $"SYMBOL(swapper_pg_dir)={unchecked(RootAt + ImageOffset):x}\nNUMBER(PHYS_OFFSET)=0x{PhysicalOffset:x}\nSYMBOL(_stext)={TextStart:x}\n"
            + $"SYMBOL(prb)={LastSymbol:x}\n")), Machines.Arm64, physicalEnd: 1UL << 48);

        /// <summary>A kernel address with bits of a pattern: what the running kernel can have, and aligned to nothing.</summary>
        public ulong Address(ulong pattern) =>
            ulong.MaxValue << (64 - t1sz) | (pattern & ((1UL << (63 - t1sz)) - 1));

        public bool MayBeBlock(int level, bool wide) => pageSize == 4096 ? level <= (wide ? 3 : 2) : level <= (wide ? 2 : 1);

        public void Clear()
        {
            Array.Clear(_memory);
            _next = RootAt + 65536;
        }

        public void Map(ulong address, ulong physical, int level, bool wide, ulong flags = 0)
        {
            var table = RootAt;
            for (var at = Levels - 1; ; at--)
            {
                var shift = _shift + IndexBits * at;
                var bits = Math.Min(IndexBits, TableBits - shift);
                var entryAt = (int)(table + (address >> shift & ((1UL << bits) - 1)) * 8);
                if (at == level)
                {
                    BinaryPrimitives.WriteUInt64LittleEndian(_memory.AsSpan(entryAt), Encode(physical, wide) | (level == 0 ? 3UL : 1UL) | flags);
                    return;
                }
                table = _next;
                _next += 65536;
                BinaryPrimitives.WriteUInt64LittleEndian(_memory.AsSpan(entryAt), Encode(table, wide) | 3);
            }
        }

        private ulong Encode(ulong physical, bool wide)
        {
            if (!wide)
                return physical;
            return pageSize == 65536
                ? (physical & 0x0000_ffff_ffff_ffff) | (physical >> 48 << 12)
                : (physical & 0x0003_ffff_ffff_ffff) | (physical >> 50 << 8);
        }

        private int Read(ulong address, Span<byte> destination)
        {
            if (address >= MissingFrom || address + (ulong)destination.Length > (ulong)_memory.Length)
                return 0;
            _memory.AsSpan((int)address, destination.Length).CopyTo(destination);
            return destination.Length;
        }
    }
}
