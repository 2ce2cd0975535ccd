using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Kdump;

/// <summary>Headers, bitmaps and descriptors of every shape, on files made for it.</summary>
public sealed class KdumpFileTests
{
    private static readonly string[] I386 = ["Linux", "host", "2.6.32", "#1", "i686", ""];
    private static readonly string[] PowerPc = ["Linux", "host", "5.10", "#1", "ppc64", ""];

    [Theory]
    [InlineData(false, false, "i686", Machines.I386)]
    [InlineData(false, true, "armv7l", Machines.Arm)]
    [InlineData(true, false, "x86_64", Machines.X64)]
    [InlineData(true, false, "i686", Machines.I386)] // 64-bit headers of a 32-bit kernel are legal
    public void Item13_both_word_sizes_packed_and_padded_are_read(bool is64, bool isPadded, string machine, ushort number)
    {
        var note = SyntheticCore.Note("VMCOREINFO", 0, "OSRELEASE=4.19.0\nPAGESIZE=4096\n"u8);
        var kdump = new SyntheticKdump
        {
            Is64 = is64,
            IsPadded = isPadded,
            Utsname = ["Linux", "host", "4.19", "#1", machine, ""],
            Notes = note,
            InfoInNotes = 24,
            InfoLength = 31,
            PhysicalBase = 0x1000,
        };
        kdump.AddPage(5, Page(5));
        kdump.AddMemory(6);
        using var file = Open(kdump.Build());
        Assert.Equal((is64, 1000UL, number), (file.Kdump!.Is64, file.Kdump.PageCount, file.Machine));
        Assert.Equal("4.19.0", file.Info!.Release);
        Assert.Equal((0x1000UL, 31), (file.Kdump.PhysicalBase, file.Kdump.DumpLevel));
        Assert.Single(file.Notes);
        AssertPage(file, 5, Page(5));
        Assert.Equal(PageState.Excluded, file.Physical.StateOf(6));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Item13_big_endian_files_are_read(bool is64)
    {
        var kdump = new SyntheticKdump { Is64 = is64, IsBigEndian = true, Utsname = is64 ? PowerPc : I386 };
        kdump.AddPage(9, Page(9));
        using var file = Open(kdump.Build());
        Assert.True(file.IsBigEndian);
        Assert.Equal(is64 ? Machines.PowerPc64 : Machines.I386, file.Machine);
        AssertPage(file, 9, Page(9));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void Item14_what_is_newer_than_the_version_is_ignored(int version)
    {
        var text = Encoding.ASCII.GetBytes("OSRELEASE=5.4\n");
        var kdump = new SyntheticKdump
        {
            Version = version,
            Notes = version == 3 ? text : SyntheticCore.Note("VMCOREINFO", 0, text),
            InfoInNotes = version == 3 ? 0 : 24,
            InfoLength = text.Length,
            Split = version == 5 ? (100, 1000) : null,
        };
        kdump.AddPage(50, Page(50));
        kdump.AddPage(150, Page(150));
        var bytes = kdump.Build();
        if (version < 4)
            bytes.AsSpan(kdump.FieldAt("offset_note"), 16).Fill(0xee);
        if (version < 3)
            bytes.AsSpan(kdump.FieldAt("offset_vmcoreinfo"), 16).Fill(0xee);
        using var file = Open(bytes);
        Assert.Equal(1000UL, file.Kdump!.PageCount);
        Assert.Equal(version >= 3 ? "5.4" : null, file.Info?.Release);
        Assert.Equal(version >= 4 ? 1 : 0, file.Notes.Count);
        Assert.Equal(version == 5 ? 100UL : 0, file.Kdump.StartPage);
        AssertPage(file, 150, Page(150));
        Assert.Equal(version == 5 ? PageState.Lost : PageState.Present, file.Physical.StateOf(50));
    }

    [Fact]
    public void Item15_pages_above_2_to_the_32_are_found()
    {
        const ulong High = (1UL << 32) + 12345;
        const long Bitmap = ((1L << 32) + 65536) / 8;
        var kdump = new SyntheticKdump { Limit = 1000 };
        var header = kdump.Build()[..8192];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(436), (uint)(2 * Bitmap / 4096));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(440), uint.MaxValue);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(kdump.FieldAt("max_mapnr_64")), (1UL << 32) + 65536);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(kdump.FieldAt("end_pfn_64")), (1UL << 32) + 65536);
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        using (var file = File.Create(path))
        {
            file.Write(header);
            var stored = 8192 + Bitmap;
            foreach (var page in (ulong[])[3, High])
            {
                file.Position = stored + (long)(page / 8);
                file.WriteByte((byte)(1 << (int)(page % 8)));
            }
            var descriptor = new byte[24];
            file.Position = stored + Bitmap;
            foreach (var (offset, index) in new[] { (stored + Bitmap + 4096, 0), (stored + Bitmap + 8192, 1) })
            {
                System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(descriptor, offset);
                System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(descriptor.AsSpan(8), 4096);
                file.Write(descriptor);
                _ = index;
            }
            file.Position = stored + Bitmap + 4096;
            file.Write(Page(3));
            file.Position = stored + Bitmap + 8192;
            file.Write(Page(77));
        }
        try
        {
            using var file = VmcoreFile.Open(path);
            Assert.Equal((1UL << 32) + 65536, file.Physical.EndPage);
            AssertPage(file, High, Page(77));
            AssertPage(file, 3, Page(3));
            using var reader = file.Physical.OpenReader();
            Assert.Equal(PageState.Present, reader.Read(High, out var bytes));
            Assert.Equal(Page(77), bytes.ToArray());
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Item19_lost_excluded_and_no_memory_are_three_things()
    {
        var kdump = new SyntheticKdump { Status = 8 };
        kdump.AddPage(1, Page(1));
        kdump.AddPage(2, []); // the writer never came to it
        kdump.AddMemory(3);
        using var file = Open(kdump.Build());
        Assert.True(file.IsUnfinished);
        Assert.Equal(
            [PageState.NotMemory, PageState.Present, PageState.Lost, PageState.Excluded, PageState.NotMemory],
            Enumerable.Range(0, 5).Select(i => file.Physical.StateOf((ulong)i)));
        var page = new byte[4096];
        Assert.Equal(PageState.Lost, file.Physical.ReadInPage(2, 0, page));
        Assert.Equal(PageState.Excluded, file.Physical.ReadInPage(3, 0, page));
        Assert.Equal(4096 - 10, file.Physical.Read(4096 + 10, new byte[8192]));
        Assert.Equal(new PageCounts(3, 2, 0, 1, 1), file.Physical.CountPages());
        Assert.Equal([new PageRange(1, 3)], file.Physical.Ranges);
    }

    [Theory]
    [InlineData(100)] // inside the data
    [InlineData(8192 + 30)] // inside the table of pages
    public void Item20_a_file_cut_short_keeps_the_pages_before_the_cut(int cut)
    {
        var kdump = new SyntheticKdump();
        kdump.AddPage(1, Page(1));
        kdump.AddPage(2, Page(2));
        var bytes = kdump.Build();
        using var file = Open(bytes[..^cut]);
        Assert.Equal(cut < 4096 ? PageState.Present : PageState.Lost, file.Physical.StateOf(1));
        Assert.Equal(PageState.Lost, file.Physical.StateOf(2));
    }

    [Fact]
    public void Item20_a_file_that_ends_inside_its_bitmaps_is_refused()
    {
        var kdump = new SyntheticKdump();
        kdump.AddPage(1, Page(1));
        var error = Assert.Throws<VmcoreFormatException>(() => Open(kdump.Build()[..(8192 + 5000)]));
        Assert.Contains("ends inside its bitmaps", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Item21_a_split_dump_opens_in_any_order_and_tells_what_is_missing()
    {
        var parts = new (ulong, ulong)[] { (0, 300), (300, 700), (700, 1000), (1000, 1000) }.Select(range =>
        {
            var kdump = new SyntheticKdump { Split = range };
            foreach (var page in (ulong[])[1, 299, 300, 512, 699, 700, 999])
                kdump.AddPage(page, Page(page));
            return Temporary(kdump.Build());
        }).ToArray();
        try
        {
            using (var file = VmcoreFile.Open([parts[2], parts[3], parts[0], parts[1]]))
            {
                Assert.True(file.IsComplete);
                using var reader = file.Physical.OpenReader();
                foreach (var page in (ulong[])[1, 299, 300, 512, 699, 700, 999])
                {
                    AssertPage(file, page, Page(page));
                    Assert.Equal(PageState.Present, reader.Read(page, out var bytes));
                    Assert.Equal(Page(page), bytes.ToArray());
                }
            }
            using (var file = VmcoreFile.Open([parts[2], parts[0]]))
            {
                Assert.False(file.IsComplete);
                Assert.Equal([new PageRange(300, 400)], file.MissingPages);
                Assert.Equal(PageState.Lost, file.Physical.StateOf(512));
                AssertPage(file, 999, Page(999));
            }
            Assert.Contains("another part holds", Assert.Throws<VmcoreFormatException>(() => VmcoreFile.Open([parts[1], parts[1]])).Message, StringComparison.Ordinal);
            var whole = new SyntheticKdump();
            whole.AddPage(1, Page(1));
            var other = Temporary(whole.Build());
            Assert.Contains("whole dump", Assert.Throws<VmcoreFormatException>(() => VmcoreFile.Open([parts[0], other])).Message, StringComparison.Ordinal);
            File.Delete(other);
        }
        finally
        {
            foreach (var part in parts)
                File.Delete(part);
        }
    }

    [Theory]
    [InlineData("KDUMP   ", 6)]
    [InlineData("DISKDUMP", 1)]
    public void Item22_a_single_bitmap_says_what_is_stored(string signature, int version)
    {
        var kdump = new SyntheticKdump { Signature = signature, Version = version, HasSingleBitmap = true };
        kdump.AddPage(7, Page(7));
        using var file = Open(kdump.Build());
        Assert.Equal(signature == "DISKDUMP", file.Kdump!.IsDiskdump);
        Assert.Null(file.Info);
        AssertPage(file, 7, Page(7));
        Assert.Equal(PageState.NotMemory, file.Physical.StateOf(8));
        Assert.Equal(1UL, file.Physical.PageCount);
    }

    [Fact]
    public void Item23_a_header_without_names_and_VMCOREINFO_opens_for_physical_reads()
    {
        var kdump = new SyntheticKdump { Utsname = ["", "", "", "", "", ""], Notes = SyntheticCore.Note("CORE", 1, SyntheticCore.Status(1)) };
        kdump.AddPage(7, Page(7));
        using var file = Open(kdump.Build());
        AssertPage(file, 7, Page(7));
        Assert.Null(file.Info);
        Assert.Equal(Machines.Unknown, file.Machine);
        Assert.Throws<VmcoreFormatException>(() => file.OpenKernelMemory());
        Assert.Equal("", Utsname.Find(file).Release);
    }

    [Fact]
    public void Item24_the_physical_base_of_VMCOREINFO_beats_the_headers()
    {
        var note = SyntheticCore.Note("VMCOREINFO", 0, "NUMBER(phys_base)=-599785472\n"u8);
        var kdump = new SyntheticKdump { Notes = note, InfoInNotes = 24, InfoLength = 29, PhysicalBase = 0xfffffffa6687ab8e };
        using var file = Open(kdump.Build());
        Assert.Equal(0xfffffffa6687ab8e, file.Kdump!.PhysicalBase);
        Assert.Equal(-599785472, file.Info!.PhysicalBase);
    }

    [Fact]
    public void Eight_threads_read_at_once()
    {
        var kdump = new SyntheticKdump();
        for (var page = 0UL; page < 900; page++)
            kdump.AddPage(page, Page(page));
        using var file = Open(kdump.Build());
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, thread =>
        {
            var bytes = new byte[4096];
            for (var i = 0; i < 2000; i++)
            {
                var page = (ulong)((i * 7919 + thread * 31) % 900);
                Assert.Equal(PageState.Present, file.Physical.ReadInPage(page, 0, bytes));
                Assert.True(bytes.AsSpan().SequenceEqual(Page(page)));
            }
        });
    }

    private static byte[] Page(ulong seed)
    {
        var page = new byte[4096];
        new Random((int)seed).NextBytes(page);
        return page;
    }

    private static void AssertPage(VmcoreFile file, ulong page, byte[] expected)
    {
        var bytes = new byte[expected.Length];
        Assert.Equal(PageState.Present, file.Physical.ReadInPage(page, 0, bytes));
        Assert.Equal(expected, bytes);
    }

    private static VmcoreFile Open(byte[] bytes) => SyntheticCore.Open(bytes);

    private static string Temporary(byte[] bytes)
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
