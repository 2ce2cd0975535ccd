using System.Buffers.Binary;
using System.Text;
using Netdump.Client.Send;
using Netdump.Vmcore;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Send;

public class DumpSourceTests
{
    [Fact]
    public void The_header_area_of_a_vmcore_goes_as_it_is()
    {
        using var dump = new DumpFile();
        var area = new byte[dump.Source.HeaderLength];
        Assert.True(dump.Source.TryReadHeader(0, area));
        Assert.Equal(dump.Bytes[..area.Length], area);
        Assert.Equal(ElfCoreHeader.Parse(dump.Bytes).HeaderAreaLength, area.Length);
        Assert.False(dump.Source.TryReadHeader(area.Length - 1, new byte[2]));
        Assert.False(dump.Source.TryReadHeader(-1, new byte[2]));
    }

    [Fact]
    public void A_core_of_another_layout_gets_the_layout_of_a_vmcore()
    {
        using var dump = new DumpFile(packed: true);
        var area = new byte[dump.Source.HeaderLength];
        Assert.True(dump.Source.TryReadHeader(0, area));
        var header = ElfCoreHeader.Parse(area);
        Assert.Equal(0, area.Length % 4096);
        Assert.Equal(area.Length, header.HeaderAreaLength);
        Assert.Equal(Machines.X64, header.Machine);
        Assert.Equal(dump.Source.Pages.Select(p => (p.First * 4096, p.Count * 4096)), header.Segments.Skip(1).Select(s => (s.PhysicalAddress, s.MemorySize)));
        Assert.All(header.Segments.Skip(1), s => Assert.Equal(0xffff888000000000, s.VirtualAddress - s.PhysicalAddress));
        var notes = ElfNotes.Parse(area.AsMemory((int)header.NotesOffset, (int)header.NotesLength), header.NotesOffset);
        Assert.Equal(dump.Source.File.Notes.Select(n => (n.Name, n.Description.Length)), notes.Select(n => (n.Name, n.Description.Length)));

        // Memory behind that header makes a dump that reads the same.
        byte[] whole = [.. area, .. dump.Source.Pages.SelectMany(p => dump.Memory()[(int)(p.First * 4096)..(int)(p.End * 4096)])];
        using var again = SyntheticCore.Open(whole);
        Assert.Equal(dump.Log, again.ReadLog().Select(r => Encoding.UTF8.GetString(r.Text.Span)));
    }

    [Fact]
    public void Registers_are_those_of_the_CPU_that_ran_kernel_code()
    {
        using var dump = new DumpFile();
        Assert.Equal(216, dump.Source.Registers.Length);
        Assert.Equal(SyntheticDump.PanickingPid * 100UL, BinaryPrimitives.ReadUInt64LittleEndian(dump.Source.Registers.Span));
        var narrow = dump.Source.RegistersOfI386();
        Assert.Equal(68, narrow.Length);
        Assert.Equal(SyntheticDump.PanickingPid * 100 + 5, BinaryPrimitives.ReadInt32LittleEndian(narrow)); // ebx from rbx
        Assert.Equal(0x81000000, BinaryPrimitives.ReadUInt32LittleEndian(narrow.AsSpan(12 * 4))); // eip
    }

    [Fact]
    public void Pages_come_whole_and_holes_not_at_all()
    {
        using var dump = new DumpFile();
        var memory = dump.Memory();
        foreach (var range in dump.Source.Pages)
        {
            for (var page = range.First; page < range.End; page++)
            {
                Assert.True(dump.Source.TryGetPage(page, out var bytes));
                Assert.True(bytes.SequenceEqual(memory.AsSpan((int)page * 4096, 4096)));
            }
        }
        Assert.False(dump.Source.TryGetPage(200, out _));
        Assert.False(dump.Source.TryGetPage(1 << 20, out _));
        Assert.Equal(0xffff888000000000, dump.Source.DirectMapBase);
    }

    [Fact]
    public void A_dump_whose_log_cannot_be_found_says_so_and_is_still_a_dump()
    {
        var core = new SyntheticCore();
        core.AddMemory(0, new byte[8192]);
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(path, core.Build());
        using var source = DumpSource.Open(path);
        File.Delete(path);
        Assert.Empty(source.ReadLog());
        Assert.Contains("VMCOREINFO", source.LogTrouble, StringComparison.Ordinal);
        Assert.True(source.Registers.IsEmpty);
        Assert.Empty(source.RegistersOfI386());
    }
}
