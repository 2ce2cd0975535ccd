using Microsoft.Extensions.Time.Testing;
using Netdump.Protocols.Classic;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Receivers;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;
using Netdump.Server.Tests.Classic;

namespace Netdump.Server.Tests.Hostile;

/// <summary>Memory of the process is measured: nothing else runs meanwhile.</summary>
[CollectionDefinition(nameof(MillionDatagramsTests), DisableParallelization = true)]
public sealed class Alone;

/// <summary>Issue 4, proof 5: a million datagrams through the handler of the dump port, over a real store, with time in the test's hands.</summary>
[Collection(nameof(MillionDatagramsTests))]
public sealed class MillionDatagramsTests : IDisposable
{
    private const int Count = 1_000_000;
    private const int Seed = 20_021_125;
    private const long MostMemory = 128 << 20;

    private readonly string _root = Directory.CreateTempSubdirectory("netdump-million-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly List<(Peer To, byte[] Datagram)> _sent = [];
    private readonly List<SimulatedClient> _clients = [];
    private readonly Lane _lane = new();
    private readonly CapturedLog _log = new();
    private readonly DumpPort _port;
    private readonly DatagramHandler _handler;
    private TimeSpan _now = TimeSpan.FromSeconds(1000);
    private long _received;
    private long _ofClients;
    private ulong _crashes;

    public MillionDatagramsTests()
    {
        CrashStore store = new(_root, _time);
        store.Prepare();
        LiveOptions options = new(new ServerOptions { Store = _root });
        _port = new DumpPort(store, new HookScripts(store, options, _log), options, _time, _log);
        _handler = _port.MakeHandler(_lane, new Sender(_sent));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Proof5_a_million_datagrams_cost_no_crash_and_bounded_memory_and_each_is_counted_once()
    {
        HostileTraffic traffic = new(Seed);
        TestContext.Current.SendDiagnosticMessage("seed {0}", Seed);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        long most = 0;
        // Real clients in the midst of it, and their own words changed and sent in their name.
        foreach (ClassicClientProfile profile in Enum.GetValues<ClassicClientProfile>())
            _clients.Add(Crash(profile));
        for (int i = 0; i < Count; i++)
        {
            byte[] datagram = traffic.Next();
            Receive(datagram, traffic.NextPeer());
            if (i % 64 == 0) Pass(TimeSpan.FromMilliseconds(2), traffic);
            if (i % 100_000 == 99_999) most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
        }

        Assert.Equal(Count, _received - _ofClients);
        Assert.Equal(_received, _port.Counters.Total);
        Assert.All<long>(
            [_port.Counters.Session, _port.Counters.Console, _port.Counters.Rejected, _port.Counters.Junk, _port.Counters.Empty, _port.Counters.UnknownVersion],
            counted => Assert.InRange(counted, 100, Count));
        Assert.InRange(most, long.MinValue, MostMemory);
        // Each START may open a directory: so many that never answer, and so many of an address whose client does.
        Assert.InRange(Directory.GetDirectories(_root, "*-2026-*").Length, 1, CrashQuota.MaximumUnanswered + _clients.Count * CrashQuota.MaximumPerAddress);
        Assert.InRange(Directory.GetDirectories(Path.Combine(_root, "console")).Length, 1, 65_536);

        ADumpAndAConsoleStillWork(traffic);
        _handler.Stop();
        Assert.True(_port.Work.Wait(TimeSpan.FromSeconds(60)));
    }

    /// <summary>A host of the midst of the traffic; when it has rebooted, it crashes again.</summary>
    private SimulatedClient Crash(ClassicClientProfile profile) =>
        SimulatedClient.Create(profile, seed: 5, address: $"192.168.0.{10 + (int)profile}", task: 0x1000 + _crashes++);

    private void Receive(byte[] datagram, in Peer peer)
    {
        _received++;
        // An exception here is the one that the engine would count as failed.
        _handler.Receive(datagram, peer, _now);
    }

    /// <summary>Time passes: timers, results of disk work, and the true clients' turn.</summary>
    private void Pass(TimeSpan time, HostileTraffic traffic)
    {
        _now += time;
        _time.Advance(time);
        _lane.RunPosted();
        _handler.Advance(_now);
        for (int i = 0; i < _clients.Count; i++)
        {
            SimulatedClient client = _clients[i];
            client.Advance(_now);
            foreach ((_, byte[] datagram) in _sent.Where(sent => sent.To == client.Peer)) client.Receive(datagram, _now);
            while (client.Outgoing.TryDequeue(out byte[]? reply))
            {
                traffic.Record(reply);
                _ofClients++;
                Receive(reply, client.Peer);
            }

            if (client.Rebooted && _received < Count) _clients[i] = Crash(client.Options.Profile);
        }

        _sent.Clear();
    }

    private void ADumpAndAConsoleStillWork(HostileTraffic traffic)
    {
        // The made-up crashes are past.
        _time.Advance(TimeSpan.FromMinutes(11));
        _now += TimeSpan.FromMinutes(11);
        _clients.Clear();
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.D, seed: 9, address: "172.16.0.9");
        _clients.Add(client);
        Peer console = client.Peer.WithPort(6665);
        Receive("6,1,1000000,-;all is well\n"u8.ToArray(), console);
        long end = Environment.TickCount64 + 120_000;
        while (!client.Rebooted || _log.Lines.All(line => line.Id != 304 || !line.Text.Contains("172.16.0.9", StringComparison.Ordinal)))
        {
            Assert.True(Environment.TickCount64 < end, "the dump does not end:\n" + string.Join('\n', _log.Lines.TakeLast(20)));
            if (!_port.Work.Wait(TimeSpan.FromSeconds(60))) continue;
            Pass(TimeSpan.FromMilliseconds(20), traffic);
        }

        string crash = Assert.Single(Directory.GetDirectories(_root, "172.16.0.9-*"));
        byte[] stored = File.ReadAllBytes(crash + "/vmcore");
        int first = stored.Length - (int)client.PageCount * 4096;
        foreach ((ulong pfn, byte[] page) in client.Pages) Assert.Equal(page, stored[(first + (int)pfn * 4096)..(first + (int)pfn * 4096 + 4096)]);
        Assert.Contains("all is well", File.ReadAllText(crash + "/log"), StringComparison.Ordinal);
        Assert.Equal(_received, _port.Counters.Total);
    }

    private sealed class Sender(List<(Peer To, byte[] Datagram)> sent) : DatagramSender
    {
        public override int AnswerRoom => 16 << 20;

        public override void Send(in Peer peer, ReadOnlySpan<byte> datagram) => sent.Add((peer, datagram.ToArray()));
    }
}
