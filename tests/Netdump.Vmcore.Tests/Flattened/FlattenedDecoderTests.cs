using CsCheck;
using Netdump.Vmcore.Flattened;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Tests.Flattened;

/// <summary>A stream put in order while it arrives, in portions of any size, by processes that end in between.</summary>
public sealed class FlattenedDecoderTests
{
    private const long Limit = 1 << 20;

    private static (byte[] Stream, byte[] File) Sample(int seed, int records)
    {
        Random random = new(seed);
        byte[] file = new byte[200_000];
        int length = 0;
        MemoryStream stream = new();
        using (FlattenedOutput output = new(stream, leaveOpen: true))
        {
            for (int i = 0; i < records; i++)
            {
                byte[] bytes = new byte[random.Next(1, 5000)];
                random.NextBytes(bytes);
                int at = random.Next(0, file.Length - bytes.Length);
                bytes.CopyTo(file, at);
                length = Math.Max(length, at + bytes.Length);
                output.Write(at, bytes);
            }

            output.Finish();
        }

        return (stream.ToArray(), file[..length]);
    }

    private static byte[] Decode(ReadOnlySpan<byte> stream, Func<int> portion, out FlattenedDecoder decoder)
    {
        byte[] file = new byte[Limit];
        byte[] state = new byte[FlattenedDecoder.StateLength];
        decoder = default;
        while (!stream.IsEmpty)
        {
            ReadOnlySpan<byte> part = stream[..Math.Min(portion(), stream.Length)];
            stream = stream[part.Length..];
            while (decoder.TryNext(ref part, Limit, out long offset, out ReadOnlySpan<byte> piece))
                piece.CopyTo(file.AsSpan((int)offset));
            decoder.Save(state);
            Assert.True(FlattenedDecoder.TryLoad(state, out decoder));
        }

        decoder.Finish(out ReadOnlySpan<byte> first);
        first.CopyTo(file);
        return file[..(int)decoder.Length];
    }

    [Fact]
    public void Any_portions_make_the_same_file() => Gen.Select(Gen.Int, Gen.Int[0, 30], Gen.Int[1, 6000]).Sample((seed, records, most) =>
    {
        (byte[] stream, byte[] file) = Sample(seed, records);
        Random random = new(seed);
        byte[] made = Decode(stream, () => random.Next(1, most + 1), out FlattenedDecoder decoder);
        Assert.Equal(file, made);
        Assert.True(decoder is { IsWhole: true, IsFlattened: true } && decoder.Received == stream.Length);
    }, iter: 200);

    [Fact]
    public void A_stream_that_breaks_off_is_not_whole_and_made_of_what_came() => Gen.Int[0, 5000].Sample(cut =>
    {
        (byte[] stream, byte[] file) = Sample(3, 5);
        byte[] made = Decode(stream.AsSpan(0, Math.Min(cut, stream.Length - 1)), () => 700, out FlattenedDecoder decoder);
        Assert.Equal(cut < 16, decoder.IsWhole); // too short to be told from any other file
        Assert.True(cut < 16 || made.Length <= file.Length);
    }, iter: 200);

    [Fact]
    public void Any_other_format_goes_through_as_it_is() => Gen.Select(Gen.Byte.Array[0, 100], Gen.Int[0, 16], Gen.Int[1, 20]).Sample((bytes, same, portion) =>
    {
        // Begins as a flattened stream does, and is none after all.
        byte[] file = [.. "makedumpfile\0\0\0\0"u8[..same], .. bytes];
        if (file.AsSpan().StartsWith("makedumpfile\0\0\0\0"u8))
            return;
        Assert.Equal(file, Decode(file, () => portion, out FlattenedDecoder decoder));
        Assert.True(decoder is { IsWhole: true, IsFlattened: false });
    });

    [Theory]
    [InlineData(16, 2, "type")]
    [InlineData(24, 2, "version")]
    [InlineData(4096, 0x80, "dump offset")]
    [InlineData(4096 + 8, 0x80, "record of")]
    [InlineData(4096 + 5, 0x10, "allowed")] // offset 2^20 and more
    [InlineData(4096 + 13, 0x10, "allowed")]
    public void What_cannot_be_is_refused(int at, byte value, string reason)
    {
        (byte[] stream, _) = Sample(1, 1);
        stream[at] = value;
        var failure = Assert.Throws<VmcoreFormatException>(() => Decode(stream, () => 100, out _));
        Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_bytes_break_it() => Gen.Select(Gen.Byte.Array[0, 3000], Gen.Bool).Sample((bytes, isFlattened) =>
    {
        byte[] stream = isFlattened ? [.. Sample(1, 0).Stream.AsSpan(0, 4096), .. bytes] : bytes;
        try
        {
            Decode(stream, () => 50, out _);
        }
        catch (VmcoreFormatException)
        {
            // It said so.
        }
    });

    [Fact]
    public void No_bytes_are_a_state_that_breaks_it() => Gen.Byte.Array[FlattenedDecoder.StateLength].Sample(state =>
    {
        state[0] %= 8;
        if (!FlattenedDecoder.TryLoad(state, out FlattenedDecoder decoder))
            return;
        ReadOnlySpan<byte> bytes = new byte[10_000];
        try
        {
            while (decoder.TryNext(ref bytes, FlattenedFormat.LongestDump, out long offset, out ReadOnlySpan<byte> piece))
                Assert.True(offset >= 0 && offset + piece.Length <= FlattenedFormat.LongestDump);
        }
        catch (VmcoreFormatException)
        {
            // It said so.
        }
    });
}
