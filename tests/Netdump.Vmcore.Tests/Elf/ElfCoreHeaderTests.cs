using System.Buffers.Binary;
using CsCheck;
using Netdump.Vmcore.Elf;

namespace Netdump.Vmcore.Tests.Elf;

public class ElfCoreHeaderTests
{
    [Fact]
    public void Segments_come_in_file_order_with_their_fields()
    {
        var core = new SyntheticCore();
        core.AddMemory(0x1000, new byte[0x2c00]);
        core.AddMemory(0x100000, new byte[0x1000], 0x5000);
        var header = ElfCoreHeader.Parse(core.Build());

        Assert.Equal(Machines.X64, header.Machine);
        Assert.Equal([ElfSegment.Note, ElfSegment.Load, ElfSegment.Load], header.Segments.Select(s => s.Type));
        Assert.Equal(new ElfSegment(1, 7, 0x1000, 0xffff888000001000, 0x1000, 0x2c00, 0x2c00, 0), header.Segments[1]);
        Assert.Equal(0x5000UL, header.Segments[2].MemorySize);
        Assert.Equal(0x105000UL, header.PhysicalEnd);
    }

    [Fact]
    public void Item24_program_headers_are_taken_from_e_phoff_with_e_phentsize()
    {
        var core = new SyntheticCore { HeadersAt = 192, EntryLength = 72 };
        core.AddMemory(0x3000, [1, 2, 3, 4]);
        Assert.Equal(0x3000UL, ElfCoreHeader.Parse(core.Build()).Segments[1].PhysicalAddress);
    }

    [Fact]
    public void Item03_extended_count_is_taken_from_section_header_0()
    {
        var core = new SyntheticCore { ExtendedCount = true };
        core.AddMemory(0x3000, new byte[4096]);
        var bytes = core.Build();
        Assert.Equal(2, ElfCoreHeader.Parse(bytes).Segments.Count);
        var needed = ElfCoreHeader.MeasureTables(bytes.AsSpan(0, 64));
        Assert.Equal(64 + 2 * 56 + 64, needed);
        Assert.Equal(needed, ElfCoreHeader.MeasureTables(bytes.AsSpan(0, needed)));
    }

    [Fact]
    public void Item03_a_count_larger_than_the_file_is_refused()
    {
        var core = new SyntheticCore { ExtendedCount = true };
        core.AddMemory(0x3000, new byte[4096]);
        var bytes = core.Build();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(64 + 2 * 56 + 44), 1000);
        Assert.Contains("1000 program headers", Assert.Throws<VmcoreFormatException>(() => ElfCoreHeader.Parse(bytes)).Message, StringComparison.Ordinal);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(64 + 2 * 56 + 44), 0x7fffffff);
        Assert.Throws<VmcoreFormatException>(() => ElfCoreHeader.MeasureTables(bytes));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(64 + 2 * 56 + 44), 0);
        Assert.Throws<VmcoreFormatException>(() => ElfCoreHeader.Parse(bytes));
    }

    [Fact]
    public void Header_area_ends_at_the_page_where_the_first_chunk_begins()
    {
        var core = new SyntheticCore();
        core.AddNote("CORE", 1, new byte[336]);
        core.AddMemory(0x9fc10, new byte[0x3f0]);
        core.AddMemory(0x100000, new byte[0x1000]);
        Assert.Equal(0x2000, ElfCoreHeader.Parse(core.Build()).HeaderAreaLength);

        var packed = new SyntheticCore { Packed = true };
        packed.AddMemory(0, new byte[0x1000]);
        Assert.Equal(64 + 2 * 56, ElfCoreHeader.Parse(packed.Build()).HeaderAreaLength);
    }

    [Fact]
    public void Range_left_out_by_QEMU_has_no_offset()
    {
        var core = new SyntheticCore();
        core.AddMemory(0x1000, [], 0x1000);
        var bytes = core.Build();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(64 + 56 + 8), ulong.MaxValue);
        Assert.Equal(0, ElfCoreHeader.Parse(bytes).Segments[1].Offset);
    }

    [Theory]
    [InlineData(0, 1, 0x7e, "not an ELF core")]
    [InlineData(4, 1, 3, "ELF class 3")]
    [InlineData(5, 1, 3, "ELF byte order 3")]
    [InlineData(16, 2, 2, "ELF type 2")]
    [InlineData(32, 8, 63, "program headers at offset 0x3f")]
    [InlineData(32, 8, 1L << 40, "outside")]
    [InlineData(54, 2, 55, "program headers of 55 bytes")]
    [InlineData(56, 2, 0, "no program headers")]
    [InlineData(64 + 56 + 24, 8, (1L << 52) - 0xfff, "above 2^52")]
    [InlineData(64 + 56 + 32, 8, 0x1001, "memory segment has")]
    [InlineData(64 + 56 + 8, 8, long.MaxValue, "beyond any file")]
    [InlineData(64 + 56 + 8, 8, -2L, "beyond any file")]
    public void A_field_that_cannot_be_right_is_named(int at, int width, long value, string expected)
    {
        var core = new SyntheticCore();
        core.AddMemory(0x1000, new byte[0x1000]);
        var bytes = core.Build();
        Span<byte> field = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(field, value);
        field[..width].CopyTo(bytes.AsSpan(at));
        Assert.Contains(expected, Assert.Throws<VmcoreFormatException>(() => ElfCoreHeader.Parse(bytes)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(64 + 2 * 56 - 1)]
    public void Item01_a_short_file_is_one_clear_error(int length)
    {
        var core = new SyntheticCore();
        core.AddMemory(0x1000, new byte[0x1000]);
        var bytes = core.Build();
        Assert.Throws<VmcoreFormatException>(() => ElfCoreHeader.Parse(bytes.AsSpan(0, length)));
        Assert.Throws<VmcoreFormatException>(() => SyntheticCore.Open(bytes[..length]));
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("abc", "begins with 616263")]
    [InlineData("KDUMP   rest", "a kdump header takes")]
    [InlineData("DISKDUMPrest", "a kdump header takes")]
    [InlineData("makedumpfile\0\0\0\0", "flattened dump ends inside its header")]
    [InlineData("\u001f\u008b.......", "gzip")]
    [InlineData("\u0028\u00b5\u002f\u00fd...", "zstd")]
    [InlineData("\u00fd7zXZ\0", "xz")]
    [InlineData("plain text of any kind", "begins with 706c61696e207465")]
    public void Item01_other_files_are_recognised_by_their_content(string start, string expected) => Assert.Contains(
        expected, Assert.Throws<VmcoreFormatException>(() => SyntheticCore.Open(System.Text.Encoding.Latin1.GetBytes(start))).Message, StringComparison.Ordinal);

    [Fact]
    public void Item63_any_bytes_give_a_header_or_a_format_error() =>
        Gen.Select(Gen.Byte.Array[0, 400], Gen.Bool).Sample((bytes, disguised) =>
        {
            if (disguised && bytes.Length >= 64)
            {
                new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(bytes, 0);
                bytes[16] = 4;
                bytes[17] = 0;
                bytes.AsSpan(33, 7).Clear();
                bytes[54] = 56;
                bytes[55] = 0;
                bytes[57] = 0;
            }
            try
            {
                var header = ElfCoreHeader.Parse(bytes);
                return header.HeaderAreaLength >= 0 && header.NotesLength >= 0;
            }
            catch (VmcoreFormatException)
            {
                return true;
            }
        });
}
