using CsCheck;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore.Tests.Memory;

public class PhysicalMemoryTests
{
    [Fact]
    public void Item07_pages_beyond_the_end_of_a_cut_file_are_lost_and_the_rest_reads()
    {
        var core = new SyntheticCore();
        core.AddMemory(0x1000, Pattern(0x4000));
        var bytes = core.Build();
        using var file = SyntheticCore.Open(bytes[..^0x1800]);
        Assert.True(file.IsTruncated);
        Assert.Equal(
            [PageState.NotMemory, PageState.Present, PageState.Present, PageState.Present, PageState.Lost, PageState.NotMemory],
            Enumerable.Range(0, 6).Select(i => file.Physical.StateOf((ulong)i)));
        var read = new byte[0x4000];
        Assert.Equal(0x3000, file.Physical.Read(0x1000, read));
        Assert.Equal(Pattern(0x4000)[..0x2800], read[..0x2800]);
    }

    [Fact]
    public void Item07_a_cut_copy_does_not_hide_a_whole_one()
    {
        var core = new SyntheticCore();
        core.AddMemory(0x1000, Pattern(0x2000));
        core.AddMemory(0x0, [.. new byte[0x1000], .. Pattern(0x2000)]);
        using var file = SyntheticCore.Open(core.Build()[..^0x1000]);
        var read = new byte[0x2000];
        Assert.Equal(0x2000, file.Physical.Read(0x1000, read));
        Assert.Equal(Pattern(0x2000), read);
    }

    [Fact]
    public void Item08_memory_beyond_the_file_size_of_a_segment_is_zero_and_marked()
    {
        var core = new SyntheticCore { Packed = true };
        core.AddMemory(0x1000, Pattern(0x1000), 0x3000);
        core.AddMemory(0x8000, [], 0x1000);
        using var file = core.Open();
        Assert.Equal(PageState.Present, file.Physical.StateOf(1));
        Assert.Equal(PageState.NotInDump, file.Physical.StateOf(2));
        Assert.Equal(PageState.NotInDump, file.Physical.StateOf(8));
        var read = Pattern(0x3000);
        Assert.Equal(0x3000, file.Physical.Read(0x1000, read));
        Assert.All(read[0x1000..], b => Assert.Equal(0, b));
        Assert.Equal(4UL, file.Physical.PageCount);
    }

    [Fact]
    public void Item09_a_page_comes_from_the_segment_that_holds_it_whole()
    {
        var core = new SyntheticCore { Packed = true };
        core.AddMemory(0x1800, Enumerable.Repeat((byte)1, 0x800).ToArray());
        core.AddMemory(0x1000, Enumerable.Repeat((byte)2, 0x1000).ToArray());
        core.AddMemory(0x1400, Enumerable.Repeat((byte)3, 0x100).ToArray());
        using var file = core.Open();
        var read = new byte[0x1000];
        Assert.Equal(0x1000, file.Physical.Read(0x1000, read));
        Assert.All(read, b => Assert.Equal(2, b));
    }

    [Fact]
    public void Item09_bytes_that_no_segment_holds_in_a_touched_page_are_zero()
    {
        var core = new SyntheticCore { Packed = true };
        core.AddMemory(0x1800, Enumerable.Repeat((byte)1, 0x400).ToArray());
        core.AddMemory(0x1e00, Enumerable.Repeat((byte)2, 0x400).ToArray());
        using var file = core.Open();
        var read = new byte[0x1000];
        Assert.Equal(0x1000, file.Physical.Read(0x1000, read));
        Assert.All(read[..0x800], b => Assert.Equal(0, b));
        Assert.All(read[0x800..0xc00], b => Assert.Equal(1, b));
        Assert.All(read[0xc00..0xe00], b => Assert.Equal(0, b));
        Assert.All(read[0xe00..], b => Assert.Equal(2, b));
        Assert.Equal(-1, ((ElfMemory)file.Physical).Locate(1));
        Assert.Equal([new PageRange(1, 2)], file.Physical.Ranges);
        var middle = new byte[4];
        Assert.Equal(4, file.Physical.Read(0x1bfe, middle));
        Assert.Equal([1, 1, 0, 0], middle);
    }

