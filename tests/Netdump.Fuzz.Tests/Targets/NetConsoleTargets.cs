using System.Buffers;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Protocols;
using Netdump.Protocols.NetConsole;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>Which dialect a datagram is.</summary>
public sealed class DatagramDialects : FuzzTarget
{
    public override int MaximumLength => 1600;

    public override IEnumerable<byte[]> Seeds =>
        Recordings.All.Take(20).Append([4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, .. "text\n"u8]).Append([0x16, 3, 1, 0, 0xff]);

    public override void Run(ReadOnlySpan<byte> input)
    {
        DatagramDialect alone = Dialects.Classify(input, continuesBasic: false);
        DatagramDialect rest = Dialects.Classify(input, continuesBasic: true);
        Require(alone == rest || (alone == DatagramDialect.Junk && rest == DatagramDialect.Basic), "an open line makes text of junk and changes nothing else");
        Require(alone == DatagramDialect.Empty == input.IsEmpty, "empty is what has no bytes");
    }
}

/// <summary>One extended record: header, body, lines, escapes.</summary>
public sealed class ExtendedRecords : FuzzTarget
{
    private readonly byte[] _text = new byte[ExtendedRecord.MaximumBody];
    private readonly byte[] _escaped = new byte[ExtendedRecord.MaximumBody * 4];

    public override int MaximumLength => 1600;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { ",ncfrag=", ",caller=T1", ";", "\n", " SUBSYSTEM=", " boot=", "release=", "\\x0a", "\\x", ",-;", "6,1,1,-;", "/" }.Select(System.Text.Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds => [.. Recordings.All.Take(60), .. "6.1.0,6,1,2,-,caller=T1,ncfrag=0/20;first part\n"u8.ToArray() is { } piece ? [piece] : Array.Empty<byte[]>()];

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (!ExtendedRecord.TryParse(input, out ExtendedRecord record)) return;
        Require(record.Body.Length <= input.Length, "a body is a part of its datagram");
        Require(record.Fragment == FragmentMark.None || (record.FragmentOffset >= 0 && record.FragmentTotal >= 0), "places of pieces are counts");
        int lines = 0;
        foreach (RecordLine line in record.Lines)
        {
            lines++;
            _ = record.Lines.TryGet(line.Kind, line.Key, out _);
        }

        Require(lines <= input.Length, "a line has bytes");
        int length = EscapedText.Unescape(record.EscapedText, _text);
        Require(length <= record.EscapedText.Length, "unescaped text is no longer");
        int written = EscapedText.Escape(_text.AsSpan(0, length), _escaped, out int consumed);
        Require(consumed == length, "there is room for all of it");
        Require(EscapedText.Unescape(_escaped.AsSpan(0, written), _text) == length, "escaped text comes back");
    }
}

/// <summary>One line of basic text.</summary>
public sealed class BasicLines : FuzzTarget
{
    private readonly ArrayBufferWriter<byte> _output = new(1 << 16);

    public override int MaximumLength => 1200;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { "<6>", "[    1.000000]", "[   T1]", "** ", " printk messages dropped **", "\\x", "é" }.Select(System.Text.Encoding.UTF8.GetBytes)];

    public override IEnumerable<byte[]> Seeds => [.. Recordings.Names.Where(name => name.Contains("basic", StringComparison.Ordinal)).SelectMany(Recordings.Datagrams).Take(60), "** 12 printk messages dropped **"u8.ToArray()];

    public override void Run(ReadOnlySpan<byte> input)
    {
        BasicLine line = BasicLine.Parse(input);
        Require(line.Text.Length + line.Caller.Length <= input.Length, "parts are parts");
        _ = BasicLine.TryReadDropped(line.Text, out _);
        _output.ResetWrittenCount();
        ConsoleText.Render(_output, line.HasTime ? line.Microseconds : null, line.Text);
        Require(_output.WrittenCount <= 64 * (input.Length + 1), "rendered text has its bounds"); // a time before each line
    }
}

/// <summary>All that one sender says on its console: pieces, lines, classic text, reboots, losses, in time.</summary>
public sealed class ConsoleStreams : FuzzTarget
{
    public override int MaximumLength => 6000;

    public override long MaximumAllocation => 256 << 20;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. new[] { ",ncfrag=", "6,1,1,-;", "6,2,2,-,ncfrag=0/20;", "\n", " boot=", " NETDUMP=capture\n", "[    0.000000] Linux version ", "<6>" }.Select(System.Text.Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
    [
        .. Recordings.Names.SelectMany(name => Recordings.Datagrams(name).Chunk(12).Select(chunk => DatagramScript.Write(chunk, pause: 7))).Where(seed => seed.Length <= 6000),
        DatagramScript.Write(["6,7,100,-,ncfrag=0/24;first half 1"u8.ToArray(), "6,7,100,-,ncfrag=12/24;second half"u8.ToArray()], pause: 3),
        DatagramScript.Write([[4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, .. "classic text\n"u8], [4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 40, .. "more\n"u8]]),
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        ConsoleWorkspace workspace = new();
        // The first byte says whether the sender is a capture client of ours.
        ConsoleStream stream = new(workspace, twoKernels: input is [0xff, ..]);
        DatagramScript script = new(input is [0xff, ..] ? input[1..] : input);
        TimeSpan now = TimeSpan.FromSeconds(100);
        long records = 0, datagrams = 0;
        ConsoleSink sink = (in ConsoleRecord record) =>
        {
            records++;
            Require(record.Raw.Length <= ExtendedRecord.MaximumBody + ExtendedRecord.MaximumHeader + 1, "a record has its bounds");
        };
        while (script.TryTake(out ReadOnlySpan<byte> datagram, out TimeSpan pause))
        {
            now += pause;
            if (stream.NextDeadline <= now) stream.Advance(now, sink);
            Require(stream.NextDeadline > now, "what is due was done");
            datagrams += 1 + datagram.Length;
            switch (Dialects.Classify(datagram, stream.ContinuesBasic(now)))
            {
                case DatagramDialect.Extended:
                    stream.ReceiveExtended(datagram, now, sink);
                    break;
                case DatagramDialect.Basic:
                    stream.ReceiveBasic(datagram, now, sink);
                    break;
                case DatagramDialect.ClassicReply:
                    stream.ReceiveLog((uint)datagram[9] << 24 | (uint)datagram[10] << 16 | (uint)datagram[11] << 8 | datagram[12], datagram[13..], now, sink);
                    break;
            }

            Require(workspace.Fragments.Used <= 256 * 1024, "one stream holds at most 256 KiB");
        }

        stream.Flush(now, sink);
        Require(stream.NextDeadline == TimeSpan.MaxValue, "nothing is held after a flush");
        Require(workspace.Fragments.Used == 0, "memory comes back");
        Require(records <= 2 * datagrams + 2, "no more is told than was said");
    }
}
