using System.Text;
using CsCheck;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

public class ConsoleStreamTests
{
    private readonly ConsoleWorkspace _workspace = new();
    private readonly Collected _collected = new();
    private readonly ConsoleStream _stream;

    public ConsoleStreamTests() => _stream = new ConsoleStream(_workspace);

    private TimeSpan _at;

    /// <summary>What was delivered a second after the last datagram.</summary>
    private List<Collected.Item> Delivered
    {
        get
        {
            _stream.Advance(_at + TimeSpan.FromSeconds(1), _collected.Sink);
            return _collected.Items;
        }
    }

    private void Send(ulong sequence, double time, double at, string text = "text", string lines = "") =>
        _stream.ReceiveExtended(Encoding.Latin1.GetBytes($"6,{sequence},{(ulong)(time * 1e6)},-;{text}\n{lines}"), Until(at), _collected.Sink);

    private TimeSpan Until(double at)
    {
        _at = TimeSpan.FromSeconds(at);
        _stream.Advance(_at, _collected.Sink);
        return _at;
    }

    private void SendBasic(string text, double at) =>
        _stream.ReceiveBasic(Encoding.Latin1.GetBytes(text), Until(at), _collected.Sink);

    private void SendLog(uint offset, string text, double at = 1) =>
        _stream.ReceiveLog(offset, Encoding.Latin1.GetBytes(text), TimeSpan.FromSeconds(at), _collected.Sink);

    private int Boots => Delivered.Count(i => i.Boot == BootVerdict.New);

    [Fact]
    public void Copies_of_a_record_appear_once()
    {
        Send(5, 1, 101);
        Send(6, 1.1, 101.1);
        Send(5, 1, 101.2);
        Send(4, 0.9, 101.3);
        Send(6, 1.1, 101.4);
        Assert.Equal([5UL, 6, 4], Delivered.Select(i => i.Sequence));
        Assert.Equal(2, _workspace.Duplicates);
        Assert.Equal(BootVerdict.First, Delivered[0].Boot);
        Assert.Equal(0, Boots);
    }

    [Fact]
    public void A_changed_boot_id_is_a_new_boot()
    {
        Send(400, 50, 150, lines: " boot=aaa\n");
        Send(401, 51, 151);
        Send(401, 51, 151.1, lines: " boot=bbb\n");
        Send(402, 52, 152, lines: " boot=bbb\n");
        Assert.Equal([BootVerdict.First, BootVerdict.Same, BootVerdict.New, BootVerdict.Same], Delivered.Select(i => i.Boot));
        Assert.Equal("bbb", Encoding.Latin1.GetString(_stream.ExtendedBoot.BootId));
    }

    [Fact]
    public void A_changed_release_is_a_new_boot()
    {
        _stream.ReceiveExtended("6.1.0-1,6,1,10,-;x\n"u8, Until(1), _collected.Sink);
        _stream.ReceiveExtended("6,2,11,-;a second target sends no release\n"u8, Until(1), _collected.Sink);
        _stream.ReceiveExtended("6.1.0-2,6,3,12,-;y\n"u8, Until(1), _collected.Sink);
        Assert.Equal(1, Boots);
    }

    [Fact]
    public void The_banner_with_a_low_number_is_a_new_boot_and_its_copy_is_none()
    {
        Send(431, 60, 160);
        Send(0, 0, 170, "Linux version 6.1.0");
        Send(0, 0, 170.001, "Linux version 6.1.0");
        Send(1, 0, 170.002);
        Send(400, 30, 200);
        Assert.Equal([431UL, 0, 1, 400], Delivered.Select(i => i.Sequence));
        Assert.Equal(1, Boots);
    }

    [Fact]
    public void A_banner_overtaken_by_its_followers_is_no_second_boot()
    {
        Send(1, 0, 100);
        Send(2, 0, 100.001);
        Send(0, 0, 100.002, "Linux version 6.1.0");
        Assert.Equal(0, Boots);
        Assert.Equal(3, Delivered.Count);
    }

    [Fact]
    public void A_lower_number_with_an_epoch_more_than_5_s_later_is_a_new_boot()
    {
        Send(392, 3, 103);
        Send(431, 8, 108);
        Send(392, 3, 120);
        Send(393, 3.1, 120.1);
        Assert.Equal([392UL, 431, 392, 393], Delivered.Select(i => i.Sequence));
        Assert.Equal(BootVerdict.New, Delivered[2].Boot);
        Assert.Equal(1, Boots);
    }

    [Fact]
    public void A_higher_number_with_a_time_that_went_back_is_a_reboot_that_was_missed()
    {
        Send(392, 100, 200);
        Send(393, 3, 300);
        Assert.Equal(1, Boots);
    }

    [Fact]
    public void A_replay_of_what_is_known_is_no_boot_and_no_second_copy()
    {
        for (ulong i = 100; i < 200; i++) Send(i, i * 0.1, 1000 + i * 0.1);
        for (ulong i = 90; i < 200; i++) Send(i, i * 0.1, 1020.1);
        Assert.Equal(0, Boots);
        Assert.Equal(110, Delivered.Count);
        Assert.Equal(110, Delivered.Select(i => i.Sequence).Distinct().Count());
    }

    [Fact]
    public void Sleep_is_no_boot()
    {
        Send(10, 100, 200);
        Send(11, 101, 3800);
        Send(12, 102, 3801);
        Assert.Equal(0, Boots);
        Send(5, 1, 3900);
        Assert.Equal(1, Boots);
    }