    [Fact]
    public void Item11_a_padded_last_page_of_a_chunk_is_read_to_its_end()
    {
        var core = new SyntheticCore();
        core.AddMemory(0x1000, Pattern(0x1c00));
        core.AddMemory(0x8000, Pattern(0x1000));
        var bytes = core.Build();
        Assert.Equal(0, bytes[0x1000 + 0x1c00]);
        bytes[0x1000 + 0x1fff] = 77; // the kernel serves the whole page, whatever the header claims
        using var file = SyntheticCore.Open(bytes);
        Assert.True(((ElfMemory)file.Physical).IsPageAligned);
        var read = new byte[0x1000];
        Assert.Equal(0x1000, file.Physical.Read(0x2000, read));
        Assert.Equal(Pattern(0x1c00)[0x1000..], read[..0xc00]);
        Assert.Equal(77, read[^1]);
        Assert.Equal(0x1000, ((ElfMemory)file.Physical).Locate(1));
        Assert.Equal(-1, ((ElfMemory)file.Physical).Locate(2));
    }

    [Fact]
    public void Item10_pages_in_two_segments_count_once()
    {
        var core = new SyntheticCore();
        core.AddMemory(0x4000, Pattern(0x3000));
        core.AddMemory(0x1000, Pattern(0x2c00));
        core.AddMemory(0x4000, Pattern(0x8000));
        using var file = core.Open();
        Assert.Equal([new PageRange(1, 11)], file.Physical.Ranges);
        Assert.Equal(11UL, file.Physical.PageCount);
        Assert.Equal(12UL, file.Physical.EndPage);
    }

    [Fact]
    public void Memory_equals_a_plain_model_whatever_the_segments() =>
        Gen.Select(Gen.Select(Gen.Int[0, 40000], Gen.Int[0, 9000], Gen.Int[0, 5000], Gen.Bool).Array[1, 6], Gen.Bool).Sample((segments, packed) =>
        {
            var memory = Pattern(60000);
            var known = new bool[60000];
            var described = new bool[16];
            var core = new SyntheticCore { Packed = packed };
            foreach (var (start, length, more, aligned) in segments)
            {
                var at = aligned ? start / 4096 * 4096 : start;
                core.AddMemory((ulong)at, memory[at..(at + length)], (ulong)(length + (packed ? more : 0)));
                known.AsSpan(at, length).Fill(true);
                for (var page = at / 4096; page * 4096 < at + length + (packed ? more : 0) && length + (packed ? more : 0) > 0; page++)
                    described[page] = true;
            }
            if (segments.Length > 1 && segments.All(s => (s.Item4 ? s.Item1 / 4096 * 4096 : s.Item1) == 0))
            {
                Assert.Throws<VmcoreFormatException>(core.Open); // several segments that all lie at 0 are a process's
                return true;
            }
            using var file = core.Open();
            if (file.Physical.PageCount != (ulong)described.Count(d => d))
                return false;
            var page4096 = new byte[4096];
            for (var page = 0; page < 14; page++)
            {
                var got = file.Physical.Read((ulong)page * 4096, page4096);
                if (!described[page])
                {
                    if (got != 0 || file.Physical.StateOf((ulong)page) != PageState.NotMemory)
                        return false;
                    continue;
                }
                if (got != 4096)
                    return false;
                for (var i = 0; i < 4096; i++)
                {
                    var expected = known[page * 4096 + i] ? memory[page * 4096 + i] : (byte)0;
                    if (page4096[i] != expected)
                        return false;
                }
            }
            return true;
        }, iter: 200);

    [Fact]
    public void Reads_end_where_addresses_end()
    {
        var core = new SyntheticCore();
        core.AddMemory(0, Pattern(0x1000));
        using var file = core.Open();
        Assert.Equal(0, file.Physical.Read(ulong.MaxValue - 1, new byte[16]));
        Assert.Equal(0x10, file.Physical.Read(0xff0, new byte[0x40]));
    }

    private static byte[] Pattern(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
            bytes[i] = (byte)(1 + i * 31 % 251);
        return bytes;
    }
}
