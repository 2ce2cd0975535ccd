using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Flattened;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Tests.Output;

/// <summary>A real full core, written in every format and read back page by page.</summary>
public sealed class WriterTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-writer").FullName;
    private readonly VmcoreFile _source = VmcoreFile.Open(SharedData.FullCore);

    public static TheoryData<PageCodec, int> Ways => new()
    {
        { PageCodec.Zstd, 1 }, { PageCodec.Zstd, 2 }, { PageCodec.Zlib, 2 }, { PageCodec.None, 3 },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public void Item26_a_written_kdump_holds_the_selected_pages_and_no_others(PageCodec codec, int threads)
    {
        var path = Path.Combine(_directory, "out");
        var written = Write(path, Odd, codec, threads);
        using var copy = VmcoreFile.Open(path);
        var header = copy.Kdump!;
        Assert.Equal((6, 4096, 0x1afe0UL, 2), (header.Version, header.BlockSize, header.PageCount, header.ProcessorCount));
        Assert.Equal((uint)codec, header.Status);
        Assert.Equal(0, header.BitmapOffset % 4096);
        Assert.Equal(["Linux", "x86_64"], [header.Utsname[0], header.Utsname[4]]);
        Assert.Equal(_source.Info!.Release, header.Utsname[2]);
        Assert.Equal(_source.Info.CrashTime, header.Timestamp);
        Assert.True(copy.IsComplete);
        Assert.Equal(_source.NotesArea.ToArray(), copy.NotesArea.ToArray());
        Assert.Equal(_source.Info.Values, copy.Info!.Values);
        Assert.Equal(77695UL, written.MemoryPages);
        Assert.Equal(0UL, written.LostPages);
        Assert.Equal(written.KeptPages, ((KdumpMemory)copy.Physical).StoredCount);
        AssertSamePages(copy, Odd, PageState.Excluded);
    }

    [Fact]
    public void Item18_all_zero_pages_share_one()
    {
        var path = Path.Combine(_directory, "out");
        var written = Write(path, All, PageCodec.None, 2);
        var stored = (long)(written.KeptPages - written.ZeroPages + 1) * 4096;
        Assert.InRange(new FileInfo(path).Length - stored, 0, 4 << 20); // headers and the table of pages
        Assert.True(written.ZeroPages > 10000);
    }

    [Fact]
    public void One_thread_and_many_write_the_same_bytes()
    {
        foreach (var threads in (int[])[1, 4])
            Write(Path.Combine(_directory, $"{threads}"), Odd, PageCodec.Zstd, threads);
        Assert.True(File.ReadAllBytes(Path.Combine(_directory, "1")).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(_directory, "4"))));
    }

    [Fact]
    public void Item27_a_flattened_dump_arranged_equals_the_plain_file()
    {
        var plain = Path.Combine(_directory, "plain");
        Write(plain, Odd, PageCodec.Zstd, 2);
        var flat = Path.Combine(_directory, "flat");
        using (var output = new FlattenedOutput(File.Create(flat)))
            KdumpWriter.Write(_source, Selection(Odd), output, new WriteOptions { Codec = PageCodec.Zstd, Threads = 2, DumpLevel = 31 });
        var arranged = Path.Combine(_directory, "arranged");
        using (var output = FileOutput.Create(arranged))
        using (var stream = File.OpenRead(flat))
            Assert.True(FlattenedArranger.Arrange(stream, output));
        Assert.True(File.ReadAllBytes(plain).AsSpan().SequenceEqual(File.ReadAllBytes(arranged)));
        using var copy = VmcoreFile.Open(flat);
        Assert.True(copy.IsComplete && copy.Wrapping.IsFlattened);
        AssertSamePages(copy, Odd, PageState.Excluded);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Item54_a_written_core_reads_the_same_and_drops_zero_pages_at_level_1(int level)
    {
        var path = Path.Combine(_directory, "out");
        WrittenDump written;
        using (var output = FileOutput.Create(path))
            written = ElfWriter.Write(_source, Selection(Chunks), output, new WriteOptions { Codec = PageCodec.None, DumpLevel = level });
        using var copy = VmcoreFile.Open(path);
        Assert.True(copy.IsComplete);
        Assert.Equal(_source.Physical.PageCount, copy.Physical.PageCount);
        Assert.Equal(_source.Info!.Values, copy.Info!.Values);
        Assert.Equal(_source.Processors.Count, copy.Processors.Count);
        var (kept, zero) = AssertSamePages(copy, Chunks, PageState.NotInDump, zeroMayBeLeftOut: level == 1);
        Assert.Equal(level == 1 ? kept - zero : kept, written.KeptPages);
        Assert.Equal(zero, written.ZeroPages);
        // The kernel image has its own addresses, and no bytes of its own.
        var image = _source.Elf!.Segments[1];
        var placed = copy.Elf!.Segments.Where(s => s.Type == ElfSegment.Load && s.VirtualAddress >= image.VirtualAddress).ToList();
        Assert.NotEmpty(placed);
        Assert.All(placed, s => Assert.Equal(image.VirtualAddress - image.PhysicalAddress, s.VirtualAddress - s.PhysicalAddress));
        Assert.All(placed, s => Assert.Contains(copy.Elf.Segments, d => d.VirtualAddress < s.VirtualAddress && d.PhysicalAddress <= s.PhysicalAddress
            && d.Offset - (long)d.PhysicalAddress == s.Offset - (long)s.PhysicalAddress));
        Assert.Equal(_source.Elf.Segments[3].VirtualAddress - _source.Elf.Segments[3].PhysicalAddress, copy.Elf.Segments[^1].VirtualAddress - copy.Elf.Segments[^1].PhysicalAddress);
    }

    [Fact]
    public void A_written_core_has_the_stacks_at_the_addresses_the_processors_know_them_by()
    {
        const ulong Stack = 0xffff_c900_0012_0000;
        var kernel = new SyntheticKernel(pages: 64);
        // Four pages of vmalloc space that are no neighbours in memory, but for the first two; a fifth is not mapped.
        ulong[] places = [0x20000, 0x21000, 0x30000, 0x28000];
        for (var i = 0; i < places.Length; i++)
        {
            kernel.Map(Stack + ((ulong)i << 12), places[i]);
            kernel.Memory[places[i] + 5] = (byte)(i + 1);
        }
        var core = new SyntheticCore();
        foreach (var pid in (int[])[1, 2])
        {
            var status = SyntheticCore.Status(pid);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(status.AsSpan(112 + 19 * 8), Stack + 0x2340);
            core.AddNote("CORE", 1, status);
        }
        core.AddNote("VMCOREINFO", 0, System.Text.Encoding.ASCII.GetBytes(kernel.InfoText));
        core.AddMemory(0, kernel.Memory);
        using var source = core.Open();
        var path = Path.Combine(_directory, "out");
        using (var output = FileOutput.Create(path))
            ElfWriter.Write(source, block => block(0, [ulong.MaxValue]), output, new WriteOptions { Codec = PageCodec.None });
        using var copy = VmcoreFile.Open(path);
        var stacks = copy.Elf!.Segments.Where(s => s.VirtualAddress is >= Stack and < Stack + 0x100000).ToList();
        Assert.Equal([(Stack, 0x20000UL, 0x2000UL), (Stack + 0x2000, 0x30000UL, 0x1000UL), (Stack + 0x3000, 0x28000UL, 0x1000UL)],
            stacks.Select(s => (s.VirtualAddress, s.PhysicalAddress, s.MemorySize)));
        var bytes = File.ReadAllBytes(path);
        Assert.Equal([1, 3, 4], stacks.Select(s => bytes[s.Offset + 5]));
        Assert.Equal(64UL, copy.Physical.PageCount);
    }

    [Fact]
    public void Item20_an_interrupted_output_is_known_as_incomplete_and_opens()
    {
        var path = Path.Combine(_directory, "out");
        using (var output = new FailingOutput(FileOutput.Create(path), 10 << 20))
            Assert.Throws<IOException>(() => KdumpWriter.Write(_source, Selection(All), output, new WriteOptions { Codec = PageCodec.Zstd, Threads = 2 }));
        using var copy = VmcoreFile.Open(path);
        Assert.True(copy.IsUnfinished && !copy.IsComplete);
        var states = new int[8];
        var page = new byte[4096];
        var expected = new byte[4096];
        for (var pfn = 0UL; pfn < copy.Physical.EndPage; pfn++)
        {
            var state = copy.Physical.ReadInPage(pfn, 0, page);
            states[(int)state]++;
            if (state == PageState.Present)
            {
                _source.Physical.ReadInPage(pfn, 0, expected);
                Assert.Equal(expected, page);
            }
        }
        Assert.True(states[(int)PageState.Present] > 1000 && states[(int)PageState.Lost] > 1000);
        Assert.Equal(0, states[(int)PageState.Corrupt]);
    }

    public void Dispose()
    {
        _source.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static bool All(ulong page) => true;

    private static bool Odd(ulong page) => page % 3 != 0;

    // Long gaps, short gaps and single pages.
    private static bool Chunks(ulong page) => (page / 1024) % 3 != 1 && page % 100 != 7;

    private PageSelection Selection(Func<ulong, bool> keeps) => block =>
    {
        var bits = new ulong[100];
        for (var first = 0UL; first < _source.Physical.EndPage + 10000; first += 6400)
        {
            Array.Clear(bits);
            for (var i = 0; i < 6400; i++)
                if (keeps(first + (ulong)i))
                    PageBits.Set(bits, i);
            block(first, bits);
        }
    };

    private WrittenDump Write(string path, Func<ulong, bool> keeps, PageCodec codec, int threads)
    {
        using var output = FileOutput.Create(path);
        return KdumpWriter.Write(_source, Selection(keeps), output, new WriteOptions { Codec = codec, Threads = threads, DumpLevel = 31 });
    }

    private (ulong Kept, ulong Zero) AssertSamePages(VmcoreFile copy, Func<ulong, bool> keeps, PageState leftOut, bool zeroMayBeLeftOut = false)
    {
        using var theirs = _source.Physical.OpenReader();
        using var ours = copy.Physical.OpenReader();
        var (kept, zero) = (0UL, 0UL);
        for (var page = 0UL; page < _source.Physical.EndPage; page++)
        {
            var original = theirs.Read(page, out var expected);
            var state = ours.Read(page, out var bytes);
            if (original == PageState.NotMemory)
            {
                Assert.Equal(original, state);
                continue;
            }
            if (keeps(page))
            {
                kept++;
                var isZero = ZeroPage.IsZero(expected);
                zero += isZero ? 1UL : 0;
                Assert.True(state == PageState.Present || (state == PageState.NotInDump && isZero && zeroMayBeLeftOut));
                Assert.True(expected.SequenceEqual(bytes), $"page {page}");
            }
            else if (leftOut == PageState.Excluded)
                Assert.Equal(leftOut, state);
            else
                Assert.True(state == leftOut || ZeroPage.IsZero(bytes), $"page {page}");
        }
        return (kept, zero);
    }

    /// <summary>A disk that is full after some bytes.</summary>
    private sealed class FailingOutput(DumpOutput inner, long room) : DumpOutput
    {
        private long _room = room;

        public override void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            _room -= bytes.Length;
            if (_room < 0)
                throw new IOException("No space left on device");
            inner.Write(offset, bytes);
        }

        public override void Extend(long length) => inner.Extend(length);

        public override void Finish() => inner.Finish();

        public override void Dispose() => inner.Dispose();
    }
}