    [Fact]
    public void The_same_number_with_another_time_is_another_record()
    {
        Send(10, 1, 101);
        Send(10, 1.5, 101.5);
        Assert.Equal(2, Delivered.Count);
    }

    [Fact]
    public void Basic_times_that_start_over_after_a_restart_are_a_new_boot()
    {
        SendBasic("[  100.000000] a\n[  101.000000] b\n", 200);
        SendBasic("[  100.500000] late\n", 200.1);
        SendBasic("[    3.000000] c\n", 230);
        SendBasic("[    4.000000] d\n", 231);
        Assert.Equal([BootVerdict.First, BootVerdict.Same, BootVerdict.Same, BootVerdict.New, BootVerdict.Same], Delivered.Select(i => i.Boot));
    }

    [Fact]
    public void Classic_offset_0_is_a_new_boot_and_gaps_are_marked_once()
    {
        SendLog(0, "[...network console startup...]\n");
        SendLog(32, "abc");
        SendLog(32, "abc");
        SendLog(40, "def");
        SendLog(35, "late");
        SendLog(43, "ghi");
        Assert.Equal(
            ["[...network console startup...]\n", "abc", "[\u2026 5 bytes lost \u2026]", "def", "late", "ghi"],
            _collected.Texts.Select(t => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(t))));
        Assert.Equal(1, Boots);
        Assert.True(Delivered[0].IsStartup);
        Assert.False(Delivered[1].IsStartup);
        SendLog(0, "[...network console startup...]\n", at: 2);
        Assert.Equal(1, Boots);
        SendLog(0, "[...network console startup...]\n", at: 60);
        Assert.Equal(2, Boots);
    }

    [Fact]
    public void Classic_offsets_wrap_at_32_bits()
    {
        SendLog(uint.MaxValue - 1, "abc");
        SendLog(1, "def");
        Assert.Equal(["abc", "def"], _collected.Texts);
    }

    [Fact]
    public void Records_of_the_capture_kernel_are_kept_apart_from_the_dead_ones()
    {
        ConsoleStream stream = new(_workspace, twoKernels: true);
        ExtendedRecordWriter writer = new();
        byte[] room = new byte[ExtendedRecordWriter.MaximumDatagram];
        void Write(ulong sequence, ulong time, byte[] text, bool capture)
        {
            writer.Begin(6, sequence, time, text);
            if (capture) writer.AddUserData("NETDUMP"u8, "capture"u8);
            while (writer.TryTake(room, out int length)) stream.ReceiveExtended(room.AsSpan(0, length), TimeSpan.FromSeconds(1), _collected.Sink);
        }

        byte[] longText = Encoding.Latin1.GetBytes(new string('x', 2000));
        Write(5, 1_000_000, longText, false);
        Write(5, 2_000_000, longText, true);
        Write(5, 2_000_000, longText, true);
        Write(6, 1_000_000, longText, true);
        Write(6, 1_000_001, longText, false);
        Assert.Equal(
            [(5UL, false), (5UL, true), (6UL, true), (6UL, false)],
            Delivered.Select(i => (i.Sequence, i.IsCapture)));
    }

    [Fact]
    public void Unfragmented_records_and_whole_lines_cost_no_garbage()
    {
        int delivered = 0;
        ConsoleSink sink = (in ConsoleRecord _) => delivered++;
        byte[] record = Encoding.ASCII.GetBytes("12,1000,3081269,-;lab: an error\\x09level line\n SUBSYSTEM=pci\n");
        byte[] line = Encoding.ASCII.GetBytes("[    3.081269] lab: a warning-level line\n");
        void Round(ulong i)
        {
            for (int digit = 6; digit >= 3; digit--, i /= 10) record[digit] = (byte)('0' + i % 10);
            _stream.ReceiveExtended(record, TimeSpan.FromSeconds(100), sink);
            _stream.ReceiveBasic(line, TimeSpan.FromSeconds(100), sink);
        }

        Round(0);
        _stream.Advance(TimeSpan.FromSeconds(100.25), sink);
        for (ulong i = 1; i < 500; i++) Round(i);
        ulong next = 500;
        Assert.Equal(0, Garbage.OfLeastStretch(9, () =>
        {
            for (ulong end = next + 500; next < end; next++) Round(next);
        }));
        Assert.Equal(10_000, delivered);
        Assert.Equal(0, _workspace.Windows.Used);
    }

    [Fact]
    public void Random_mixes_never_throw()
    {
        string[] heads = ["6,1,2,-;x\n boot=", "6,1,2,-,ncfrag=0/9;", "0,0,0,-;Linux version ", "[    1.000000] ", "6,18446744073709551615,18446744073709551615,-;"];
        Gen.Select(Gen.Int[0, heads.Length - 1], Gen.Byte.Array[0, 20], Gen.Int[0, 20_000], Gen.UInt).Array[0, 60].Sample(steps =>
        {
            ConsoleStream stream = new(new ConsoleWorkspace());
            Collected collected = new();
            TimeSpan now = default;
            foreach ((int head, byte[] tail, int wait, uint offset) in steps)
            {
                byte[] datagram = [.. Encoding.Latin1.GetBytes(heads[head]), .. tail];
                now += TimeSpan.FromMilliseconds(wait);
                stream.ReceiveExtended(datagram, now, collected.Sink);
                stream.ReceiveBasic(datagram, now, collected.Sink);
                stream.ReceiveLog(offset, tail, now, collected.Sink);
                stream.Advance(now, collected.Sink);
            }

            stream.Flush(now, collected.Sink);
        });
    }
}
