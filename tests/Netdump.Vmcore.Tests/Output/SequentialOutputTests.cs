using CsCheck;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Tests.Output;

public sealed class SequentialOutputTests
{
    private static readonly Gen<(int Offset, int[] Lengths)> Writes = Gen.Select(Gen.Int[0, 20000], Gen.Int[0, 9000].Array[0, 40]);

    [Fact]
    public void What_is_appended_stands_in_the_file_in_whole_blocks()
    {
        Writes.Sample(way =>
        {
            var output = new RecordingOutput();
            var gathered = new SequentialOutput(output, way.Offset, 8192);
            byte next = 0;
            foreach (var length in way.Lengths)
            {
                var bytes = new byte[length];
                foreach (ref var one in bytes.AsSpan())
                    one = next++;
                gathered.Append(bytes);
            }
            gathered.Flush();
            gathered.Flush();
            var total = way.Lengths.Sum();
            Assert.Equal(total, output.Pieces.Sum(p => p.Bytes.Length));
            long at = way.Offset;
            byte expected = 0;
            foreach (var (offset, bytes) in output.Pieces)
            {
                Assert.Equal(at, offset);
                at += bytes.Length;
                Assert.True(at % 4096 == 0 || at == way.Offset + total);
                Assert.All(bytes, one => Assert.Equal(expected++, one));
            }
        }, iter: 200);
    }

    [Fact]
    public void Room_is_what_fits_before_the_next_write()
    {
        var output = new RecordingOutput();
        var gathered = new SequentialOutput(output, 100, 4096);
        Assert.Equal(3996, gathered.Room);
        gathered.Append(new byte[3996]);
        Assert.Equal(0, gathered.Room);
        Assert.Empty(output.Pieces);
        gathered.Append(new byte[1]);
        Assert.Equal((100L, 3996), (output.Pieces[0].Offset, output.Pieces[0].Bytes.Length));
        Assert.Equal(4095, gathered.Room);
    }

    /// <summary>Keeps each write.</summary>
    internal sealed class RecordingOutput : DumpOutput
    {
        public List<(long Offset, byte[] Bytes)> Pieces { get; } = [];

        public override void Write(long offset, ReadOnlySpan<byte> bytes) => Pieces.Add((offset, bytes.ToArray()));

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
}
