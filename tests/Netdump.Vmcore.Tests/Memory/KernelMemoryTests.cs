using System.Buffers.Binary;
using CsCheck;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Memory;

public class KernelMemoryTests
{
    private const ulong Direct4 = 0xffff888000000000;
    private const ulong Direct5 = 0xff11000000000000;

    [Theory]
    [InlineData(4, Direct4 + 0x123456789)]
    [InlineData(5, Direct5 + 0x123456789)]
    [InlineData(4, 0x7fff12345678)]
    [InlineData(5, 0xffffff12345678)]
    public void Four_and_five_levels_are_walked(int levels, ulong address)
    {
        var kernel = new SyntheticKernel(levels);
        kernel.Map(address, 0x21000);
        var memory = kernel.Open();
        Assert.Equal(levels, memory.Levels);
        Assert.Equal(TranslationResult.Mapped, memory.Translate(address, out var physical));
        Assert.Equal(0x21000UL | (address & 0xfff), physical);
    }

    [Theory]
    [InlineData(1, 0x1fffffUL)]
    [InlineData(2, 0x3fffffffUL)]
    public void Item37_large_pages_end_the_walk_and_their_cache_bit_is_no_address(int level, ulong mask)
    {
        var kernel = new SyntheticKernel();
        const ulong address = Direct4 + 0x7654321;
        kernel.Map(address, 0x80000000, level, SyntheticKernel.Present | (1 << 12));
        Assert.Equal(TranslationResult.Mapped, kernel.Open().Translate(address, out var physical));
        Assert.Equal(0x80000000 + (address & mask), physical);
    }

    [Fact]
    public void Item37_bit_7_of_a_small_page_is_a_cache_attribute()
    {
        var kernel = new SyntheticKernel();
        kernel.Map(Direct4, 0x21000, 0, SyntheticKernel.Present | SyntheticKernel.Large | (1UL << 63));
        Assert.Equal(TranslationResult.Mapped, kernel.Open().Translate(Direct4 + 5, out var physical));
        Assert.Equal(0x21005UL, physical);
    }

    [Theory]
    [InlineData(1UL << 47)]
    [InlineData(1UL << 51)]
    public void Item37_the_encryption_bit_is_no_address(ulong mask)
    {
        var kernel = new SyntheticKernel(encryptionMask: mask);
        kernel.Map(Direct4, 0x21000);
        kernel.Map(Direct4 + (1 << 21), 0x200000, 1);
        var memory = kernel.Open();
        Assert.Equal(TranslationResult.Mapped, memory.Translate(Direct4 + 5, out var physical));
        Assert.Equal(0x21005UL, physical);
        Assert.Equal(TranslationResult.Mapped, memory.Translate(Direct4 + (1 << 21) + 7, out physical));
        Assert.Equal(0x200007UL, physical);
    }

    [Theory]
    [InlineData(4, 0x0000800000000000, TranslationResult.NotCanonical)]
    [InlineData(4, 0xffff7fffffffffff, TranslationResult.NotCanonical)]
    [InlineData(4, Direct5, TranslationResult.NotCanonical)]
    [InlineData(4, 0xffff800000000000, TranslationResult.NotPresent)]
    [InlineData(5, 0x0100000000000000, TranslationResult.NotCanonical)]
    [InlineData(5, 0xff00000000000000, TranslationResult.NotPresent)]
    public void Item39_addresses_that_are_none(int levels, ulong address, TranslationResult expected) =>
        Assert.Equal(expected, new SyntheticKernel(levels).Open().Translate(address, out _));

