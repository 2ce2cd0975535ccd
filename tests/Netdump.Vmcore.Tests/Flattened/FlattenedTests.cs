using System.Buffers.Binary;
using CsCheck;
using Netdump.Vmcore.Flattened;
using Netdump.Vmcore.Output;
using Netdump.Vmcore.Tests.Kdump;

namespace Netdump.Vmcore.Tests.Flattened;

public sealed class FlattenedTests
{
    private static readonly byte[] End = [.. Enumerable.Repeat((byte)0xff, 16)];

    [Fact]
    public void Item28_holes_are_zero_and_of_overlapping_records_the_last_wins() =>
        Gen.Select(Gen.Int[0, 3000], Gen.Int[1, 900], Gen.Byte).Array[1, 12].Sample(records =>
        {
            var expected = new byte[records.Max(r => r.Item1 + r.Item2)];
            var stream = Stream([.. records.Select(r => ((long)r.Item1, Enumerable.Repeat(r.Item3, r.Item2).ToArray()))], End);
            foreach (var (offset, size, value) in records)
                expected.AsSpan(offset, size).Fill(value);
            using var bytes = Open(stream);
            var got = new byte[expected.Length + 10];
            var inPieces = new byte[expected.Length];
            for (var at = 0; at < inPieces.Length; at += 97)
                bytes.Read(at, inPieces.AsSpan(at, Math.Min(97, inPieces.Length - at)));
            return bytes.Length == expected.Length && bytes.Read(0, got) == expected.Length && got.AsSpan(0, expected.Length).SequenceEqual(expected)
                && inPieces.AsSpan().SequenceEqual(expected) && Arrange(stream).AsSpan().SequenceEqual(expected);
        }, iter: 300, threads: 1);

    [Theory]
    [InlineData(-5, 10, "dump offset -5")]
    [InlineData(0, 0, "of 0 bytes")]
    [InlineData(0, -7, "of -7 bytes")]
    [InlineData(1L << 62, 100, "beyond any dump")]
    [InlineData(100, long.MaxValue, "beyond any dump")]
    public void Item29_a_record_that_cannot_be_is_named_with_its_place(long offset, long size, string expected)
    {
        var header = new byte[16];
        BinaryPrimitives.WriteInt64BigEndian(header, offset);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(8), size);
        var stream = Stream([(0, new byte[100])], header);
        foreach (var error in (VmcoreFormatException[])[Assert.Throws<VmcoreFormatException>(() => Open(stream)), Assert.Throws<VmcoreFormatException>(() => Arrange(stream))])
        {
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
            Assert.InRange(error.Offset, 4096 + 16 + 100, 4096 + 16 + 108);
        }
    }

    [Theory]
    [InlineData(16, "type 2")]
    [InlineData(24, "version 2")]
    public void Item29_another_type_or_version_is_refused(int at, string expected)
    {
        var stream = Stream([(0, new byte[100])], End);
        stream[at + 7] = 2;
        Assert.Contains(expected, Assert.Throws<VmcoreFormatException>(() => Open(stream)).Message, StringComparison.Ordinal);
        Assert.Contains(expected, Assert.Throws<VmcoreFormatException>(() => Arrange(stream)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(16)] // the end mark
    [InlineData(60)] // inside the last record
    [InlineData(16 + 50 + 10)] // inside the header of the last record
    public void Item29_a_stream_without_its_end_mark_keeps_what_came_and_is_incomplete(int cut)
    {
        var kdump = new SyntheticKdump();
        kdump.AddPage(1, Enumerable.Repeat((byte)3, 4096).ToArray());
        var plain = kdump.Build();
        var stream = Stream([(0, plain), (plain.Length, new byte[50])], End);
        using var whole = SyntheticCore.Open(stream);
        Assert.True(whole.IsComplete && whole.Wrapping is { IsFlattened: true, IsWhole: true });
        using var file = SyntheticCore.Open(stream[..^cut]);
        Assert.False(file.IsComplete);
        var page = new byte[4096];
        Assert.Equal(4096, file.Physical.Read(4096, page));
        Assert.All(page, b => Assert.Equal(3, b));
    }

    [Fact]
    public void Item30_arranging_takes_the_same_memory_however_long_the_stream_is()
    {
        using var output = new NullOutput();
        using var small = new Records(10);
        FlattenedArranger.Arrange(small, output);
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var large = new Records(20_000);
        Assert.True(FlattenedArranger.Arrange(large, output));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.True(output.BytesWritten > 1L << 30);
        Assert.Contains("bytes are allowed", Assert.Throws<VmcoreFormatException>(() =>
        {
            using var again = new Records(10);
            FlattenedArranger.Arrange(again, output, limit: 100_000);
        }).Message, StringComparison.Ordinal);
    }

    private static byte[] Stream((long Offset, byte[] Bytes)[] records, byte[] end)
    {
        var stream = new MemoryStream();
        var header = new byte[4096];
        "makedumpfile"u8.CopyTo(header);
        header[23] = header[31] = 1;
        stream.Write(header);
        foreach (var (offset, bytes) in records)
        {
            BinaryPrimitives.WriteInt64BigEndian(header, offset);
            BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(8), bytes.Length);
            stream.Write(header, 0, 16);
            stream.Write(bytes);
        }
        stream.Write(end);
        return stream.ToArray();
    }

    private static FlattenedBytes Open(byte[] stream)
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(path, stream);
        var file = DumpBytes.Open(path);
        File.Delete(path);
        try
        {
            return FlattenedBytes.Open(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static byte[] Arrange(byte[] stream)
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            using (var output = FileOutput.Create(path))
            using (var input = new MemoryStream(stream))
                FlattenedArranger.Arrange(input, output);
            return File.ReadAllBytes(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private sealed class NullOutput : DumpOutput
    {
        public override void Write(long offset, ReadOnlySpan<byte> bytes) => BytesWritten += bytes.Length;

        public override void Extend(long length)
        {
        }

        public override void Finish()
        {
        }

        public override void Dispose()
        {
        }
    }

    /// <summary>A stream of so many records of 64 KiB, made while it is read.</summary>
    private sealed class Records(int count) : Stream
    {
        private const int Size = 65536;
        private readonly byte[] _header = Stream([], []);
        private long _at;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => _at; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (_at < 4096)
                return Take(_header.AsSpan((int)_at), buffer);
            var inRecord = (int)((_at - 4096) % (Size + 16));
            var index = (_at - 4096) / (Size + 16);
            Span<byte> record = stackalloc byte[16];
            if (index == count)
            {
                record.Fill(0xff);
                return Take(record[Math.Min(inRecord, 16)..], buffer);
            }
            BinaryPrimitives.WriteInt64BigEndian(record, index * Size);
            BinaryPrimitives.WriteInt64BigEndian(record[8..], Size);
            if (inRecord < 16)
                return Take(record[inRecord..], buffer);
            var length = Math.Min(buffer.Length, Size + 16 - inRecord);
            _at += length;
            return length;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        private int Take(ReadOnlySpan<byte> from, Span<byte> to)
        {
            var length = Math.Min(from.Length, to.Length);
            from[..length].CopyTo(to);
            _at += length;
            return length;
        }
    }
}
