using System.Buffers.Binary;
using System.Diagnostics;
using CsCheck;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Storage;

public sealed class VmcoreOriginalHeaderTests
{
    public static TheoryData<uint, uint, int, int> Machines => new()
    {
        // machine, page size, notes at, length of the notes
        { 3, 4096, 116, 320 },
        { 62, 4096, 176, 528 },
        { 21, 4096, 176, 520 + 152 + 24 },
        { 50, 16384, 176, 1160 + 152 + 32 },
    };

    [Fact]
    public void Item42_zero_pages_are_holes_and_the_file_has_its_full_length()
    {
        using var crash = new TemporaryCrash();
        VmcoreLayout layout = Layout(new VmcoreDescription(62, 4096, 20_000, 0, 0), new byte[216]);
        using VmcoreWriter writer = VmcoreWriter.Create(crash.Directory, layout);
        var page = new byte[4096];
        for (ulong pfn = 0; pfn < 19_000; pfn++)
            writer.WritePage(pfn, page);
        writer.MarkReserved(19_000, 998);
        writer.MarkUnreadable(19_998);
        page[4095] = 1;
        writer.WritePage(19_999, page);
        writer.Complete();
        Assert.Equal(4096 + 20_000 * 4096, new FileInfo(crash.Directory.File("vmcore")).Length);
        Assert.InRange(crash.DiskBytes("vmcore"), 4096, 64 * 1024);
        Assert.Equal((1UL, 19_000UL, 998UL, 1UL), (writer.StoredPages, writer.ZeroPages, writer.ReservedPages, writer.UnreadablePages));
        Assert.Equal(1, crash.Read("vmcore")[^1]);
    }

