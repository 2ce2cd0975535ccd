using System.Text;
using CsCheck;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

/// <summary>The order of records in one stream (netconsole.md 4.3), with time in the test's hands.</summary>
public class OrderTests
{
    private readonly ConsoleWorkspace _workspace = new();
    private readonly Collected _collected = new();
    private readonly ConsoleStream _stream;
    private TimeSpan _now = TimeSpan.FromSeconds(100);

    public OrderTests() => _stream = new ConsoleStream(_workspace);

    private IEnumerable<ulong> Numbers => _collected.Items.Where(i => i.Kind == ConsoleRecordKind.Extended).Select(i => i.Sequence);

    private IEnumerable<string> Losses =>
        _collected.Items.Where(i => i.Kind == ConsoleRecordKind.Loss).Select(i => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(i.Text)));

    private void Send(ulong sequence, ulong usec = 1_000_000, string lines = "", string text = "text") => Send($"6,{sequence},{usec},-;{text}\n{lines}");

    private void Send(string datagram) => _stream.ReceiveExtended(Encoding.Latin1.GetBytes(datagram), _now, _collected.Sink);

    /// <summary>Lets time pass as the server does: it calls at each deadline.</summary>
    private void Wait(double milliseconds)
    {
        TimeSpan until = _now + TimeSpan.FromMilliseconds(milliseconds);
        while (_stream.NextDeadline <= until)
        {
            Assert.True(_stream.NextDeadline >= _now, "a deadline was missed");
            _now = _stream.NextDeadline;
            _stream.Advance(_now, _collected.Sink);
        }

        _now = until;
    }

    /// <summary>A stream past its first record, number 9.</summary>
    private void Begin(string lines = "")
    {
        Send(9, lines: lines);
        Wait(100);
        Assert.Equal([9UL], Numbers);
    }

    [Theory]
    [InlineData(200, 40)]
    [InlineData(100, 0)]
    public void Item36_shuffled_records_come_out_in_order(int spread, int first)
    {
        // After the start a record may be 250 ms late; a boot's first ones wait 100 ms.
        Gen.Int.Sample(
            seed =>
            {
                Random random = new(seed);
                Collected collected = new();
                ConsoleStream stream = new(new ConsoleWorkspace());
                List<(TimeSpan At, ulong Sequence)> sent = [];
                for (ulong i = 0; i < 400; i++)
                    sent.Add((TimeSpan.FromMilliseconds((i * 5) + ((int)i < first ? 0 : random.NextDouble() * spread)), i));
                foreach ((TimeSpan at, ulong sequence) in sent.OrderBy(s => s.At))
                {
                    stream.Advance(at, collected.Sink);
                    stream.ReceiveExtended(Encoding.ASCII.GetBytes($"6,{sequence},{1_000_000 + (sequence * 5000)},-;x\n"), at, collected.Sink);
                }

                stream.Advance(TimeSpan.FromSeconds(10), collected.Sink);
                Assert.Equal(400, collected.Items.Count);
                Assert.Equal(Enumerable.Range(0, 400).Select(i => (ulong)i), collected.Items.Select(i => i.Sequence));
                Assert.DoesNotContain(collected.Items, i => i.IsLate || i.Boot == BootVerdict.New);
            },
            iter: 100);
    }

    [Fact]
    public void Item37_copies_appear_once_and_the_copy_with_userdata_wins()
    {
        Begin();
        Send(11, lines: "");
        Send(11, lines: " machine=rack7\n"); // while it waits
        Send(11);
        Send(10);
        Send(10);
        Assert.Equal([9UL, 10, 11], Numbers);
        Assert.Contains("machine=rack7", Encoding.Latin1.GetString(_collected.Items[2].Raw), StringComparison.Ordinal);
        Assert.Equal(3, _workspace.Duplicates);

        Send(10, lines: " machine=rack7\n"); // after it was delivered
        Send(10, lines: " machine=rack7\n");
        Assert.Equal([9UL, 10, 11, 10], Numbers);
        Assert.Equal([false, false, false, true], _collected.Items.Select(i => i.IsCopy));
        Assert.Contains("machine=rack7", Encoding.Latin1.GetString(_collected.Items[3].Raw), StringComparison.Ordinal);
        Assert.Equal(5, _workspace.Duplicates);
    }

    [Fact]
    public void Item38_a_gap_whose_sender_sent_nothing_in_it_is_neither_marked_nor_waited_for()
    {
        Begin(" msgid=4294967295\n");
        Send(15, lines: " msgid=0\n");
        Send(17, lines: " msgid=1\n");
        Assert.Equal([9UL, 15, 17], Numbers);
        Assert.Empty(Losses);
        Assert.Equal(0, _workspace.LostRecords);
        Assert.Equal(6, _workspace.AbsentRecords);
    }

    [Fact]
    public void Item38_a_gap_in_the_senders_own_count_is_marked_with_the_count()
    {
        Begin(" msgid=4294967294\n");
        Send(20, lines: " msgid=2\n");
        Wait(250);
        Assert.Equal([9UL, 20], Numbers);
        Assert.Equal(["[… 3 records lost …]"], Losses);
        Assert.Equal(ConsoleRecordKind.Loss, _collected.Items[1].Kind);
        Assert.Equal(3UL, _collected.Items[1].Lost);
        Assert.Equal((3L, 10L), (_workspace.LostRecords, _workspace.AbsentRecords));
    }

    [Fact]
    public void Item38_a_gap_without_a_count_is_not_marked_for_the_loglevel_may_have_made_it()
    {
        Begin();
        Send(12);
        Wait(250);
        Assert.Equal([9UL, 12], Numbers);
        Assert.Empty(Losses);
        Assert.Equal((0L, 2L), (_workspace.LostRecords, _workspace.AbsentRecords));
    }

    [Fact]
    public void Item38_two_targets_that_count_apart_mark_nothing()
    {
        Begin(" msgid=100\n");
        Send(11, lines: " msgid=900\n");
        Wait(250);
        Send(13, lines: " msgid=102\n");
        Wait(250);
        Assert.Equal([9UL, 11, 13], Numbers);
        Assert.Empty(Losses);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Item39_45_of_a_burst_of_46_are_delivered_within_250_ms_of_silence(bool fragment)
    {
        // The recorded panic: one datagram of its middle is lost, and the host says nothing any more.
        List<byte[]> burst = [.. Recording.Datagrams("6.1-ext").TakeLast(46)];
        foreach (byte[] datagram in Recording.Datagrams("6.1-ext").SkipLast(46)) _stream.ReceiveExtended(datagram, _now, _collected.Sink);
        Wait(5000);
        int before = _collected.Items.Count;
        for (int i = 0; i < burst.Count; i++)
        {
            _now += TimeSpan.FromMilliseconds(0.4);
            string text = Encoding.Latin1.GetString(burst[i]);
            int body = text.IndexOf(';');
            if (i != 22) _stream.ReceiveExtended(burst[i], _now, _collected.Sink);
            else if (fragment) Send($"{text[..body]},ncfrag=0/{text.Length + 20};{text[(body + 1)..]}");
        }

        TimeSpan last = _now;
        Assert.Equal(before + 22, _collected.Items.Count);
        Wait(250);
        Assert.True(_now - last <= TimeSpan.FromMilliseconds(250));
        Assert.Equal(before + (fragment ? 46 : 45), _collected.Items.Count);
        IEnumerable<byte[]> expected = burst.Where((_, i) => i != 22);
        Assert.Equal(expected, _collected.Items.Skip(before).Where(i => !i.IsPartial).Select(i => i.Raw));
        Assert.Equal(fragment ? [22] : Array.Empty<int>(), _collected.Items.Skip(before).Select((item, at) => (item, at)).Where(x => x.item.IsPartial).Select(x => x.at));
        Assert.Empty(Losses); // 6.1 does not count what it sends: nothing is certain
        Assert.Equal(0, _workspace.Windows.Used);
        Assert.Equal(TimeSpan.MaxValue, _stream.NextDeadline);
    }

    [Fact]
    public void Item39_many_gaps_delay_no_record_more_than_250_ms()
    {
        Begin();
        Dictionary<ulong, TimeSpan> sent = [];
        Dictionary<ulong, TimeSpan> came = [];
        for (ulong i = 11; i < 800; i += 1 + (i % 3))
        {
            sent[i] = _now;
            Send(i);
            Step(7);
        }

        Step(250);
        Assert.All(sent, s => Assert.InRange(came[s.Key] - s.Value, TimeSpan.Zero, TimeSpan.FromMilliseconds(250)));
        Assert.Equal(sent.Keys.Prepend(9UL), Numbers);

        void Step(int milliseconds)
        {
            for (int i = 0; i < milliseconds; i++)
            {
                int before = _collected.Items.Count;
                Wait(1);
                foreach (Collected.Item item in _collected.Items.Skip(before)) came.TryAdd(item.Sequence, _now);
            }
        }
    }

    [Fact]
    public void A_record_that_comes_after_its_gap_was_given_up_is_delivered_as_late()
    {
        Begin();
        Send(11);
        Wait(250);
        Send(10);
        Assert.Equal([9UL, 11, 10], Numbers);
        Assert.Equal([false, false, true], _collected.Items.Select(i => i.IsLate));
        Assert.Equal(1, _workspace.LateRecords);
    }

    [Fact]
    public void Item40_and_41_a_reboot_drops_nothing_and_is_delivered_from_its_first_record_on()
    {
        // Items 40 and 41: numbers start over at 0 while a record of the old boot still waits, or overlap the old ones.
        foreach (ulong start in (ulong[])[0, 400])
        {
            Collected collected = new();
            ConsoleStream stream = new(_workspace);
            void At(double seconds, ulong sequence, double clock, string text)
            {
                stream.Advance(TimeSpan.FromSeconds(seconds), collected.Sink);
                stream.ReceiveExtended(
                    Encoding.ASCII.GetBytes($"6,{sequence},{(ulong)(clock * 1e6)},-;{text}\n"), TimeSpan.FromSeconds(seconds), collected.Sink);
            }

            for (ulong i = 392; i < 430; i++) At(1000 + (i * 0.01), i, 50 + (i * 0.01), "old");
            At(1004.40, 431, 54.4, "the last word");
            for (ulong i = start; i < start + 100; i++)
                At(1020 + (i * 0.001), i, i < 30 ? 0 : 3 + (i * 0.001), i == 0 ? "Linux version 6.1.0" : "new");
            stream.Advance(TimeSpan.FromSeconds(1022), collected.Sink);
            Assert.Equal(
                Enumerable.Range(392, 38).Append(431).Concat(Enumerable.Range((int)start, 100)).Select(i => (ulong)i),
                collected.Items.Select(i => i.Sequence));
            Assert.Equal(39, collected.Items.FindIndex(i => i.Boot == BootVerdict.New));
            Assert.Single(collected.Items, i => i.Boot == BootVerdict.New);
        }

        Assert.Equal(0, _workspace.Duplicates);
    }

    [Fact]
    public void Item42_a_replay_in_a_panic_brings_no_second_copy_and_no_boot()
    {
        for (ulong i = 100; i < 300; i++) Send(i, i * 10_000);
        Wait(1000);
        for (ulong i = 60; i < 310; i++) Send(i, i * 10_000); // older ones were never sent before
        Wait(1000);
        Assert.Equal(250, Numbers.Count());
        Assert.Equal(250, Numbers.Distinct().Count());
        Assert.DoesNotContain(_collected.Items, i => i.Boot == BootVerdict.New);
        Assert.Equal(200, _workspace.Duplicates);
    }

    [Fact]
    public void Item44_an_hour_of_sleep_is_no_boot_and_moves_the_epoch()
    {
        Send(10, 100_000_000);
        Wait(1000);
        TimeSpan epoch = _stream.ExtendedBoot.Epoch;
        Wait(3_600_000);
        Send(11, 101_000_000);
        Wait(1000);
        Assert.Equal(epoch + TimeSpan.FromHours(1), _stream.ExtendedBoot.Epoch);
        Assert.Equal([BootVerdict.First, BootVerdict.Same], _collected.Items.Select(i => i.Boot));
    }

    [Fact]
    public void Item46_records_of_one_microsecond_keep_the_order_of_their_numbers()
    {
        Begin();
        ulong[] numbers = [.. Enumerable.Range(10, 44).Select(i => (ulong)i)];
        ulong[] shuffled = [.. numbers];
        new Random(1).Shuffle(shuffled);
        foreach (ulong number in shuffled) Send(number, 7_860_360);
        Wait(250);
        Assert.Equal(numbers.Prepend(9UL), Numbers);
    }

    [Fact]
    public void Item47_random_numbers_keep_memory_within_bounds_and_lose_no_record()
    {
        WindowPool pool = new(2 * 1024 * 1024);
        ConsoleWorkspace workspace = new(pool);
        Random random = new(7);
        HashSet<(int, ulong)> sent = [];
        List<(int, ulong)> came = [];
        ConsoleStream[] streams = [.. Enumerable.Range(0, 20).Select(_ => new ConsoleStream(workspace))];
        string filler = new('x', 700);
        int most = 0;
        for (int i = 0; i < 40_000; i++)
        {
            int at = i % streams.Length;
            ulong number = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            sent.Add((at, number));
            streams[at].ReceiveExtended(Encoding.ASCII.GetBytes($"6,{number},5000000,-;{filler}\n"), _now, (in r) => came.Add((at, r.Sequence)));
            most = Math.Max(most, pool.Used);
        }

        Assert.InRange(most, 1024 * 1024, 2 * 1024 * 1024);
        for (int at = 0; at < streams.Length; at++) streams[at].Flush(_now, (in r) => came.Add((at, r.Sequence)));
        Assert.Equal(0, pool.Used);
        // Numbers are remembered as so many ranges: under such a flood some pass for copies, none twice.
        Assert.Equal(came.Count, came.Distinct().Count());
        Assert.Equal(sent.Count, came.Count + (int)workspace.Duplicates);
    }

    [Fact]
    public void Item47_a_window_holds_at_most_1024_records_and_256_KiB()
    {
        foreach (int length in (int[])[1, 900])
        {
            WindowPool pool = new();
            Collected collected = new();
            ConsoleStream stream = new(new ConsoleWorkspace(pool));
            string filler = new('x', length);
            void Take(ulong number) => stream.ReceiveExtended(Encoding.ASCII.GetBytes($"6,{number},1000000,-;{filler}\n"), _now, collected.Sink);
            Take(1);
            stream.Advance(_now + TimeSpan.FromMilliseconds(100), collected.Sink);
            int most = 0;
            for (ulong i = 3; i < 5003; i++)
            {
                Take(i);
                most = Math.Max(most, pool.Used);
            }

            Assert.InRange(most, 128 * 1024, (2048 * 64) + (256 * 1024));
            Assert.Equal(1, collected.Items.Count(i => i.Sequence == 1));
            Assert.Equal(5001, collected.Items.Count); // the gap was given up when the window was full
            Assert.Equal(collected.Items.Select(i => i.Sequence).Order(), collected.Items.Select(i => i.Sequence));
        }
    }

    [Fact]
    public void Item47_the_highest_number_is_a_number()
    {
        Send(ulong.MaxValue - 1);
        Send(ulong.MaxValue);
        Wait(100);
        Send(ulong.MaxValue);
        Wait(1000);
        Assert.Equal([ulong.MaxValue - 1, ulong.MaxValue], Numbers);
        Assert.Equal(TimeSpan.MaxValue, _stream.NextDeadline);
    }

    [Fact]
    public void One_number_from_far_away_does_not_make_all_later_ones_late()
    {
        Begin();
        Send(9_000_000_000);
        Send(10);
        Wait(250);
        Send(11);
        Send(3_000_000_000);
        Wait(250);
        Send(12);
        Assert.Equal([9UL, 10, 9_000_000_000, 11, 3_000_000_000, 12], Numbers);
        Assert.DoesNotContain(_collected.Items, i => i.IsLate);
    }

    [Fact]
    public void Three_numbers_from_far_away_that_agree_are_believed()
    {
        Begin();
        foreach (ulong number in (ulong[])[200_002, 200_000, 200_001]) Send(number);
        Wait(250);
        Send(200_003); // at once
        Assert.Equal([9UL, 200_000, 200_001, 200_002, 200_003], Numbers);
        Send(200_005);
        Send(200_004);
        Assert.Equal([200_004UL, 200_005], Numbers.TakeLast(2));

        // One by one they are believed as well.
        foreach (ulong number in (ulong[])[900_000, 900_010, 900_020])
        {
            Send(number);
            Wait(250);
        }

        Send(900_021);
        Assert.Equal([900_000UL, 900_010, 900_020, 900_021], Numbers.TakeLast(4));
    }

    [Fact]
    public void Item48_a_flush_delivers_every_record_that_waits()
    {
        Send(5);
        Send(3);
        _stream.Flush(_now, _collected.Sink);
        Assert.Equal([3UL, 5], Numbers);
        Send(8);
        Send(7);
        Send("6,6,1000000,-,ncfrag=0/30;first piece");
        Send(900_000);
        _stream.Flush(_now, _collected.Sink);
        Assert.Equal([3UL, 5, 6, 7, 8, 900_000], Numbers);
        Assert.Equal((0, 0), (_workspace.Windows.Used, _workspace.Fragments.Used));
    }

    [Fact]
    public void A_stream_gives_its_memory_back_as_soon_as_nothing_waits()
    {
        Begin();
        for (ulong i = 11; i < 200; i++) Send(i);
        Assert.True(_workspace.Windows.Used > 189 * 256);
        Send(10);
        Assert.Equal(0, _workspace.Windows.Used);
        Assert.Equal(192 - 1, Numbers.Count());
    }

    [Fact]
    public void Gaps_filled_again_and_again_cost_no_garbage()
    {
        int delivered = 0;
        ConsoleSink sink = (in ConsoleRecord _) => delivered++;
        byte[] record = Encoding.ASCII.GetBytes("12,1000,3081269,-;lab: a line of a host whose packets change places\n");
        void Take(int number)
        {
            for (int digit = 6; digit >= 3; digit--, number /= 10) record[digit] = (byte)('0' + (number % 10));
            _stream.ReceiveExtended(record, _now, sink);
        }

        void Round(int from)
        {
            for (int i = from + 19; i >= from; i--) Take(i);
        }

        Take(0);
        _stream.Advance(_now + TimeSpan.FromMilliseconds(250), sink);
        for (int i = 1; i < 1000; i += 20) Round(i);
        int next = 1001;
        Assert.Equal(0, Garbage.OfLeastStretch(8, () =>
        {
            for (int end = next + 1000; next < end; next += 20) Round(next);
        }));
        Assert.True(delivered > 8900);
        Assert.Equal(0, _workspace.Windows.Used);
    }

    [Fact]
    public void Three_boots_of_the_recording_with_jitter_loss_and_copies_come_out_once_in_order_and_in_the_right_boot()
    {
        IReadOnlyList<(TimeSpan At, byte[] Payload)> recording = Recording.Read("6.1-ext");
        Gen.Int.Sample(
            seed =>
            {
                Random random = new(seed);
                Collected collected = new();
                ConsoleStream stream = new(new ConsoleWorkspace());
                List<(TimeSpan At, byte[] Payload)> sent = [];
                List<(int Boot, byte[] Payload)> expected = [];
                for (int boot = 0; boot < 3; boot++)
                {
                    foreach ((TimeSpan at, byte[] payload) in recording)
                    {
                        TimeSpan arrival = at + TimeSpan.FromSeconds(60 * boot) + TimeSpan.FromMilliseconds(random.NextDouble() * 100);
                        bool copied = random.Next(50) == 0, lost = random.Next(50) == 0;
                        if (!lost) sent.Add((arrival, payload));
                        if (copied) sent.Add((at + TimeSpan.FromSeconds(60 * boot) + TimeSpan.FromMilliseconds(random.NextDouble() * 100), payload));
                        if (!lost || copied) expected.Add((boot, payload));
                    }
                }

                foreach ((TimeSpan at, byte[] payload) in sent.OrderBy(s => s.At))
                {
                    while (stream.NextDeadline <= at) stream.Advance(stream.NextDeadline, collected.Sink);
                    stream.ReceiveExtended(payload, at, collected.Sink);
                }

                stream.Flush(sent.Max(s => s.At), collected.Sink);
                int began = 0;
                List<(int, byte[])> came = [.. collected.Items.Select(i => (began += i.Boot == BootVerdict.New ? 1 : 0, i.Raw))];
                Assert.Equal(expected.Select(e => (e.Boot, Encoding.Latin1.GetString(e.Payload))), came.Select(c => (c.Item1, Encoding.Latin1.GetString(c.Item2))));
            },
            iter: 300);
    }
}
