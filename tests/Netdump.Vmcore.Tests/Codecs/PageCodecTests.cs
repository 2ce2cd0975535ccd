using System.Runtime.InteropServices;
using CsCheck;
using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests.Kdump;

namespace Netdump.Vmcore.Tests.Codecs;

/// <summary>Each codec of a page: ours and the native one against each other, and what is no page.</summary>
public sealed partial class PageCodecTests
{
    // Text-like, repeating, random and mostly zero pages of the sizes that machines have.
    private static readonly Gen<byte[]> Pages = Gen.Select(Gen.Int[0, 2].Select(i => 4096 << (2 * i)), Gen.Int[0, 3], Gen.Int[0, 1 << 20]).Select((size, kind, seed) =>
    {
        var page = new byte[size];
        var random = new Random(seed);
        if (kind == 0)
            random.NextBytes(page);
        else if (kind == 1)
            for (var i = 0; i < size; i++)
                page[i] = (byte)"the quick brown fox "[(i * (seed % 7 + 1) + i / 97) % 20];
        else
            for (var i = 0; i < size / (kind == 2 ? 3 : 200); i++)
                page[random.Next(size)] = (byte)random.Next(4);
        return page;
    });

    [Theory]
    [InlineData(PageCodec.Zlib, true)]
    [InlineData(PageCodec.Zlib, false)]
    [InlineData(PageCodec.Zstd, true)]
    [InlineData(PageCodec.Zstd, false)]
    public void Item17_what_one_codec_writes_both_read(PageCodec codec, bool native)
    {
        using var encoder = new PageEncoder(codec, 1, native);
        using var managed = new PageDecoder(mayBeNative: false);
        using var linked = new PageDecoder();
        Pages.Sample(page =>
        {
            var output = new byte[page.Length];
            var length = encoder.Encode(page, output);
            if (length == 0)
                return true;
            var (one, other) = (new byte[page.Length], new byte[page.Length]);
            return length < page.Length
                && managed.TryDecode(codec, output.AsSpan(0, length), one) && one.AsSpan().SequenceEqual(page)
                && linked.TryDecode(codec, output.AsSpan(0, length), other) && other.AsSpan().SequenceEqual(page)
                && !managed.TryDecode(codec, output.AsSpan(0, length), new byte[page.Length / 2])
                && !linked.TryDecode(codec, output.AsSpan(0, length), new byte[page.Length / 2])
                && !linked.TryDecode(codec, output.AsSpan(0, length - 1), other)
                && !managed.TryDecode(codec, output.AsSpan(0, length - 1), other);
        }, iter: 200, threads: 1);
    }

    [Fact]
    public void Item17_pages_of_liblzo2_decode()
    {
        var work = new byte[16384 * 8];
        Pages.Sample(page =>
        {
            var output = new byte[page.Length + page.Length / 16 + 67];
            var length = (nuint)output.Length;
            Assert.Equal(0, Compress(page, (nuint)page.Length, output, ref length, work));
            var decoded = new byte[page.Length];
            var input = output.AsSpan(0, (int)length);
            return Lzo.TryDecode(input, decoded) && decoded.AsSpan().SequenceEqual(page)
                && !Lzo.TryDecode(input, new byte[page.Length - 1]) && !Lzo.TryDecode(input, new byte[page.Length + 1])
                && !Lzo.TryDecode(input[..^1], decoded);
        }, iter: 400, threads: 1);
    }

    [Fact]
    public void Item17_snappy_pages_decode()
    {
        using var decoder = new PageDecoder();
        Pages.Sample(page =>
        {
            var output = new byte[Snappier.Snappy.GetMaxCompressedLength(page.Length)];
            var length = Snappier.Snappy.Compress(page, output);
            var decoded = new byte[page.Length];
            return decoder.TryDecode(PageCodec.Snappy, output.AsSpan(0, length), decoded) && decoded.AsSpan().SequenceEqual(page)
                && !decoder.TryDecode(PageCodec.Snappy, output.AsSpan(0, length), new byte[page.Length / 2]);
        }, iter: 200, threads: 1);
    }

    [Theory]
    [InlineData(PageCodec.Zlib)]
    [InlineData(PageCodec.Lzo)]
    [InlineData(PageCodec.Snappy)]
    [InlineData(PageCodec.Zstd)]
    public void Item63_any_bytes_decode_to_a_page_or_to_nothing(PageCodec codec)
    {
        using var native = new PageDecoder();
        using var managed = new PageDecoder(mayBeNative: false);
        var sound = new byte[4096];
        var length = 0;
        if (codec is PageCodec.Zlib or PageCodec.Zstd)
        {
            using var encoder = new PageEncoder(codec);
            length = encoder.Encode(Enumerable.Range(0, 4096).Select(i => (byte)(i / 9)).ToArray(), sound);
        }
        var page = new byte[4096 + 64];
        Gen.Select(Gen.Byte.Array[0, 300], Gen.Int[0, 400], Gen.Byte).Sample((random, at, value) =>
        {
            var input = random;
            if (length > 0 && at < length)
            {
                input = sound[..length];
                input[at] = value;
            }
            page.AsSpan(4096).Fill(0x5a);
            native.TryDecode(codec, input, page.AsSpan(0, 4096));
            managed.TryDecode(codec, input, page.AsSpan(0, 4096));
            return !page.AsSpan(4096).ContainsAnyExcept((byte)0x5a);
        }, iter: 3000, threads: 1);
    }