    [Fact]
    public void Item43_crash_takes_the_file_for_a_netdump_of_this_page_size_and_task()
    {
        using var crash = new TemporaryCrash();
        var registers = new byte[216];
        for (int i = 0; i < 27; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(registers.AsSpan(i * 8), 0x1111_0000_0000_0000UL + (ulong)i);
        VmcoreLayout layout = Layout(new VmcoreDescription(62, 4096, 300, 0x10037e6b030, 0x10000000000), registers);
        using (VmcoreWriter writer = VmcoreWriter.Create(crash.Directory, layout))
        {
            writer.MarkReserved(0, 300);
            writer.Complete();
        }

        string output = RunCrash(crash.Directory.File("vmcore"));
        Assert.Contains("NETDUMP_LOCAL|NETDUMP_ELF64", output);
        Assert.Matches(@"header_size:\s+4096\b", output);
        Assert.Matches(@"page_size:\s+4096\b", output);
        Assert.Matches(@"task_struct:\s+10037e6b030\b", output);
        // Register words 16 (rip) and 19 (rsp) reached their places.
        Assert.Contains("1111000000000010", output);
        Assert.Contains("1111000000000013", output);
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public void Item44_notes_are_named_by_four_bytes_and_memory_is_page_aligned(uint machine, uint pageSize, int notesAt, int notesLength)
    {
        VmcoreLayout layout = Layout(
            new VmcoreDescription(machine, pageSize, 100, 0xc123_4567, 0xc000_0000), new byte[VmcoreOriginalHeader.RegisterBytes(machine)]);
        var elf = new ElfView(layout.Header.ToArray());
        Assert.Equal(2u, elf.Half(elf.Wide ? 56 : 44));
        ElfView.Segment notes = elf.ProgramHeader(0), load = elf.ProgramHeader(1);
        Assert.Equal((4u, (ulong)notesAt, (ulong)notesLength, 0UL), (notes.Type, notes.Offset, notes.FileSize, notes.Alignment));
        Assert.Equal((1u, 7u, 0xc000_0000UL, 0UL), (load.Type, load.Flags, load.Virtual, load.Physical));
        Assert.Equal(pageSize, load.Alignment);
        Assert.Equal(0UL, load.Offset % 4096);
        Assert.Equal(0UL, load.Offset % pageSize);
        Assert.Equal(100UL * pageSize, load.FileSize);
        Assert.Equal(100UL * pageSize, load.MemorySize);

        int at = notesAt;
        foreach (uint type in (uint[])[1, 3, 4])
        {
            Assert.Equal(4u, elf.UInt(at));
            Assert.Equal(type, elf.UInt(at + 8));
            Assert.Equal("CORE"u8, elf.Bytes.AsSpan(at + 12, 4));
            if (type == 4)
                Assert.Equal(0xc123_4567UL, elf.Word(at + 16));
            at += 16 + (int)elf.UInt(at + 4);
        }

        Assert.Equal(notesAt + notesLength, at);
        Assert.Equal((long)load.Offset + 7L * pageSize, layout.Positions(7)[0] + 7L * pageSize);
    }

    [Fact]
    public void Item45_a_big_endian_client_gets_a_big_endian_file_and_its_registers_unchanged()
    {
        var registers = new byte[384];
        new Random(45).NextBytes(registers);
        VmcoreLayout layout = Layout(new VmcoreDescription(21, 4096, 100, 0xc000_0000_1234_5678, 0xc000_0000_0000_0000), registers);
        byte[] header = layout.Header.ToArray();
        Assert.Equal(2, header[5]);
        Assert.Equal([0, 21], header[18..20]);
        Assert.Equal(registers, header[(176 + 16 + 112)..(176 + 16 + 112 + 384)]);
        Assert.Equal(0xc000_0000_1234_5678, new ElfView(header).Word(176 + 520 + 152 + 16));
    }

    [Fact]
    public void Item46_memory_above_four_gigabytes_of_an_i386_client_is_complete()
    {
        const ulong Pages = 6UL << 18;
        using var crash = new TemporaryCrash();
        VmcoreLayout layout = Layout(new VmcoreDescription(3, 4096, Pages, 0xf700_0000, 0xc000_0000), new byte[68]);
        Assert.Equal(0xffff_f000UL, new ElfView(layout.Header.ToArray()).ProgramHeader(1).FileSize);
        using (VmcoreWriter writer = VmcoreWriter.Create(crash.Directory, layout))
        {
            var page = new byte[4096];
            foreach (ulong pfn in (ulong[])[0, (1 << 20) - 1, 1 << 20, Pages - 1])
            {
                page.AsSpan().Fill((byte)(pfn % 251 + 1));
                writer.WritePage(pfn, page);
            }

            writer.MarkReserved(0, Pages);
            writer.Complete();
        }

        using FileStream file = File.OpenRead(crash.Directory.File("vmcore"));
        Assert.Equal(4096 + (long)Pages * 4096, file.Length);
        foreach (ulong pfn in (ulong[])[0, (1 << 20) - 1, 1 << 20, Pages - 1])
        {
            file.Position = 4096 + (long)pfn * 4096;
            Assert.Equal((byte)(pfn % 251 + 1), file.ReadByte());
        }
    }

    [Theory]
    [InlineData(62, 215)]
    [InlineData(62, 68)]
    [InlineData(3, 216)]
    [InlineData(50, 448)]
    public void Registers_of_another_length_or_order_leave_zeros(uint machine, int length)
    {
        var registers = new byte[length];
        registers.AsSpan().Fill(0xee);
        VmcoreLayout layout = Layout(new VmcoreDescription(machine, 4096, 100, 0, 0), registers);
        Assert.DoesNotContain((byte)0xee, layout.Header.ToArray());
    }

    [Fact]
    public void No_description_throws() =>
        Gen.Select(Gen.UInt, Gen.UInt, Gen.ULong, Gen.Byte.Array[0, 1500]).Sample((machine, pageSize, pages, registers) =>
        {
            (VmcoreLayout? layout, string? reason) = VmcoreOriginalHeader.Create(
                new VmcoreDescription(machine, pageSize, pages, ulong.MaxValue, ulong.MaxValue), registers);
            Assert.NotEqual(layout is null, reason is null);
        });

    private static VmcoreLayout Layout(in VmcoreDescription dump, ReadOnlySpan<byte> registers)
    {
        (VmcoreLayout? layout, string? reason) = VmcoreOriginalHeader.Create(dump, registers);
        Assert.Null(reason);
        return layout!;
    }

    private static string RunCrash(string vmcore)
    {
        using Process crash = Process.Start(new ProcessStartInfo("crash", ["-d1", vmcore])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
            WorkingDirectory = Path.GetDirectoryName(vmcore),
        })!;
        crash.StandardInput.Close();
        Task<string> errors = crash.StandardError.ReadToEndAsync();
        string output = crash.StandardOutput.ReadToEnd();
        crash.WaitForExit();
        return output + errors.Result;
    }
}
