using System.Buffers.Binary;
using System.Text;
using Netdump.Vmcore.Packed;

namespace Netdump.Vmcore.Tests;

/// <summary>Dumps whose notes say nothing of the kernel: what it wrote into its memory is found.</summary>
public class InfoSearchTests
{
    [Theory]
    [InlineData("linux-7.3-sysrq-full")]
    [InlineData("linux-6.12-arm64-sysrq")]
    public void Item34_the_note_is_found_in_memory_when_PT_NOTE_is_cut_away(string crash)
    {
        using var whole = VmcoreFile.Open(SharedData.UnpackedPath(crash, "vmcore.elf.zst"));
        using var file = VmcoreFile.Of([new WithoutNotes(FileBytes.Open(whole.Bytes.Path))], new DumpWrapping(Packing.None, IsFlattened: false, IsWhole: true));
        Assert.Null(file.Info);
        Assert.Empty(file.Notes);
        var (_, info) = Assert.Single(InfoSearch.Find(file.Physical));
        Assert.Equal(whole.Info!.Values.Where(v => v.Key != "CRASHTIME"), info.Values.Where(v => v.Key != "CRASHTIME"));
        Assert.Equal(whole.ReadLog().Select(r => r.Sequence), file.ReadLog().Select(r => r.Sequence));
    }

    [Fact]
    public void Item34_a_dump_without_it_says_so_and_serves_physical_reads()
    {
        var core = new SyntheticCore();
        var memory = new byte[0x4000];
        // The text without the note's header, and a header without the text, are none.
        Encoding.ASCII.GetBytes("OSRELEASE=6.1.0\n").CopyTo(memory, 0x1000);
        SyntheticCore.Note("VMCOREINFO", 0, "nothing\n"u8).CopyTo(memory, 0x2000);
        core.AddMemory(0x1000, memory);
        using var file = core.Open();
        Assert.Contains("nor does its memory", Assert.Throws<VmcoreFormatException>(file.OpenKernelMemory).Message, StringComparison.Ordinal);
        Assert.Equal(4096, file.Physical.Read(0x2000, new byte[4096]));
    }

    [Fact]
    public void Item34_a_length_beyond_the_page_is_cut_there()
    {
        var core = new SyntheticCore();
        var memory = new byte[0x1000];
        SyntheticCore.Note("VMCOREINFO", 0, Encoding.ASCII.GetBytes(new SyntheticKernel().InfoText + "OSRELEASE=6.1.0\n")).CopyTo(memory, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(memory.AsSpan(4), uint.MaxValue);
        core.AddMemory(0x1000, memory);
        using var file = core.Open();
        Assert.Equal("6.1.0", Assert.Single(InfoSearch.Find(file.Physical)).Info.Release);
    }

    /// <summary>A core whose first program header, that of the notes, says there are none.</summary>
    private sealed class WithoutNotes(FileBytes file) : DumpBytes(file.Path, file.Length)
    {
        private const int FileSizeAt = 64 + 32; // p_filesz of the first program header

        public override int Read(long offset, Span<byte> destination)
        {
            var got = file.Read(offset, destination);
            for (var at = FileSizeAt; at < FileSizeAt + 8; at++)
                if (at >= offset && at < offset + got)
                    destination[(int)(at - offset)] = 0;
            return got;
        }

        public override void Dispose() => file.Dispose();
    }
}
