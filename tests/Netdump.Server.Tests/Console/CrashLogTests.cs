using System.Text;
using CsCheck;
using Netdump.Protocols.NetConsole;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Console;

public sealed class CrashLogTests : IDisposable
{
    private const ushort Port = 40_000;
    private readonly ConsoleLab _lab = new();
    private readonly CrashDirectory _directory;
    private readonly ExtendedRecordWriter _writer = new();

    public CrashLogTests() => _directory = _lab.MakeCrash();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public async Task Console_then_dead_kernel_each_record_once_in_order()
    {
        _lab.Extended(10, 1, "console only");
        _lab.Extended(12, 3, "both");
        CrashLog log = _lab.OpenCrash(_directory);
        Dead(log, 13, 4, "dead only");
        Dead(log, 12, 3, "both");
        Dead(log, 11, 2, "lost on the console");
        Dead(log, 11, 2, "lost on the console");
        Assert.Equal(
            "[    1.000000] console only\n[    2.000000] lost on the console\n[    3.000000] both\n[    4.000000] dead only\n", await Complete(log));
    }

    [Fact]
    public async Task An_earlier_boot_is_not_mixed_in()
    {
        _lab.Extended(500, 100, "earlier boot");
        _lab.Wait(60);
        _lab.Extended(10, 5, "this boot");
        CrashLog log = _lab.OpenCrash(_directory);
        Dead(log, 11, 6, "panic");
        Assert.Equal("[    5.000000] this boot\n[    6.000000] panic\n", await Complete(log));
    }

    [Fact]
    public async Task A_number_with_another_time_is_the_dead_kernels()
    {
        _lab.Extended(10, 500, "of another boot that nobody noticed");
        CrashLog log = _lab.OpenCrash(_directory);
        Dead(log, 10, 5, "this kernel's");
        Assert.Equal("[    5.000000] this kernel's\n", await Complete(log));
    }

    [Fact]
    public async Task Records_of_a_boot_whose_end_nobody_noticed_are_left_out_when_a_number_has_another_time()
    {
        _lab.Basic("[  499.000000] line of another boot\n");
        for (ulong i = 10; i < 20; i++) _lab.Extended(i, 500, $"of another boot {i}");
        CrashLog log = _lab.OpenCrash(_directory);
        for (ulong i = 8; i < 12; i++) Dead(log, i, 5, $"this kernel's {i}");
        Assert.Equal(
            "[    5.000000] this kernel's 8\n[    5.000000] this kernel's 9\n[    5.000000] this kernel's 10\n[    5.000000] this kernel's 11\n",
            await Complete(log));
    }

