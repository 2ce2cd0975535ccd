using System.Buffers.Binary;
using CsCheck;
using Netdump.Vmcore.Elf;

namespace Netdump.Vmcore.Tests.Elf;

public class ElfNotesTests
{
    [Fact]
    public void Item04_notes_are_padded_to_4_bytes_and_end_at_an_all_zero_header()
    {
        var first = SyntheticCore.Note("CORE", 1, [1, 2, 3, 4, 5]);
        var second = SyntheticCore.Note("VMCOREINFO", 0, "A=1\n"u8);
        byte[] area = [.. first, .. second, .. new byte[40], .. SyntheticCore.Note("CORE", 1, [9])];
        var notes = ElfNotes.Parse(area, 0x1000);

        Assert.Equal(["CORE", "VMCOREINFO"], notes.Select(n => n.Name));
        Assert.Equal([1, 2, 3, 4, 5], notes[0].Description.ToArray());
        Assert.Equal("A=1\n"u8.ToArray(), notes[1].Description.ToArray());
        Assert.Equal(0x1000 + 12 + 8, notes[0].Offset);
    }

    [Theory]
    [InlineData(0, uint.MaxValue)]
    [InlineData(0, 400u)]
    [InlineData(4, uint.MaxValue)]
    [InlineData(4, 0xfffffffcu)]
    [InlineData(4, 400u)]
    public void Item04_a_note_larger_than_the_segment_is_an_error(int at, uint length)
    {
        var area = SyntheticCore.Note("CORE", 1, new byte[336]);
        BinaryPrimitives.WriteUInt32LittleEndian(area.AsSpan(at), length);
        Assert.Equal(0x1000, Assert.Throws<VmcoreFormatException>(() => ElfNotes.Parse(area, 0x1000)).Offset);
    }

    [Fact]
    public void Item06_driver_dumps_before_the_registers_do_not_count_as_CPUs()
    {
        var core = new SyntheticCore();
        core.AddNote("LINUX", 0x700, new byte[5000]);
        core.AddNote("CORE", 1, SyntheticCore.Status(17));
        core.AddNote("CORE", 1, SyntheticCore.Status(0));
        core.AddNote("CORE", 2, SyntheticCore.Status(99));
        core.AddMemory(0, new byte[4096]);
        using var file = core.Open();
        Assert.Equal([17, 0], file.Processors.Select(p => p.Pid));
        Assert.Equal(216, file.Processors[0].Registers.Length);
        Assert.Equal(1700UL, BinaryPrimitives.ReadUInt64LittleEndian(file.Processors[0].Registers.Span));
        Assert.Equal(0xffffffff81000000, file.Processors[0].InstructionPointer);
    }

    [Fact]
    public void Item63_any_bytes_give_notes_inside_the_area_or_a_format_error() =>
        Gen.Select(Gen.Int[0, 40], Gen.Int[0, 40], Gen.Byte.Array[0, 120]).Sample((name, length, rest) =>
        {
            var area = new byte[8 + rest.Length];
            BinaryPrimitives.WriteInt32LittleEndian(area, name);
            BinaryPrimitives.WriteInt32LittleEndian(area.AsSpan(4), length);
            rest.CopyTo(area, 8);
            try
            {
                return ElfNotes.Parse(area, 0).Sum(n => n.Description.Length + 12) <= area.Length;
            }
            catch (VmcoreFormatException)
            {
                return true;
            }
        });
}