    [Fact]
    public void Item63_a_zlib_stream_that_asks_for_a_dictionary_is_no_page()
    {
        byte[] asking = [0x78, 0xbb, 1, 2, 3, 4, 5, 6, 7, 8];
        using var native = new PageDecoder();
        using var managed = new PageDecoder(mayBeNative: false);
        Assert.False(native.TryDecode(PageCodec.Zlib, asking, new byte[4096]));
        Assert.False(managed.TryDecode(PageCodec.Zlib, asking, new byte[4096]));
    }

    [Fact]
    public void Item64_a_page_that_inflates_to_more_is_refused()
    {
        var large = new byte[1 << 20];
        using var zlib = new PageEncoder(PageCodec.Zlib);
        using var zstd = new PageEncoder(PageCodec.Zstd);
        var output = new byte[large.Length];
        foreach (var (codec, encoder) in new[] { (PageCodec.Zlib, zlib), (PageCodec.Zstd, zstd) })
        {
            var bomb = output[..encoder.Encode(large, output)];
            foreach (var native in (bool[])[true, false])
            {
                using var decoder = new PageDecoder(native);
                var before = GC.GetAllocatedBytesForCurrentThread();
                Assert.False(decoder.TryDecode(codec, bomb, new byte[4096]));
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 300_000);
            }
        }
        // Zeros of LZO: a run whose length goes on for ever.
        Assert.False(Lzo.TryDecode(new byte[4096], new byte[4096]));
    }

    [Theory]
    [InlineData(PageCodec.Zlib, "")]
    [InlineData(PageCodec.Zlib, "78bb0000000100000000")] // asks for a dictionary
    [InlineData(PageCodec.Lzo, "")]
    [InlineData(PageCodec.Snappy, "")]
    [InlineData(PageCodec.Zstd, "")]
    public void Item63_a_page_of_no_bytes_or_with_a_dictionary_is_none(PageCodec codec, string hexadecimal)
    {
        foreach (var native in (bool[])[true, false])
        {
            using var decoder = new PageDecoder(native);
            Assert.False(decoder.TryDecode(codec, Convert.FromHexString(hexadecimal), new byte[4096]));
        }
    }

    [Theory]
    [InlineData(0x01 | 0x20u, null, "names more than one codec")]
    [InlineData(0u, 4095u, "without a codec")]
    [InlineData(0x20u, 4097u, "page_desc.size is 4097")]
    [InlineData(0x01u, 100u, "do not decode")]
    public void Item17_a_wrong_descriptor_costs_its_page_alone_and_is_explained(uint flags, uint? size, string expected)
    {
        var kdump = new SyntheticKdump();
        kdump.AddPage(1, new byte[4096], flags, size);
        kdump.AddPage(2, Enumerable.Repeat((byte)7, 4096).ToArray());
        using var file = SyntheticCore.Open(kdump.Build());
        var page = new byte[4096];
        Assert.Equal(PageState.Corrupt, file.Physical.ReadInPage(1, 0, page));
        using (var reader = file.Physical.OpenReader())
            Assert.Equal(PageState.Corrupt, reader.Read(1, out _));
        var why = ((Vmcore.Kdump.KdumpMemory)file.Physical).ExplainCorrupt(1)!;
        Assert.Contains(expected, why, StringComparison.Ordinal);
        Assert.Contains("at offset 0x", why, StringComparison.Ordinal);
        Assert.Equal(PageState.Present, file.Physical.ReadInPage(2, 0, page));
    }

    [Fact]
    public void The_hot_path_allocates_nothing_for_a_page()
    {
        Assert.True(NativeLibraries.HasLibzstd && NativeLibraries.HasLibdeflate);
        var page = Enumerable.Range(0, 4096).Select(i => (byte)(i / 5)).ToArray();
        var (output, back) = (new byte[4096], new byte[4096]);
        foreach (var codec in (PageCodec[])[PageCodec.Zlib, PageCodec.Zstd])
        {
            using var encoder = new PageEncoder(codec);
            using var decoder = new PageDecoder();
            decoder.TryDecode(codec, output.AsSpan(0, encoder.Encode(page, output)), back);
            var least = long.MaxValue; // of five stretches: the runtime allocates now and then for its own sake
            for (var stretch = 0; stretch < 5; stretch++)
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                for (var i = 0; i < 100; i++)
                    Assert.True(decoder.TryDecode(codec, output.AsSpan(0, encoder.Encode(page, output)), back));
                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            }

            Assert.Equal(0, least);
        }
    }

    [LibraryImport("liblzo2.so.2", EntryPoint = "lzo1x_1_compress")]
    private static partial int Compress(byte[] input, nuint length, byte[] output, ref nuint outputLength, byte[] work);
}