    [Fact]
    public void Item39_each_level_can_be_absent_missing_or_reserved()
    {
        for (var level = 0; level < 5; level++)
        {
            var kernel = new SyntheticKernel(5);
            kernel.Map(Direct5, 0x21000);
            var at = (int)kernel.EntryAddress(Direct5, level);
            var entry = BinaryPrimitives.ReadUInt64LittleEndian(kernel.Memory.AsSpan(at));

            BinaryPrimitives.WriteUInt64LittleEndian(kernel.Memory.AsSpan(at), entry & ~1UL);
            Assert.Equal(TranslationResult.NotPresent, kernel.Open().Translate(Direct5, out _));

            BinaryPrimitives.WriteUInt64LittleEndian(kernel.Memory.AsSpan(at), entry | SyntheticKernel.Large);
            var large = kernel.Open().Translate(Direct5, out _);
            Assert.Equal(level > 2 ? TranslationResult.Reserved : TranslationResult.Mapped, large);

            BinaryPrimitives.WriteUInt64LittleEndian(kernel.Memory.AsSpan(at), entry);
            kernel.MissingPages.Add((ulong)at >> 12);
            Assert.Equal(TranslationResult.TableMissing, kernel.Open().Translate(Direct5, out _));
        }
    }

    [Fact]
    public void Item41_neighbours_in_virtual_memory_are_read_from_where_they_are()
    {
        var kernel = new SyntheticKernel();
        const ulong address = 0xffffc90000000000;
        kernel.Map(address, 0x22000);
        kernel.Map(address + 0x1000, 0x21000);
        kernel.Map(address + 0x2000, 0xfff0000); // beyond memory
        kernel.Memory.AsSpan(0x22000, 4096).Fill(1);
        kernel.Memory.AsSpan(0x21000, 4096).Fill(2);
        var read = new byte[0x3000];
        Assert.Equal(0x2000 - 0x10, kernel.Open().Read(address + 0x10, read));
        Assert.All(read[..0xff0], b => Assert.Equal(1, b));
        Assert.All(read[0xff0..0x1ff0], b => Assert.Equal(2, b));
    }

    [Fact]
    public void A_read_does_not_wrap_to_address_0()
    {
        var kernel = new SyntheticKernel();
        kernel.Map(0xfffffffffffff000, 0x22000);
        kernel.Map(0, 0x21000);
        Assert.Equal(8, kernel.Open().Read(0xfffffffffffffff8, new byte[64]));
    }

    [Fact]
    public void The_image_is_read_by_its_rule_when_tables_are_missing()
    {
        var kernel = new SyntheticKernel();
        kernel.MissingPages.Add(SyntheticKernel.PhysicalBase >> 12);
        var memory = kernel.Open();
        kernel.Memory[SyntheticKernel.PhysicalBase + 0x3000] = 42;
        var read = new byte[1];
        Assert.Equal(1, memory.Read(KernelMemory.ImageStart + 0x3000, read));
        Assert.Equal(42, read[0]);
        Assert.False(memory.TryTranslateImage(KernelMemory.ImageStart + (1UL << 30), out _));
        Assert.False(memory.TryTranslateImage(KernelMemory.ImageStart - 1, out _));
    }

    [Theory]
    [InlineData("NUMBER(phys_base)", "")]
    [InlineData("SYMBOL(swapper_pg_dir)", "")]
    [InlineData("SYMBOL(swapper_pg_dir)", "ffffffff80000008")]
    [InlineData("SYMBOL(swapper_pg_dir)", "ffff888000000000")]
    public void A_root_that_cannot_be_found_is_a_format_error(string key, string value)
    {
        var kernel = new SyntheticKernel();
        kernel.Key(key, value);
        Assert.Throws<VmcoreFormatException>(kernel.Open);
    }

    [Fact]
    public void Item63_random_tables_translate_to_something_or_nothing() =>
        Gen.Select(Gen.ULong, Gen.Byte.Array[32 * 4096], Gen.Bool).Sample((address, bytes, five) =>
        {
            var kernel = new SyntheticKernel(five ? 5 : 4, 32);
            bytes.CopyTo(kernel.Memory, 0);
            for (var i = 0; i < bytes.Length; i += 8)
            {
                // Entries that stay inside this small memory, so that walks go deep.
                var entry = BinaryPrimitives.ReadUInt64LittleEndian(kernel.Memory.AsSpan(i));
                BinaryPrimitives.WriteUInt64LittleEndian(kernel.Memory.AsSpan(i), (entry & 0x1ffff) | 1);
            }
            var memory = kernel.Open();
            var result = memory.Translate(address, out var physical);
            return (result == TranslationResult.Mapped || physical == 0) && memory.Read(address, new byte[10000]) is >= 0 and <= 10000;
        }, iter: 200);
}
