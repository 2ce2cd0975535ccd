using System.Text;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests;

/// <summary>The full core of a real 7.3 kernel against what makedumpfile and drgn said of it.</summary>
public sealed class RealCoreTests : IDisposable
{
    private const string Crash = "linux-7.3-sysrq-full";
    private readonly VmcoreFile _file = VmcoreFile.Open(SharedData.FullCore);

    [Fact]
    public void Item05_two_register_notes_and_one_VMCOREINFO()
    {
        Assert.Equal(["CORE", "CORE", "VMCOREINFO"], _file.Notes.Select(n => n.Name));
        Assert.Equal(2, _file.Processors.Count);
        Assert.All(_file.Notes.Take(2), n => Assert.Equal(336, n.Description.Length));
        Assert.Equal(File.ReadAllBytes(SharedData.File(Crash, "vmcoreinfo.txt")), _file.Notes[2].Description.ToArray());
        Assert.Equal(0x2000, _file.Elf!.HeaderAreaLength);
        Assert.False(_file.IsTruncated);
        Assert.True(((ElfMemory)_file.Physical).IsPageAligned);
    }

    [Fact]
    public void Item10_every_page_of_memory_counts_once_as_makedumpfile_counts()
    {
        var expected = SharedData.Unpacked(Crash, "ram.bin.zst");
        var bitmap = new byte[expected.Length];
        foreach (var range in _file.Physical.Ranges)
            for (var page = range.First; page < range.End; page++)
                bitmap[page / 8] |= (byte)(1 << (int)(page % 8));
        Assert.Equal(expected, bitmap);
        Assert.Equal(77695UL, _file.Physical.PageCount);
        Assert.Equal(0x1afe0UL, _file.Physical.EndPage);
    }

    [Fact]
    public void Item11_the_partial_last_page_of_the_first_range_is_read_to_its_end()
    {
        var page = new byte[4096];
        var inFile = new byte[4096];
        Assert.Equal(4096, _file.Bytes.Read(0x3432000 + 0x9e000, inFile));
        Assert.Equal(4096, _file.Physical.Read(0x9f000, page));
        Assert.Equal(inFile, page);
        Assert.Equal(0, _file.Physical.Read(0xa0000, page));
    }

    [Fact]
    public void Item10_both_copies_of_the_kernel_image_are_alike()
    {
        var image = _file.Elf!.Segments[1];
        var direct = _file.Elf!.Segments[3];
        var one = new byte[1 << 20];
        var other = new byte[1 << 20];
        _file.Bytes.Read(image.Offset, one);
        _file.Bytes.Read(direct.Offset + (long)(image.PhysicalAddress - direct.PhysicalAddress), other);
        Assert.Equal(one, other);
        var memory = new byte[1 << 20];
        Assert.Equal(memory.Length, _file.Physical.Read(image.PhysicalAddress, memory));
        Assert.Equal(one, memory);
    }

    [Fact]
    public void Item35_the_image_rule_and_the_page_tables_agree()
    {
        var memory = _file.OpenKernelMemory();
        Assert.Equal(5, memory.Levels);
        foreach (var symbol in new[] { "_stext", "init_uts_ns", "swapper_pg_dir", "prb", "node_data", "kallsyms_names" })
        {
            var address = _file.Info!.Symbol(symbol)!.Value;
            Assert.True(memory.TryTranslateImage(address, out var byRule));
            Assert.Equal(TranslationResult.Mapped, memory.Translate(address, out var byTables));
            Assert.Equal(byRule, byTables);
        }
    }

    [Fact]
    public void Item38_the_direct_map_is_one_constant_away()
    {
        var memory = _file.OpenKernelMemory();
        var direct = _file.Elf!.Segments[3];
        var offset = direct.VirtualAddress - direct.PhysicalAddress;
        for (var at = direct.PhysicalAddress; at < 0xc000000; at += 0x1000)
        {
            // The poisoned page and pages the kernel write-protected elsewhere may be unmapped; none is mapped to another place.
            var result = memory.Translate(at + offset, out var physical);
            Assert.True(result == TranslationResult.NotPresent || physical == at);
        }
        var section = _file.Info!.Symbol("mem_section")!.Value;
        Assert.Equal(TranslationResult.Mapped, memory.Translate(section, out var sectionAt));
        Assert.Equal(offset, section - sectionAt);
    }

    [Fact]
    public void Item42_utsname_names_the_release()
    {
        var name = new byte[6 * 65];
        var address = _file.Info!.Symbol("init_uts_ns")!.Value + (ulong)_file.Info.Offset("uts_namespace.name")!.Value;
        Assert.Equal(name.Length, _file.OpenKernelMemory().Read(address, name));
        Assert.Equal("Linux", Field(0));
        Assert.Equal(_file.Info.Release, Field(2));
        Assert.Equal("x86_64", Field(4));

        string Field(int index) => Encoding.ASCII.GetString(name, index * 65, 65).TrimEnd('\0');
    }

    [Fact]
    public void Every_record_of_the_log_has_a_number_of_its_own()
    {
        var log = _file.ReadLog();
        Assert.Equal(log.Count, log.Select(r => r.Sequence).Distinct().Count());
    }

    [Fact]
    public void Levels_and_devices_of_real_records()
    {
        var log = _file.ReadLog();
        var panic = log.Single(r => r.Text.Span.StartsWith("Kernel panic"u8));
        Assert.Equal((0, 1), ((int)panic.Level, panic.Thread ?? -1));
        var device = log.First(r => r.Subsystem == "pci");
        Assert.StartsWith("+pci:0000:00:", device.Device, StringComparison.Ordinal);
    }

    [Fact]
    public void The_panicking_CPU_is_the_one_of_pid_1()
    {
        var index = PanickingProcessor.Find(_file.Processors, _file.ReadLog());
        Assert.Equal(0, index);
        Assert.Equal(1, _file.Processors[index].Pid);
        Assert.True(_file.Processors[index].InKernel);
        Assert.False(_file.Processors[1].InKernel);
    }

    [Fact]
    public void Item57_windows_give_the_files_bytes_mapped_and_read()
    {
        using var mapped = new DumpWindows(_file.Bytes, mapped: true);
        using var read = new DumpWindows(_file.Bytes, mapped: false);
        var expected = new byte[4096];
        // Ends of windows, a page across two, the end of the file, backwards too.
        foreach (var offset in new[] { 0, 4096, DumpWindows.WindowLength - 4096, DumpWindows.WindowLength - 100, DumpWindows.WindowLength, 3 * DumpWindows.WindowLength + 8192, 8192, _file.Bytes.Length - 4096, _file.Bytes.Length - 10, _file.Bytes.Length, _file.Bytes.Length + 5 })
        {
            var length = _file.Bytes.Read(offset, expected);
            Assert.Equal(expected[..length], mapped.Slice(offset, 4096).ToArray());
            Assert.Equal(expected[..length], read.Slice(offset, 4096).ToArray());
        }
        Assert.True(mapped.IsMapped);
        Assert.False(read.IsMapped);
    }

    public void Dispose() => _file.Dispose();
}
