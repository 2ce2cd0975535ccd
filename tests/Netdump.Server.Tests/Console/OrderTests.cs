using System.Net.Sockets;
using System.Text;
using Netdump.Server.Store;
using Netdump.Server.Tests.Whole;

namespace Netdump.Server.Tests.Console;

/// <summary>The order of console records down to the file.</summary>
public sealed class OrderTests : IDisposable
{
    private readonly ConsoleLab _lab = new();

    public void Dispose() => _lab.Dispose();

    /// <summary>A panic of 46 records, from number 401 on, as 6.1 sends one: within 20 ms, most of them with one time.</summary>
    private static IEnumerable<(ulong Sequence, string Text, string Datagram)> Burst =>
        from i in Enumerable.Range(0, 46)
        let text = i == 0 ? "Kernel panic - not syncing: sysrq triggered crash" : $" frame_{i:d2}+0x26/0x40"
        select ((ulong)(401 + i), text, $"0,{401 + i},{(i < 2 ? 7_859_820 : 7_860_360)},-;{text}\n");

    [Fact]
    public void Item39_a_burst_of_46_with_one_missing_is_on_disk_300_ms_after_its_last_datagram()
    {
        _lab.Extended(400, 7.8, "sysrq: Trigger a crash");
        _lab.Settle();
        string before = _lab.Text();
        foreach ((ulong sequence, _, string datagram) in Burst)
        {
            _lab.Run(0.0004);
            if (sequence != 424) _lab.Receiver.ReceiveExtended(ConsoleLab.Bytes(datagram), _lab.Peer, _lab.Now);
        }

        _lab.Run(0.3);
        string[] lines = _lab.Text()[before.Length..].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Burst.Where(b => b.Sequence != 424).Select(b => b.Text), lines.Select(l => l["[    7.860360] ".Length..]));
        Assert.Equal(0, _lab.Receiver.Workspace.Windows.Used);
    }

    [Fact]
    public void Item39_the_same_over_a_real_socket_with_a_sender_that_counts()
    {
        using ServerUnderTest server = new();
        using Socket socket = server.Connect();
        int id = 0;
        socket.Send(Encoding.ASCII.GetBytes($"6,400,7800000,-;sysrq: Trigger a crash\n cpu=0\n msgid={++id}\n"));
        string Console() => string.Concat(Directory.EnumerateFiles(server.Options.Store, "*.log", SearchOption.AllDirectories).Select(File.ReadAllText));
        server.WaitFor(() => Console().Contains("Trigger a crash", StringComparison.Ordinal));
        foreach ((ulong sequence, _, string datagram) in Burst)
        {
            id++;
            if (sequence != 424) socket.Send(Encoding.ASCII.GetBytes($"{datagram} cpu=0\n msgid={id}\n"));
        }

        // Not another word: what is missing is given up, and told, by the clock alone.
        server.WaitFor(() => Console().Contains(Burst.Last().Text, StringComparison.Ordinal));
        IEnumerable<string> expected = Burst.Select(b => b.Sequence == 424 ? "[… 1 records lost …]" : b.Text).Prepend("sysrq: Trigger a crash");
        string[] lines = Console().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expected, lines.Skip(1).Select(l => l.StartsWith("[ ", StringComparison.Ordinal) ? l["[    7.860360] ".Length..] : l));
    }

    [Fact]
    public void Item48_stopping_the_server_writes_every_record_that_waits()
    {
        _lab.Extended(5, 1, "first");
        _lab.Settle();
        _lab.Extended(8, 1, "third");
        _lab.Extended(7, 1, "second");
        _lab.Peer = ConsoleLab.PeerOf("10.0.0.6");
        _lab.Extended(0, 0, "a first record that waits");
        _lab.Receiver.Stop();
        Assert.EndsWith("first\n[    1.000000] second\n[    1.000000] third\n", _lab.Text(), StringComparison.Ordinal);
        Assert.EndsWith("] a first record that waits\n", _lab.Text("10.0.0.6"), StringComparison.Ordinal);
        Assert.Equal(0, _lab.Receiver.Workspace.Windows.Used);
    }

    [Fact]
    public async Task A_record_that_waits_when_the_crash_opens_is_in_its_log()
    {
        _lab.Extended(400, 7.8, "first");
        _lab.Settle();
        _lab.Extended(402, 7.9, "waits for 401");
        CrashLog log = _lab.OpenCrash(_lab.MakeCrash());
        Assert.Null(await log.CompleteAsync(_lab.Now));
        string crash = Assert.Single(Directory.GetFiles(_lab.Root, "log", SearchOption.AllDirectories));
        Assert.Equal("[    7.800000] first\n[    7.900000] waits for 401\n", File.ReadAllText(crash));
    }

    [Fact]
    public void A_thousand_hosts_that_lose_one_record_each_are_written_in_time_and_leave_no_memory()
    {
        for (int host = 0; host < 1000; host++)
        {
            _lab.Peer = ConsoleLab.PeerOf($"10.3.{host / 250}.{(host % 250) + 1}");
            _lab.Extended(1, 1, "first");
        }

        _lab.Settle();
        for (int host = 0; host < 1000; host++)
        {
            _lab.Peer = ConsoleLab.PeerOf($"10.3.{host / 250}.{(host % 250) + 1}");
            for (ulong i = 3; i < 10; i++) _lab.Extended(i, 1, $"record {i}");
        }

        Assert.True(_lab.Receiver.Workspace.Windows.Used > 7000 * 256);
        _lab.Run(0.3);
        Assert.Equal(0, _lab.Receiver.Workspace.Windows.Used);
        for (int host = 0; host < 1000; host += 111)
            Assert.Equal(9, _lab.Text($"10.3.{host / 250}.{(host % 250) + 1}").Count(c => c == '\n'));
    }
}