    [Theory]
    [InlineData(10, 500, 20, 5)]
    [InlineData(20, 5, 10, 500)]
    public async Task Records_of_a_boot_whose_end_nobody_noticed_are_left_out_when_numbers_and_times_disagree(
        ulong consoleNumber, double consoleTime, ulong number, double time)
    {
        _lab.Extended(consoleNumber, consoleTime, "of another boot");
        CrashLog log = _lab.OpenCrash(_directory);
        Dead(log, number, time, "this kernel's");
        Assert.EndsWith("] this kernel's\n", await Complete(log), StringComparison.Ordinal);
        Assert.DoesNotContain("another", File.ReadAllText(_directory.File("log")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Basic_lines_go_where_their_time_says_and_are_left_out_when_known()
    {
        _lab.Basic("[    1.000000] lost in the ring\n[    3.000000][    T1] known\n[    3.000000] inner line\n[    3.500000] between\n");
        CrashLog log = _lab.OpenCrash(_directory);
        Dead(log, 11, 2, "two");
        Dead(log, 12, 3, "known\ninner line");
        Dead(log, 13, 4, "four");
        Assert.Equal(
            """
            [    1.000000] lost in the ring
            [    2.000000] two
            [    3.000000] known
            [    3.000000] inner line
            [    3.500000] between
            [    4.000000] four

            """,
            await Complete(log));
    }

    [Fact]
    public async Task Two_basic_targets_say_it_once_but_one_may_repeat_itself()
    {
        _lab.Basic("[    1.000000]  ? frame\n[    1.000000]  ? frame\n");
        _lab.Peer = ConsoleLab.PeerOf("10.0.0.5", 6666);
        _lab.Basic("[    1.000000]  ? frame\n[    1.000000]  ? frame\n[    1.000000] only here\n");
        Assert.Equal(
            "[    1.000000]  ? frame\n[    1.000000]  ? frame\n[    1.000000] only here\n", await Complete(_lab.OpenCrash(_directory)));
    }

    [Fact]
    public async Task Lines_without_a_time_are_matched_by_text_and_stay_in_their_place()
    {
        _lab.Extended(10, 1, "first");
        _lab.Settle();
        _lab.Basic("first\nuntimed\nlast\n");
        _lab.Extended(11, 2, "last");
        Assert.Equal("[    1.000000] first\nuntimed\n[    2.000000] last\n", await Complete(_lab.OpenCrash(_directory)));
    }

    [Fact]
    public async Task Item59_the_finished_vmcore_fills_what_was_lost_and_nothing_twice()
    {
        _lab.Extended(9, 0.9, "gone from the ring");
        CrashLog log = _lab.OpenCrash(_directory);
        Dead(log, 10, 1, "ten");
        log.ReceiveExtended("6,11,1500000,-,ncfrag=0/30;first half"u8, Port, _lab.Now);
        Dead(log, 15, 2, "fifteen");
        _lab.Wait(0.3);
        log.Advance(_lab.Now);
        log.Flush(_lab.Now);
        Assert.Equal(
            """
            [    0.900000] gone from the ring
            [    1.000000] ten
            [    1.500000] first half[… 20 bytes lost …]
            [… 3 records lost …]
            [    2.000000] fifteen

            """,
            Read("log"));
        log.FillFrom(
            [
                ConsoleLab.RingRecord(10, 1, "ten"), ConsoleLab.RingRecord(11, 1.5, "first half and second half"),
                ConsoleLab.RingRecord(12, 1.6, "twelve"), ConsoleLab.RingRecord(14, 1.8, "four\nteen"), ConsoleLab.RingRecord(15, 2, "fifteen"),
            ],
            _lab.Now);
        Assert.Equal(
            """
            [    0.900000] gone from the ring
            [    1.000000] ten
            [    1.500000] first half and second half
            [    1.600000] twelve
            [… 1 records lost …]
            [    1.800000] four
            [    1.800000] teen
            [    2.000000] fifteen

            """,
            await Complete(log));
    }

    [Fact]
    public async Task A_gap_of_the_console_alone_is_no_loss()
    {
        _lab.Extended(10, 1, "ten");
        _lab.Extended(90, 2, "ninety");
        Assert.Equal("[    1.000000] ten\n[    2.000000] ninety\n", await Complete(_lab.OpenCrash(_directory)));
    }

    [Fact]
    public async Task Basic_losses_are_shown_unless_the_ring_came()
    {
        _lab.Basic("[    1.000000] one\n** 12 printk messages dropped **\n[    2.000000] two\n");
        CrashLog log = _lab.OpenCrash(_directory);
        log.Flush(_lab.Now);
        Assert.Equal("[    1.000000] one\n** 12 printk messages dropped **\n[    2.000000] two\n", Read("log"));
        Dead(log, 1, 1, "one");
        Dead(log, 2, 1.5, "dropped");
        Dead(log, 3, 2, "two");
        Assert.Equal("[    1.000000] one\n[    1.500000] dropped\n[    2.000000] two\n", await Complete(log));
    }

    [Fact]
    public async Task Item29_classic_text_is_byte_exact_with_one_marker_for_a_gap()
    {
        byte[] odd = [.. "half \u001b[0m"u8, 0xFF, 0x00, (byte)'\r'];
        _lab.Receiver.ReceiveLog(100, odd, _lab.Peer, _lab.Now);
        _lab.Classic(100 + (uint)odd.Length, " rest\n");
        CrashLog log = _lab.OpenCrash(_directory);
        log.ReceiveLog(0, "Call Trace:"u8, Port, _lab.Now);
        log.ReceiveLog(0, "Call Trace:"u8, Port, _lab.Now);
        log.ReceiveLog(11, " [<c01>]\n"u8, Port, _lab.Now);
        log.ReceiveLog(30, "late"u8, Port, _lab.Now);
        log.ReceiveLog(34, "r\n"u8, Port, _lab.Now);
        await Complete(log);
        byte[] expected = [.. odd, .. " rest\nCall Trace: [<c01>]\n[… 10 bytes lost …]\nlater\n"u8];
        Assert.Equal(expected, await File.ReadAllBytesAsync(_directory.File("log")));
    }

    [Fact]
    public async Task Hostile_text_of_records_is_shown_escaped_with_every_line_prefixed()
    {
        CrashLog log = _lab.OpenCrash(_directory);
        log.ReceiveExtended(@"0,1,1000000,-;\x1b]0;owned\x07\x0a[    9.999999] forged\x00\xff"u8, Port, _lab.Now);
        Assert.Equal("[    1.000000] \\x1b]0;owned\\x07\n[    1.000000] [    9.999999] forged\\x00\\xff\n", await Complete(log));
    }

    [Fact]
    public async Task The_capture_kernels_own_messages_go_to_capture_log()
    {
        CrashLog log = _lab.OpenCrash(_directory);
        Dead(log, 1, 5, "dead");
        Dead(log, 1, 0.5, "capture", capture: true);
        Dead(log, 1, 0.5, "capture", capture: true);
        log.Flush(_lab.Now);
        Dead(log, 2, 0.6, "more", capture: true);
        Assert.Equal("[    5.000000] dead\n", await Complete(log));
        Assert.Equal("[    0.500000] capture\n[    0.600000] more\n", Read("capture.log"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory.File("capture.log")));
    }

    [Fact]
    public async Task It_is_written_at_once_and_within_a_second_of_a_change_and_finally()
    {
        _lab.Extended(1, 1, "before");
        CrashLog log = _lab.OpenCrash(_directory);
        await Until(() => File.Exists(_directory.File("log")));
        Assert.Equal("[    1.000000] before\n", Read("log"));
        Dead(log, 2, 2, "change");
        Assert.Equal(_lab.Now + TimeSpan.FromSeconds(1), log.Advance(_lab.Now));
        _lab.Wait(1);
        await Until(() =>
        {
            log.Advance(_lab.Now);
            _lab.Wait(0.1);
            return Read("log").EndsWith("change\n", StringComparison.Ordinal);
        });
        await Until(() =>
        {
            _lab.Wait(0.1);
            return log.Advance(_lab.Now) > _lab.Now + TimeSpan.FromMilliseconds(200); // only looks at the console now and then
        });
        Dead(log, 3, 3, "last");
        Assert.EndsWith("last\n", await Complete(log), StringComparison.Ordinal);
        Assert.Equal(["log"], Directory.GetFiles(_directory.Path).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_server_that_was_killed_goes_on_with_what_it_had()
    {
        _lab.Extended(1, 1, "console");
        _lab.Basic("[    1.100000] basic\n");
        CrashLog log = _lab.OpenCrash(_directory);
        Dead(log, 2, 2, "dead");
        log.ReceiveLog(0, "session text\n"u8, Port, _lab.Now);
        log.Flush(_lab.Now);

        // The host rebooted meanwhile, and its console speaks of the next boot.
        _lab.Restart();
        _lab.Wait(100);
        _lab.Extended(0, 0.5, "next boot");
        CrashLog again = _lab.OpenCrash(_directory);
        Dead(again, 3, 3, "after");
        Assert.Equal(
            "[    1.000000] console\n[    1.100000] basic\n[    2.000000] dead\n[    3.000000] after\nsession text\n", await Complete(again));
    }

    [Theory]
    [InlineData("")]
    [InlineData("NDJRNL1\n")]
    [InlineData("NDJRNL1\n\u0001\u0000")]
    [InlineData("something else")]
    public async Task A_server_that_was_killed_twice_at_any_point_goes_on(string records)
    {
        await File.WriteAllBytesAsync(_directory.File(".records"), ConsoleLab.Bytes(records));
        CrashLog first = _lab.OpenCrash(_directory);
        Dead(first, 1, 1, "one");
        first.Flush(_lab.Now);
        await File.AppendAllTextAsync(_directory.File(".records"), "torn");
        CrashLog second = _lab.OpenCrash(_directory);
        Dead(second, 2, 2, "two");
        second.Flush(_lab.Now);
        Assert.Equal("[    1.000000] one\n[    2.000000] two\n", await Complete(_lab.OpenCrash(_directory)));
    }

    [Fact]
    public async Task A_disk_that_refuses_is_told_once_and_nothing_is_lost()
    {
        CrashLog log = _lab.OpenCrash(_directory);
        log.Flush(_lab.Now);
        string aside = _directory.Path + ".away";
        Directory.Move(_directory.Path, aside);
        for (ulong i = 0; i < 5; i++)
        {
            Dead(log, i, i, $"record {i}");
            log.Flush(_lab.Now);
        }

        Assert.Equal(1, _lab.Log.Count(341));
        Directory.Move(aside, _directory.Path);
        string text = await Complete(log);
        Assert.Equal(5, text.Split("record ").Length - 1);
    }

    [Fact]
    public void Memory_is_bounded_and_says_so()
    {
        CrashLogText text = new(limit: 10_000);
        for (ulong i = 0; i < 1000; i++) text.AddRecord(RecordOrigin.DeadKernel, i, i, new byte[100], partial: false);
        for (ulong i = 0; i < 10; i++) text.AddRecord(RecordOrigin.Vmcore, i, 5000 + i, new byte[5000], partial: false);
        string shown = Encoding.UTF8.GetString(text.Render());
        Assert.InRange(shown.Length, 10, 50_000);
        Assert.Matches(@"\[… \d+ pieces beyond the size limit of a crash's log lost …\]\n$", shown);
    }

    [Fact]
    public void Replacing_records_by_longer_ones_is_bounded_too()
    {
        CrashLogText text = new(limit: 20_000);
        for (ulong i = 0; i < 100; i++) text.AddRecord(RecordOrigin.Console, i, 1, "x"u8, partial: false);
        for (ulong i = 0; i < 100; i++) text.AddRecord(RecordOrigin.DeadKernel, i, 1, new byte[10_000], partial: false);
        Assert.InRange(text.Render().Length, 10, 100_000);
    }

    [Fact]
    public void Whatever_comes_in_whatever_order_every_number_appears_once_and_in_order()
    {
        Gen.Select(Gen.ULong[0, 30], Gen.Int[0, 3], Gen.Bool).Array[0, 80].Sample(steps =>
        {
            CrashLogText text = new();
            // Lines of basic text carry no number: their order of arrival is the sender's.
            foreach ((ulong sequence, int source, bool partial) in steps.OrderBy(s => s.Item2 == 3 ? s.Item1 : 0))
            {
                byte[] words = Encoding.ASCII.GetBytes($"<{sequence}>");
                if (source == 3) text.AddLine(Encoding.ASCII.GetBytes($"[{sequence,5}.000000] <{sequence}>"), 1);
                else text.AddRecord((RecordOrigin)source, sequence, sequence * 1_000_000, words, partial);
            }

            List<ulong> shown = [.. Encoding.UTF8.GetString(text.Render()).Split('\n').Where(l => l.Contains('<', StringComparison.Ordinal))
                .Select(l => ulong.Parse(l[(l.IndexOf('<', StringComparison.Ordinal) + 1)..^1]))];
            Assert.Equal(shown.Order(), shown);
            Assert.Equal(steps.Select(s => s.Item1).Distinct().Order(), shown.Distinct());
            foreach ((ulong sequence, int source, _) in steps)
                if (source != 3) Assert.Single(shown, sequence);
        });
    }

    private void Dead(CrashLog log, ulong sequence, double time, string text, bool capture = false)
    {
        _writer.Begin(6, sequence, (ulong)Math.Round(time * 1e6), ConsoleLab.Bytes(text));
        if (capture) _writer.AddUserData("NETDUMP"u8, "capture"u8);
        byte[] room = new byte[ExtendedRecordWriter.MaximumDatagram];
        while (_writer.TryTake(room, out int length)) log.ReceiveExtended(room.AsSpan(0, length), Port, _lab.Now);
    }

    private string Read(string name) => File.ReadAllText(_directory.File(name));

    private async Task<string> Complete(CrashLog log)
    {
        Assert.Null(await log.CompleteAsync(_lab.Now));
        return Read("log");
    }

    private static async Task Until(Func<bool> condition)
    {
        // Asked once more after it was met, a condition that moves the clock may be over.
        bool isMet = condition();
        for (int i = 0; i < 6000 && !isMet; i++)
        {
            await Task.Delay(10);
            isMet = condition();
        }

        Assert.True(isMet);
    }
}
