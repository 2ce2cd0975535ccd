using Netdump.Server.Receivers.Console;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Console;

public sealed class ConsoleReceiverTests : IDisposable
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly ConsoleLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void All_dialects_of_a_host_come_to_one_file_of_the_local_day()
    {
        _lab.Extended(10, 1.5, @"extended\x09line\x0asecond");
        _lab.Settle();
        _lab.Basic("[    1.600000] basic\n");
        _lab.Classic(100, "part");
        _lab.Classic(104, " of a line\nand \u001b[2J");
        _lab.Extended(11, 1.7, "next");
        _lab.Settle();
        Assert.Equal(
            "-- boot --\n[    1.500000] extended\tline\n[    1.500000] second\n[    1.600000] basic\npart of a line\nand \\x1b[2J\n[    1.700000] next\n",
            _lab.Text());
        Assert.Equal(Readable, File.GetUnixFileMode(_lab.File("10.0.0.5", "2026-11-24.log")));
        Assert.Equal(Readable, File.GetUnixFileMode(_lab.File("10.0.0.5", "boot")));
        Assert.Equal(Readable | UnixFileMode.UserExecute, File.GetUnixFileMode(_lab.File("10.0.0.5", "")));
    }

    [Fact]
    public void Records_are_written_together_within_200_ms()
    {
        _lab.Extended(9, 1, "first");
        _lab.Settle();
        File.Delete(_lab.File("10.0.0.5", "2026-11-24.log"));
        _lab.Extended(10, 1, "one");
        Assert.Equal(_lab.Now + TimeSpan.FromMilliseconds(200), _lab.Receiver.Advance(_lab.Now));
        Assert.False(File.Exists(_lab.File("10.0.0.5", "2026-11-24.log")));
        _lab.Wait(0.1);
        _lab.Extended(11, 1.1, "two");
        _lab.Receiver.Advance(_lab.Now);
        Assert.False(File.Exists(_lab.File("10.0.0.5", "2026-11-24.log")));
        _lab.Wait(0.1);
        _lab.Receiver.Advance(_lab.Now);
        Assert.EndsWith("one\n[    1.100000] two\n", _lab.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public void Stopping_writes_what_is_held_back()
    {
        _lab.Basic("[    1.000000] never finished");
        _lab.Receiver.ReceiveExtended("6,7,99,-,ncfrag=0/30;first piece"u8, _lab.Peer, _lab.Now);
        _lab.Receiver.Stop();
        Assert.Contains("[    1.000000] never finished\n", _lab.Text(), StringComparison.Ordinal);
        Assert.Contains("[    0.000099] first piece[… 19 bytes lost …]\n", _lab.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_piece_that_never_comes_is_given_up_by_advance()
    {
        _lab.Receiver.ReceiveExtended("6,7,99,-,ncfrag=0/30;first piece"u8, _lab.Peer, _lab.Now);
        Assert.Equal(_lab.Now + TimeSpan.FromMilliseconds(250), _lab.Receiver.Advance(_lab.Now));
        _lab.Wait(0.25);
        _lab.Receiver.Advance(_lab.Now);
        _lab.Settle();
        Assert.Contains("first piece[… 19 bytes lost …]\n", _lab.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_without_a_time_before_one_with_a_time_is_no_fault()
    {
        _lab.Basic("no time\n");
        _lab.Basic("[    1.000000] a time\n");
        _lab.Settle();
        Assert.EndsWith("no time\n[    1.000000] a time\n", _lab.Text(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("6,1,999999999999999999,-;far\n")]
    [InlineData("6,1,18446744073709551615,-;far\n")]
    [InlineData("[18446744073709.551615] far\n")]
    public void A_time_that_no_clock_reads_is_no_fault_and_costs_no_other_line(string datagram)
    {
        byte[] far = ConsoleLab.Bytes(datagram);
        for (int boot = 0; boot < 2; boot++)
        {
            if (datagram[0] == '[') _lab.Receiver.ReceiveBasic(far, _lab.Peer, _lab.Now);
            else _lab.Receiver.ReceiveExtended(far, _lab.Peer, _lab.Now);
            _lab.Settle();
            _lab.Settle();
            _lab.Restart();
        }

        _lab.Extended(2, 1, "near");
        _lab.Basic("[    1.000000] as near\n");
        _lab.Settle();
        _lab.Settle();
        string text = _lab.Text();
        Assert.Contains("far\n", text, StringComparison.Ordinal);
        Assert.Contains("near\n", text, StringComparison.Ordinal);
        Assert.Contains("as near\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_day_has_its_own_file()
    {
        _lab.Extended(10, 1, "today");
        _lab.Settle();
        _lab.Wait(24 * 3600);
        _lab.Extended(11, 86401, "tomorrow");
        _lab.Settle();
        Assert.Equal("[86401.000000] tomorrow\n", _lab.Text(date: "2026-11-25"));
    }

    [Fact]
    public void Item30_the_hook_is_told_once_for_each_load_of_a_classic_module()
    {
        _lab.Classic(0, "[...network console startup...]\n");
        _lab.Classic(0, "[...network console startup...]\n");
        Assert.Equal(["10.0.0.5"], _lab.Started);
        _lab.Wait(60);
        _lab.Classic(0, "old dmesg\n");
        _lab.Classic(10, "[...network console startup...]\n");
        Assert.Equal(2, _lab.Started.Count);
        _lab.Extended(5, 1, "[...network console startup...]");
        Assert.Equal(2, _lab.Started.Count);
    }

    [Fact]
    public void Item30_the_hook_is_told_by_the_startup_line_when_offset_0_was_lost()
    {
        _lab.Classic(500, "tail of dmesg\n[...network console startup...]\n");
        _lab.Classic(600, "[...network console startup...]\n");
        Assert.Single(_lab.Started);
    }

    [Fact]
    public void A_new_boot_begins_the_boot_file_anew_and_other_streams_join_it()
    {
        _lab.Extended(400, 100, "old");
        _lab.Basic("[  100.000000] old\n");
        _lab.Wait(60);
        _lab.Extended(3, 2, "new");
        _lab.Basic("[    2.000000] new\n");
        _lab.Peer = ConsoleLab.PeerOf("10.0.0.5", 7777);
        _lab.Extended(4, 2.1, "second port");
        Assert.Equal(["[    2.000000] new", "6,3,2000000,-;new\n", "6,4,2100000,-;second port\n"], BootPayloads());
        Assert.Equal(2, _lab.Text().Split("-- boot --").Length - 1);
    }

    [Fact]
    public void Item44_a_host_that_slept_is_the_same_boot_to_its_other_streams_too()
    {
        _lab.Extended(400, 100, "before");
        _lab.Wait(3600);
        _lab.Extended(401, 101, "after an hour of sleep");
        _lab.Settle();
        _lab.Basic("[  100.900000] a basic target, whose line was before that\n");
        _lab.Settle();
        Assert.Equal(1, _lab.Text(date: "2026-11-24").Split("-- boot --").Length - 1);
        Assert.Equal(3, BootPayloads().Count);
    }

    [Fact]
    public void Item45_two_ports_of_one_address_are_two_streams()
    {
        for (ulong i = 0; i < 20; i++)
        {
            foreach (int port in (int[])[6665, 40001])
            {
                _lab.Peer = ConsoleLab.PeerOf("10.0.0.5", port);
                _lab.Extended(100 + i, (port == 6665 ? 50 : 52) + (i * 0.01), $"record {i} of port {port}");
            }
        }

        _lab.Settle();
        Assert.Equal(2, _lab.Receiver.StreamCount);
        Assert.Equal(0, _lab.Receiver.Workspace.Duplicates);
        foreach (int port in (int[])[6665, 40001])
            for (int i = 0; i < 20; i++) Assert.Contains($"record {i} of port {port}\n", _lab.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Item45_two_machines_of_one_address_are_two_hosts_also_after_a_restart()
    {
        for (int round = 0; round < 2; round++)
        {
            foreach ((string machine, int port, ulong number, double clock) in new[] { ("rack7", 6665, 400UL, 50), ("rack8", 40001, 90UL, 12.5) })
            {
                _lab.Peer = ConsoleLab.PeerOf("10.0.0.5", port);
                _lab.Extended(number + (ulong)round, clock + round, $"{machine} says {round}", $" machine={machine}\n boot={machine}\n");
            }

            _lab.Wait(0.4);
            _lab.Restart();
            _lab.Wait(0.6);
        }

        Assert.Equal("-- boot --\n[   50.000000] rack7 says 0\n[   51.000000] rack7 says 1\n", _lab.Text());
        Assert.Equal("-- boot --\n[   12.500000] rack8 says 0\n[   13.500000] rack8 says 1\n", _lab.Text("10.0.0.5+rack8"));

        // The crash is that of the one whose kernel raised the alarm.
        foreach ((string machine, int port, ulong number, double clock) in new[] { ("rack7", 6665, 402UL, 52), ("rack8", 40001, 92UL, 14.5) })
        {
            _lab.Peer = ConsoleLab.PeerOf("10.0.0.5", port);
            _lab.Extended(number, clock, $"{machine} again", $" machine={machine}\n boot={machine}\n");
        }

        _lab.Receiver.ReceiveExtended("0,93,15000000,-;Kernel panic - not syncing\n machine=rack8\n boot=rack8\n"u8, _lab.Peer, _lab.Now);
        CrashLog log = new(_lab.MakeCrash(), _lab.Receiver.LogOf(ConsoleLab.PeerOf("10.0.0.5", 50_000)), _lab.Now);
        Assert.Null(await log.CompleteAsync(_lab.Now));
        string text = File.ReadAllText(Assert.Single(Directory.GetDirectories(_lab.Root, "10.0.0.5-*")) + "/log");
        Assert.Equal(
            "[   12.500000] rack8 says 0\n[   13.500000] rack8 says 1\n[   14.500000] rack8 again\n[   15.000000] Kernel panic - not syncing\n", text);
    }

    [Theory]
    [InlineData("../../etc")]
    [InlineData("a/b")]
    [InlineData("")]
    public void A_machine_whose_name_is_no_file_name_has_the_console_of_its_address(string name)
    {
        _lab.Extended(1, 1, "first", " machine=rack7\n");
        _lab.Peer = ConsoleLab.PeerOf("10.0.0.5", 40001);
        _lab.Extended(2, 1, "second", $" machine={name}\n");
        _lab.Settle();
        Assert.Equal(3, _lab.Text().Count(c => c == '\n'));
        Assert.Single(Directory.GetDirectories(Path.Combine(_lab.Root, "console")));
    }

    [Fact]
    public void The_boot_goes_on_after_a_restart_of_the_server()
    {
        _lab.Extended(400, 100, "before");
        _lab.Restart();
        _lab.Wait(5);
        _lab.Extended(401, 105, "after");
        Assert.Equal(["6,400,100000000,-;before\n", "6,401,105000000,-;after\n"], BootPayloads());
        _lab.Restart();
        _lab.Wait(60);
        _lab.Extended(2, 3, "rebooted while we were away");
        Assert.Equal(["6,2,3000000,-;rebooted while we were away\n"], BootPayloads());
    }

    [Fact]
    public void Boot_ids_decide_after_a_restart_of_the_server()
    {
        _lab.Extended(400, 100, "before", " boot=aaa\n");
        _lab.Restart();
        _lab.Extended(401, 100.1, "same", " boot=aaa\n");
        Assert.Equal(2, BootPayloads().Count);
        _lab.Restart();
        _lab.Extended(402, 100.2, "other", " boot=bbb\n");
        Assert.Single(BootPayloads());
    }

    [Fact]
    public void A_torn_boot_file_loses_only_its_torn_end()
    {
        _lab.Extended(400, 100, "whole");
        _lab.Receiver.Stop();
        using (FileStream file = new(_lab.File("10.0.0.5", "boot"), FileMode.Append)) file.Write(new byte[30]);
        using (FileStream file = new(_lab.File("10.0.0.5", "boot"), FileMode.Append)) file.Write([255, 255, 0, 0, 2, 0]);
        _lab.Restart();
        _lab.Extended(401, 100.1, "appended");
        List<string> payloads = BootPayloads();
        Assert.Equal("6,400,100000000,-;whole\n", payloads[0]);
        Assert.Equal("6,401,100100000,-;appended\n", payloads[^1]);
    }

    [Fact]
    public void The_boot_file_is_capped_and_keeps_the_newest()
    {
        string filler = new('x', 900);
        for (ulong i = 0; i < 12_000; i++) _lab.Extended(i, 1 + i * 0.001, filler);
        _lab.Extended(12_000, 20, "last words");
        List<string> payloads = BootPayloads();
        long size = new FileInfo(_lab.File("10.0.0.5", "boot")).Length + new FileInfo(_lab.File("10.0.0.5", "boot.1")).Length;
        Assert.InRange(size, 4 << 20, 8 << 20);
        Assert.Equal("6,12000,20000000,-;last words\n", payloads[^1]);
        Assert.InRange(payloads.Count, 4000, 9000);
    }

    [Fact]
    public void Thousands_of_hosts_keep_a_bounded_number_of_files_open_and_lose_nothing()
    {
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < 2000; i++)
            {
                _lab.Peer = ConsoleLab.PeerOf($"10.1.{i / 250}.{i % 250 + 1}");
                _lab.Extended((ulong)round, 1 + round, $"host {i}");
            }

            _lab.Settle();
            Assert.InRange(Directory.GetFiles("/proc/self/fd").Length, 1, ConsoleFiles.MaximumOpen + 400); // of 4000
        }

        Assert.Equal("-- boot --\n[    1.000000] host 1999\n[    2.000000] host 1999\n", _lab.Text("10.1.7.250"));
        Assert.Equal(2000, Directory.GetDirectories(Path.Combine(_lab.Root, "console")).Length);
    }

    [Fact]
    public void Streams_are_bounded_and_silent_ones_forgotten()
    {
        for (int port = 1000; port < 1200; port++)
        {
            _lab.Peer = ConsoleLab.PeerOf("10.0.0.5", port);
            _lab.Extended((ulong)port, 1, $"port {port}");
        }

        Assert.Equal(ConsoleReceiver.MaximumStreamsOfHost, _lab.Receiver.StreamCount);
        _lab.Settle();
        Assert.Equal(200, _lab.Text().Split("port ").Length - 1);
        _lab.Wait(700);
        _lab.Receiver.Advance(_lab.Now);
        Assert.Equal(0, _lab.Receiver.StreamCount);
        _lab.Extended(9999, 701, "back");
        Assert.Equal(201, BootPayloads().Count);
    }

    [Fact]
    public void A_disk_that_refuses_is_told_once_and_what_is_held_is_written_later()
    {
        Directory.CreateDirectory(Path.Combine(_lab.Root, "console"));
        File.WriteAllText(_lab.File("10.0.0.5", ""), "in the way");
        for (ulong i = 0; i < 3; i++)
        {
            _lab.Extended(i, 1, $"record {i}");
            _lab.Settle();
            _lab.Wait(1);
        }

        Assert.Equal(1, _lab.Log.Count(340));
        File.Delete(_lab.File("10.0.0.5", ""));
        _lab.Receiver.Advance(_lab.Now);
        Assert.Equal("-- boot --\n[    1.000000] record 0\n[    1.000000] record 1\n[    1.000000] record 2\n", _lab.Text());
    }

    [Fact]
    public void A_console_that_was_cleaned_away_is_made_again_and_loses_nothing_new()
    {
        _lab.Extended(1, 1, "before");
        _lab.Settle();
        Directory.Delete(Path.Combine(_lab.Root, "console"), recursive: true);
        _lab.Extended(2, 2, "after");
        _lab.Settle();
        Assert.Equal("[    2.000000] after\n", _lab.Text());
        File.Delete(_lab.File("10.0.0.5", "2026-11-24.log"));
        _lab.Extended(3, 3, "last");
        _lab.Settle();
        Assert.Equal("[    3.000000] last\n", _lab.Text());
        Assert.Equal(2, BootPayloads().Count);
        Assert.Equal(0, _lab.Log.Count(340));
    }

    [Fact]
    public void A_boot_file_torn_at_its_first_entry_does_not_lose_the_one_before_it()
    {
        _lab.Extended(1, 1, "first");
        _lab.Settle();
        _lab.Restart();
        File.Move(_lab.File("10.0.0.5", "boot"), _lab.File("10.0.0.5", "boot.1"));
        File.WriteAllBytes(_lab.File("10.0.0.5", "boot"), [.. Journal.Signature, 9, 9]);
        _lab.Extended(2, 1.2, "second");
        _lab.Settle();
        Assert.Equal(2, BootPayloads().Count);
    }

    [Fact]
    public void Looking_for_the_console_of_a_host_that_never_spoke_leaves_nothing()
    {
        Assert.Empty(BootPayloads());
        Assert.False(Directory.Exists(Path.Combine(_lab.Root, "console")));
    }

    [Fact]
    public void Made_up_addresses_get_only_so_many_consoles_and_known_hosts_keep_theirs()
    {
        using ConsoleLab lab = new(maximumConsoles: 20);
        for (int round = 0; round < 2; round++)
        {
            for (int host = 1; host <= 100; host++)
            {
                lab.Peer = ConsoleLab.PeerOf($"10.2.0.{host}");
                lab.Extended((ulong)round, round + 1, $"round {round}");
                lab.Settle();
            }
        }

        string console = Path.Combine(lab.Root, "console");
        Assert.Equal(20, Directory.GetDirectories(console).Length);
        Assert.Equal(20, lab.Receiver.StreamCount);
        Assert.Equal(160, lab.Receiver.Refused);
        Assert.Equal(1, lab.Log.Count(342));
        Assert.Contains("round 1", lab.Text("10.2.0.20"), StringComparison.Ordinal);

        Directory.Delete(Path.Combine(console, "10.2.0.1"), recursive: true);
        lab.Wait(61);
        lab.Peer = ConsoleLab.PeerOf("10.2.0.99");
        lab.Extended(1, 1, "now there is room");
        lab.Settle();
        Assert.Contains("room", lab.Text("10.2.0.99"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_silent_host_said_before_is_held_until_the_disk_takes_it()
    {
        File.WriteAllText(Path.Combine(_lab.Root, "console"), "in the way");
        _lab.Extended(1, 1, "last words");
        _lab.Settle();
        _lab.Wait(1000);
        _lab.Receiver.Advance(_lab.Now);
        Assert.Equal(0, _lab.Receiver.StreamCount);
        File.Delete(Path.Combine(_lab.Root, "console"));
        _lab.Wait(5);
        _lab.Receiver.Advance(_lab.Now);
        Assert.Equal("[    1.000000] last words\n", _lab.Text().Split("-- boot --\n")[1]);
        Assert.Equal(0, _lab.Receiver.HeldBytes);
    }

    [Fact]
    public void What_a_refusing_disk_makes_all_hosts_hold_is_bounded()
    {
        File.WriteAllText(Path.Combine(_lab.Root, "console"), "in the way");
        byte[] line = ConsoleLab.Bytes(new string('x', 990) + "\n");
        for (int host = 0; host < 1200; host++)
        {
            Peer peer = ConsoleLab.PeerOf($"10.1.{host / 250}.{host % 250}");
            for (int i = 0; i < 60; i++) _lab.Receiver.ReceiveBasic(line, peer, _lab.Now);
        }

        Assert.InRange(_lab.Receiver.HeldBytes, 1 << 20, ConsoleFiles.MaximumHeld + (256 * 1024));
        File.Delete(Path.Combine(_lab.Root, "console"));
        for (int second = 0; second < 5; second++)
        {
            _lab.Wait(1);
            _lab.Receiver.Advance(_lab.Now);
        }

        Assert.Equal(0, _lab.Receiver.HeldBytes);
        Assert.Equal(1200, Directory.GetDirectories(Path.Combine(_lab.Root, "console")).Length);
    }

    private List<string> BootPayloads() =>
        [.. _lab.Receiver.LogOf(_lab.Peer).ReadBoot(_lab.Now, out _).Where(e => e.Kind != JournalKind.Boot && !e.Payload.IsEmpty)
            .Select(e => System.Text.Encoding.Latin1.GetString(e.Payload.Span))];
}
