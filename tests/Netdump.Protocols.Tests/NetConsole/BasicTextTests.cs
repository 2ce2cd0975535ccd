using System.Buffers;
using System.Text;
using CsCheck;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

public class BasicTextTests
{
    private static readonly TimeSpan Start = TimeSpan.FromSeconds(10);

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    private static string Shown(ReadOnlySpan<byte> text, ulong? time = null)
    {
        ArrayBufferWriter<byte> output = new();
        ConsoleText.Render(output, time, text);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static Collected Deliver(params string[] datagrams)
    {
        Collected collected = new();
        ConsoleStream stream = new(new ConsoleWorkspace());
        foreach (string datagram in datagrams) stream.ReceiveBasic(Bytes(datagram), Start, collected.Sink);
        stream.Flush(Start, collected.Sink);
        return collected;
    }

    [Fact]
    public void Item29_a_line_cut_at_1000_bytes_is_joined()
    {
        string line = "[    3.081269] " + new string('x', 1200) + " end";
        Assert.Equal([line[15..], "next"], Deliver(line[..1000], line[1000..] + "\n", "[    3.081270] next\n").Texts);
    }

    [Fact]
    public void Item29_two_senders_interleaved_are_not_mixed()
    {
        ConsoleWorkspace workspace = new();
        Collected one = new();
        Collected two = new();
        ConsoleStream first = new(workspace);
        ConsoleStream second = new(workspace);
        first.ReceiveBasic(Bytes(new string('a', 1000)), Start, one.Sink);
        second.ReceiveBasic(Bytes(new string('b', 1000)), Start, two.Sink);
        first.ReceiveBasic("AAA\n"u8, Start, one.Sink);
        second.ReceiveBasic("BBB\n"u8, Start, two.Sink);
        Assert.Equal([new string('a', 1000) + "AAA"], one.Texts);
        Assert.Equal([new string('b', 1000) + "BBB"], two.Texts);
    }

    [Fact]
    public void Item29_pieces_more_than_a_second_apart_are_not_joined()
    {
        foreach ((int wait, string[] expected) in (ReadOnlySpan<(int, string[])>)[(999, ["firstrest"]), (1000, ["first", "rest"])])
        {
            Collected collected = new();
            ConsoleStream stream = new(new ConsoleWorkspace());
            stream.ReceiveBasic("first"u8, Start, collected.Sink);
            Assert.True(stream.ContinuesBasic(Start));
            Assert.Equal(Start + TimeSpan.FromSeconds(1), stream.NextDeadline);
            stream.ReceiveBasic("rest\n"u8, Start + TimeSpan.FromMilliseconds(wait), collected.Sink);
            Assert.Equal(expected, collected.Texts);
            Assert.Equal(TimeSpan.MaxValue, stream.NextDeadline);
        }
    }

    [Fact]
    public void Item29_a_line_that_never_ends_is_shown_after_a_second()
    {
        Collected collected = new();
        ConsoleStream stream = new(new ConsoleWorkspace());
        stream.ReceiveBasic("[    1.000000] Kernel panic"u8, Start, collected.Sink);
        stream.Advance(Start + TimeSpan.FromMilliseconds(999), collected.Sink);
        Assert.Empty(collected.Items);
        stream.Advance(Start + TimeSpan.FromSeconds(1), collected.Sink);
        Assert.Equal(["Kernel panic"], collected.Texts);
    }

    [Fact]
    public void Item29_the_beginning_of_a_record_is_no_rest()
    {
        foreach (string next in (string[])["[    2.000000] next", "<4>next", "[   C1] next"])
            Assert.Equal(["cut", "next"], Deliver("cut", next + "\n").Texts);
        Assert.Equal(["cut", "** 2 printk messages dropped **"], Deliver("cut", "** 2 printk messages dropped **\n").Texts);
        Assert.Equal(["cut[bracket] text"], Deliver("cut", "[bracket] text\n").Texts);
    }

    [Fact]
    public void Item30_prefixes()
    {
        Collected collected = Deliver(
            "[    3.081269] with time\nplain\n[12345.000001][  T123] task\n", "[   C1] caller only\n", "<4>[    1.000000] level and time\n", "<5> syslog\n",
            "[    1.000000]  indented\n", "[1.2] no time\n\n", "[    2.000000] \n");
        Assert.Equal(
            ["with time", "plain", "task", "caller only", "level and time", "syslog", " indented", "[1.2] no time", "", ""],
            collected.Texts);
        Assert.Equal(
            [3081269UL, null, 12345000001UL, null, 1000000UL, null, 1000000UL, null, null, 2000000UL],
            collected.Items.Select(i => i.Microseconds));
        Assert.Equal([-1, -1, -1, -1, 4, 5, -1, -1, -1, -1], collected.Items.Select(i => i.Priority));
        Assert.Equal("T123"u8.ToArray(), BasicLine.Parse("[12345.000001][  T123] task"u8).Caller.ToArray());
        Assert.Equal("C1"u8.ToArray(), BasicLine.Parse("[   C1] x"u8).Caller.ToArray());
    }

    [Fact]
    public void Item31_dropped_messages_are_a_loss()
    {
        Collected collected = Deliver("** 12 printk messages dropped **\n[    1.000000] next\n");
        Assert.Equal((ConsoleRecordKind.Loss, 12UL), (collected.Items[0].Kind, collected.Items[0].Lost));
        Assert.Equal("next", collected.Items[1].Text);
        foreach (string other in (string[])["** x printk messages dropped **", "** 0 printk messages dropped **", "** 12 things dropped **"])
            Assert.Equal(ConsoleRecordKind.Line, Assert.Single(Deliver(other + "\n").Items).Kind);
    }

    [Fact]
    public void Item32_hostile_bytes_are_shown_escaped_and_kept_unchanged()
    {
        byte[] line = [.. "ok\t€ \\ "u8, 0x1B, .. "[2J"u8, 0xFF, 0xC2, 0x85, 0x7F, .. "\u202E"u8];
        Collected.Item item = Assert.Single(Deliver(Encoding.Latin1.GetString(line) + "\n").Items);
        Assert.Equal(line, item.Raw);
        Assert.Equal("ok\t€ \\ \\x1b[2J\\xff\\xc2\\x85\\x7f\\xe2\\x80\\xae\n", Shown(line));
    }

    [Fact]
    public void Item18_inner_newlines_become_lines_of_one_record()
    {
        Collected collected = new();
        ConsoleStream stream = new(new ConsoleWorkspace());
        stream.ReceiveExtended(@"6,5,3081269,-;one\x0a two\x0a"u8, Start, collected.Sink);
        stream.Flush(Start, collected.Sink);
        Collected.Item item = Assert.Single(collected.Items);
        Assert.Equal((5UL, "one\n two\n"), (item.Sequence, item.Text));
        Assert.Equal("[    3.081269] one\n[    3.081269]  two\n[    3.081269] \n", Shown(Bytes(item.Text), item.Microseconds));
    }

    [Theory]
    [InlineData(0UL, "[    0.000000] x\n")]
    [InlineData(99999999999UL, "[99999.999999] x\n")]
    [InlineData(1234567000001UL, "[1234567.000001] x\n")]
    [InlineData(18446744073709551615UL, "[18446744073709.551615] x\n")]
    public void Times_are_written_as_printk_does(ulong time, string expected) => Assert.Equal(expected, Shown("x"u8, time));

    [Fact]
    public void Extended_recordings_rendered_are_what_the_basic_targets_sent()
    {
        foreach (string kernel in (string[])["6.1", "7.3"])
        {
            Collected collected = new();
            ConsoleStream stream = new(new ConsoleWorkspace());
            foreach (byte[] datagram in Recording.Datagrams(kernel + "-ext")) stream.ReceiveExtended(datagram, Start, collected.Sink);
            stream.Flush(Start, collected.Sink);
            string rendered = string.Concat(collected.Items.Select(i => Shown(Bytes(i.Text), i.Microseconds)));
            string basic = Encoding.UTF8.GetString([.. Recording.Datagrams(kernel + "-basic").SelectMany(d => d)]);
            Assert.Equal(basic, rendered);
        }
    }

    [Fact]
    public void What_is_shown_holds_nothing_a_terminal_obeys()
    {
        Gen.Byte.Array[0, 200].Sample(text =>
        {
            string shown = Shown(text);
            Assert.DoesNotContain(shown[..^1].Split('\n'), l => l.Any(c => char.IsControl(c) && c != '\t'));
            Assert.DoesNotContain('\uFFFD', shown);
        });
    }

    [Fact]
    public void Random_datagrams_lose_no_byte_and_memory_stays_bounded()
    {
        Gen<byte[]> datagram = Gen.OneOf(
            Gen.Byte.Array[0, 30], Gen.Int[0, 3].Select(i => Bytes(((string[])["[    1.000000] a", "b\n", "\n", "c"])[i])), Gen.Byte.Array[20_000, 40_000]);
        datagram.Array[0, 12].Sample(
            datagrams =>
            {
                Collected collected = new();
                ConsoleStream stream = new(new ConsoleWorkspace());
                foreach (byte[] d in datagrams) stream.ReceiveBasic(d, Start, collected.Sink);
                stream.Flush(Start, collected.Sink);
                static byte[] Strip(IEnumerable<byte> bytes) => [.. bytes.Where(b => b != '\n')];
                Assert.Equal(Strip(datagrams.SelectMany(d => d)), Strip(collected.Items.SelectMany(i => i.Raw)));
            },
            iter: 100);
    }
}
