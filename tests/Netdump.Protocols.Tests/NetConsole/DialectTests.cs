using System.Buffers.Binary;
using System.Text;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

public class DialectTests
{
    private static byte[] Classic(byte version, uint code, int length)
    {
        byte[] datagram = new byte[length];
        datagram[0] = version;
        BinaryPrimitives.WriteUInt32BigEndian(datagram.AsSpan(5), code);
        return datagram;
    }

    [Theory]
    [InlineData(2, 13)]
    [InlineData(2, 1460)]
    [InlineData(3, 1037)]
    [InlineData(4, 13)]
    [InlineData(8, 60)]
    [InlineData(10, 413)]
    public void Item33_classic_replies_by_code_and_length(uint code, int length)
    {
        Assert.Equal(DatagramDialect.ClassicReply, Dialects.Classify(Classic(4, code, length), false));
        Assert.Equal(DatagramDialect.ClassicReply, Dialects.Classify(Classic(5, code, length), true));
        Assert.Equal(DatagramDialect.ClassicUnknownVersion, Dialects.Classify(Classic(6, code, length), false));
    }

    [Theory]
    [InlineData(2, 1461)]
    [InlineData(3, 1036)]
    [InlineData(4, 14)]
    [InlineData(13, 100)]
    [InlineData(8, 12)]
    public void Item33_the_wrong_length_or_code_is_junk(uint code, int length) =>
        Assert.Equal(DatagramDialect.Junk, Dialects.Classify(Classic(4, code, length), false));

    [Fact]
    public void Item34_junk()
    {
        Assert.Equal(DatagramDialect.Empty, Dialects.Classify([], false));
        foreach (byte b in (byte[])[0x00, 0x04, (byte)'A', (byte)'\n', 0xFF]) Assert.Equal(DatagramDialect.Junk, Dialects.Classify([b], false));
        byte[] hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, .. new byte[100]];
        Assert.Equal(DatagramDialect.Junk, Dialects.Classify(hello, false));
        byte[] query = [(byte)'A', (byte)'b', 0x01, 0x00, 0x00, 0x01, 0, 0, 0, 0, 0, 0, 7, .. "example"u8, 3, .. "com"u8, 0, 0, 1, 0, 1];
        Assert.Equal(DatagramDialect.Junk, Dialects.Classify(query, false));
        Assert.Equal(DatagramDialect.Junk, Dialects.Classify([0x1B, .. "[31m"u8], false));
    }

    [Fact]
    public void Item34_the_rest_of_a_cut_line_may_begin_with_anything()
    {
        Assert.Equal(DatagramDialect.Basic, Dialects.Classify("\n"u8, true));
        Assert.Equal(DatagramDialect.Basic, Dialects.Classify([0x1B, .. "[31m\n"u8], true));
    }

    [Fact]
    public void Item35_any_mix_from_one_port_is_told_apart_and_delivered()
    {
        Collected collected = new();
        ConsoleStream stream = new(new ConsoleWorkspace());
        byte[][] mix =
        [
            [.. "[    1.000000] basic one\n"u8], [.. "6,10,1000000,-;extended one\n"u8], Classic(4, 3, 1037), [.. "<5> syslog\n"u8],
            [.. "6,11,1000001,-;extended two\n"u8], [.. "basic two\n"u8],
        ];
        List<DatagramDialect> verdicts = [];
        foreach (byte[] datagram in mix)
        {
            TimeSpan now = TimeSpan.FromSeconds(1);
            DatagramDialect dialect = Dialects.Classify(datagram, stream.ContinuesBasic(now));
            verdicts.Add(dialect);
            if (dialect == DatagramDialect.Extended) stream.ReceiveExtended(datagram, now, collected.Sink);
            if (dialect == DatagramDialect.Basic) stream.ReceiveBasic(datagram, now, collected.Sink);
        }

        stream.Advance(TimeSpan.FromSeconds(1.1), collected.Sink);
        stream.ReceiveLog(0, "classic\n"u8, TimeSpan.FromSeconds(1.1), collected.Sink);
        Assert.Equal(
            [
                DatagramDialect.Basic, DatagramDialect.Extended, DatagramDialect.ClassicReply, DatagramDialect.Basic, DatagramDialect.Extended,
                DatagramDialect.Basic,
            ],
            verdicts);
        // The first records of a boot wait for those they may have overtaken.
        Assert.Equal(["basic one", "syslog", "basic two", "extended one", "extended two", "classic\n"], collected.Texts);
    }

    [Fact]
    public void Text_of_basic_targets_is_never_taken_for_extended()
    {
        foreach (string line in (string[])["[    1.0] 6,1,2,-;x", "hello world,1,2,3,-;x", "a;b", "6,1,2;x"])
            Assert.Equal(DatagramDialect.Basic, Dialects.Classify(Encoding.ASCII.GetBytes(line + "\n"), false));
    }
}
