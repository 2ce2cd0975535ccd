using CsCheck;

namespace Netdump.Vmcore.Tests.Kdump;

/// <summary>Files with fields changed and ends cut off: a format error in one line at worst, soon, and in little memory.</summary>
public sealed class HostileKdumpTests
{
    private const int HeaderLength = 464;

    public static TheoryData<bool, bool> Shapes => new() { { true, false }, { false, false }, { false, true } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Item63_every_field_of_the_headers_changed(bool is64, bool isPadded)
    {
        var (kdump, sound) = Sound(is64, isPadded);
        uint[] values = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 4095, 65537, 0x01000000];
        for (var at = 8; at < kdump.SubHeaderAt + 110; at += at == HeaderLength ? (int)kdump.SubHeaderAt - HeaderLength : 4)
        {
            if (at is >= 12 and < 400)
                continue; // names
            foreach (var value in values)
            {
                var bytes = (byte[])sound.Clone();
                BitConverter.TryWriteBytes(bytes.AsSpan(at), value);
                Survives(bytes, $"{value:x} at {at}");
            }
        }
    }

    [Theory]
    [InlineData(428, 17u, "block_size is 17")]
    [InlineData(432, 0x80000000u, "sub_hdr_size")]
    [InlineData(436, 0x00ffffffu, "the file ends inside its bitmaps")]
    [InlineData(436, 0u, "bitmap_blocks 0")]
    [InlineData(8, 0xffffffffu, "header_version is -1")]
    [InlineData(4096 + 100, 0x00ffffffu, "max_mapnr_64")]
    [InlineData(4096 + 56, 0x7fffffffu, "size_note")]
    [InlineData(4096 + 52, 0x7fffffffu, "offset_note")]
    [InlineData(4096 + 40, 0x00ffffffu, "size_vmcoreinfo")]
    public void The_error_names_the_field_and_the_offset(int at, uint value, string expected)
    {
        var bytes = Sound(is64: true, isPadded: false).Bytes;
        BitConverter.TryWriteBytes(bytes.AsSpan(at), value);
        var error = Assert.Throws<VmcoreFormatException>(() => SyntheticCore.Open(bytes));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("at offset 0x", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Item63_bytes_changed_anywhere_and_ends_cut_off()
    {
        var sound = Sound(is64: true, isPadded: false).Bytes;
        var places = Gen.OneOf(Gen.Int[8, 4300], Gen.Int[8192, 8192 + 200], Gen.Int[12288, 12288 + 200], Gen.Int[16384, 16384 + 24 * 40], Gen.Int[0, sound.Length - 1]);
        Gen.Select(Gen.Select(places, Gen.Byte).Array[1, 6], Gen.Int[0, 3], Gen.Int[0, sound.Length]).Sample((changes, cut, length) =>
        {
            var bytes = (byte[])sound.Clone();
            foreach (var (at, value) in changes)
                bytes[at] = value;
            Survives(cut == 0 ? bytes[..length] : bytes, "random");
        }, iter: 400, threads: 1);
    }

    private static (SyntheticKdump Kdump, byte[] Bytes) Sound(bool is64, bool isPadded)
    {
        var note = SyntheticCore.Note("VMCOREINFO", 0, "OSRELEASE=4.19.0\nPAGESIZE=4096\n"u8);
        var kdump = new SyntheticKdump
        {
            Is64 = is64,
            IsPadded = isPadded,
            Utsname = ["Linux", "host", "4.19", "#1", is64 ? "x86_64" : isPadded ? "armv7l" : "i686", ""],
            Notes = note,
            InfoInNotes = 24,
            InfoLength = 31,
            Status = 1,
        };
        using var encoder = new Vmcore.Codecs.PageEncoder(Vmcore.Codecs.PageCodec.Zlib);
        var output = new byte[4096];
        for (var page = 0UL; page < 40; page++)
        {
            var length = encoder.Encode([.. Enumerable.Range(0, 4096).Select(i => (byte)(i / 50 + (int)page))], output);
            kdump.AddPage(page * 7, output[..length], 1);
        }
        return (kdump, kdump.Build());
    }

    private static void Survives(byte[] bytes, string what)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            using var file = SyntheticCore.Open(bytes);
            var page = new byte[65536];
            for (var pfn = 0UL; pfn < 300; pfn++)
                file.Physical.ReadInPage(pfn, 0, page.AsSpan(0, file.PageSize));
            file.Physical.ReadInPage(file.Physical.EndPage - 1, 0, page.AsSpan(0, file.PageSize));
            using var reader = file.Physical.OpenReader();
            for (var pfn = 0UL; pfn < 300; pfn++)
                reader.Read(pfn, out _);
            file.Physical.CopyStoredBits(0, new ulong[16]);
            file.Physical.CountPages();
            Utsname.Find(file);
        }
        catch (VmcoreFormatException error)
        {
            Assert.DoesNotContain('\n', error.Message);
        }
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 64 << 20, what);
    }
}
