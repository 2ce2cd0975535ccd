using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Tests.Udp;

public sealed class EngineTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Nap = TimeSpan.FromMicroseconds(100);

    /// <summary>Answers every datagram with its own bytes and remembers which thread saw which sender.</summary>
    private sealed class Echo(int number, DatagramSender sender, ConcurrentQueue<(int Lane, Peer Peer, byte[] Bytes)> seen) : DatagramHandler
    {
        public int Calls { get; private set; }

        public override bool IsUrgent => false;

        public override void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
        {
            seen.Enqueue((number, peer, datagram.ToArray()));
            if (datagram is [0xff]) throw new InvalidOperationException("asked to fail");
            if (datagram.Length <= DatagramSender.MaxLength) sender.Send(peer, datagram);
        }

        public override TimeSpan Advance(TimeSpan now)
        {
            Calls++;
            return TimeSpan.MaxValue;
        }

        public override void Stop() => seen.Enqueue((number, default, [0x53]));
    }

    private static (UdpEngine Engine, ConcurrentQueue<(int Lane, Peer Peer, byte[] Bytes)> Seen) StartEcho(IPAddress listen, int threads)
    {
        ConcurrentQueue<(int, Peer, byte[])> seen = new();
        int made = 0;
        UdpEngine engine = new(listen, 0, threads, 1 << 20, Nap, (_, sender) => new Echo(made++, sender, seen), NullLogger.Instance);
        engine.Start();
        return (engine, seen);
    }

    private static Socket Client(IPAddress from)
    {
        Socket socket = new(from.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = (int)Limit.TotalMilliseconds };
        socket.Bind(new IPEndPoint(from, 0));
        return socket;
    }

    private static byte[] Ask(Socket client, IPEndPoint server, byte[] question, out IPEndPoint answeredFrom)
    {
        client.SendTo(question, server);
        byte[] answer = new byte[4096];
        EndPoint from = new IPEndPoint(client.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        int length = client.ReceiveFrom(answer, ref from);
        answeredFrom = (IPEndPoint)from;
        return answer[..length];
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1", "127.0.0.1")]
    [InlineData("::1", "::1", "::1")]
    [InlineData("::", "127.0.0.1", "127.0.0.1")]
    [InlineData("::", "::1", "::1")]
    [InlineData("0.0.0.0", "127.0.0.1", "127.0.0.1")]
    [InlineData("::", "127.0.0.9", "127.0.0.1")]
    [InlineData("0.0.0.0", "127.0.0.9", "127.0.0.1")]
    public void Item02_answers_leave_from_the_listening_port_and_the_address_that_was_asked(string listen, string asked, string client)
    {
        (UdpEngine engine, var seen) = StartEcho(IPAddress.Parse(listen), 2);
        using (engine)
        using (Socket socket = Client(IPAddress.Parse(client)))
        {
            IPEndPoint server = new(IPAddress.Parse(asked), engine.EndPoint.Port);
            Assert.Equal("hello"u8.ToArray(), Ask(socket, server, "hello"u8.ToArray(), out IPEndPoint from));
            Assert.Equal(server, from);
            Assert.True(seen.TryPeek(out var first));
            Assert.Equal(IPAddress.Parse(client), first.Peer.Address);
            Assert.Equal(((IPEndPoint)socket.LocalEndPoint!).Port, first.Peer.Port);
        }
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::1", "::1")]
    [InlineData("::", "127.0.0.1")]
    [InlineData("::", "::1")]
    public void All_ports_of_one_address_come_to_one_thread(string listen, string asked)
    {
        (UdpEngine engine, var seen) = StartEcho(IPAddress.Parse(listen), 4);
        using (engine)
        {
            // All are open at once, so that no port is used twice.
            Socket[] clients = [.. Enumerable.Range(0, 40).Select(_ => Client(IPAddress.Parse(asked)))];
            foreach (Socket client in clients) Ask(client, new IPEndPoint(IPAddress.Parse(asked), engine.EndPoint.Port), [1], out _);
            foreach (Socket client in clients) client.Dispose();
            Assert.Equal(40, seen.Select(s => s.Peer.Port).Distinct().Count());
            Assert.Single(seen.Select(s => s.Lane).Distinct());
        }
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    public void Item28_many_addresses_spread_over_the_threads_and_each_stays_on_its_own(string listen)
    {
        (UdpEngine engine, var seen) = StartEcho(IPAddress.Parse(listen), 4);
        using (engine)
        {
            for (int i = 1; i <= 120; i++)
            {
                using Socket first = Client(IPAddress.Parse($"127.0.{i / 40}.{i}"));
                using Socket second = Client(IPAddress.Parse($"127.0.{i / 40}.{i}"));
                IPEndPoint server = new(IPAddress.Loopback, engine.EndPoint.Port);
                Ask(first, server, [1], out _);
                Ask(second, server, [2], out _);
            }

            int[] load = [.. seen.GroupBy(s => s.Lane).Select(g => g.Count())];
            Assert.Equal(4, load.Length);
            Assert.All(load, n => Assert.InRange(n, 20, 120));
            Assert.All(seen.GroupBy(s => s.Peer.Key), host => Assert.Single(host.Select(s => s.Lane).Distinct()));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2049)]
    [InlineData(9000)]
    [InlineData(65_507)]
    public void Netconsole_item10_payloads_of_any_length_arrive_whole(int length)
    {
        (UdpEngine engine, var seen) = StartEcho(IPAddress.Loopback, 1);
        using (engine)
        using (Socket socket = Client(IPAddress.Loopback))
        {
            byte[] sent = new byte[length];
            new Random(length).NextBytes(sent);
            socket.SendTo(sent, engine.EndPoint);
            Ask(socket, engine.EndPoint, [7, 7], out _);
            Assert.Equal(sent, seen.First(s => s.Bytes is not [7, 7]).Bytes);
            Assert.Equal(0, engine.Counters[0].Truncated);
        }
    }

    [Fact]
    public void A_handler_that_throws_costs_one_datagram()
    {
        (UdpEngine engine, _) = StartEcho(IPAddress.Loopback, 1);
        using (engine)
        using (Socket socket = Client(IPAddress.Loopback))
        {
            socket.SendTo([0xff], engine.EndPoint);
            Assert.Equal([1, 2], Ask(socket, engine.EndPoint, [1, 2], out _));
            Assert.Equal(1, engine.Counters[0].Failed);
        }
    }

    [Fact]
    public void Stop_calls_the_handler_once_on_each_thread_and_closes_the_port()
    {
        (UdpEngine engine, var seen) = StartEcho(IPAddress.Loopback, 3);
        IPEndPoint place = engine.EndPoint;
        Assert.True(engine.Stop());
        engine.Dispose();
        Assert.Equal([0, 1, 2], seen.Where(s => s.Bytes is [0x53]).Select(s => s.Lane).Order());
        using Socket again = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        again.Bind(place);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::")]
    public void A_port_in_use_is_one_line_even_when_the_other_is_a_server_like_us(string listen)
    {
        IPAddress address = IPAddress.Parse(listen);
        using UdpEngine first = new(address, 0, 2, 1 << 16, Nap, (_, _) => new Silent(), NullLogger.Instance);
        StartException error = Assert.Throws<StartException>(() =>
            new UdpEngine(address, first.EndPoint.Port, 2, 1 << 16, Nap, (_, _) => new Silent(), NullLogger.Instance));
        Assert.Contains($"udp port {first.EndPoint.Port} is in use", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void An_address_of_another_machine_is_one_line()
    {
        StartException error = Assert.Throws<StartException>(() =>
            new UdpEngine(IPAddress.Parse("192.0.2.1"), 0, 1, 1 << 16, Nap, (_, _) => new Silent(), NullLogger.Instance));
        Assert.Contains("192.0.2.1 is not an address of this machine", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Posted_work_and_deadlines_wake_a_thread_without_datagrams()
    {
        using ManualResetEventSlim posted = new(), timer = new();
        Lane? lane = null;
        using UdpEngine engine = new(IPAddress.Loopback, 0, 1, 1 << 16, Nap, (l, _) =>
        {
            lane = l;
            return new Timed(timer);
        }, NullLogger.Instance);
        engine.Start();
        Assert.True(timer.Wait(Limit));
        string? thread = null;
        lane!.Post(() =>
        {
            thread = Thread.CurrentThread.Name;
            posted.Set();
        });
        Assert.True(posted.Wait(Limit));
        Assert.Equal("udp-0", thread);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_thread_that_has_just_received_and_waits_for_more_runs_posted_work_and_meets_deadlines_without_more(bool napping)
    {
        using ManualResetEventSlim posted = new(), timer = new();
        Lane? lane = null;
        Delayed handler = new(timer);
        TimeSpan nap = napping ? Nap : TimeSpan.Zero;
        using UdpEngine engine = new(IPAddress.Loopback, 0, 1, 1 << 16, nap, (l, sender) =>
        {
            lane = l;
            handler.Sender = sender;
            return handler;
        }, NullLogger.Instance);
        engine.Start();
        using Socket socket = Client(IPAddress.Loopback);
        Ask(socket, engine.EndPoint, [1], out _);
        lane!.Post(posted.Set);
        Assert.True(posted.Wait(Limit));
        Ask(socket, engine.EndPoint, [1], out _);
        Assert.True(timer.Wait(Limit));
        Ask(socket, engine.EndPoint, [1], out _);
        Assert.True(engine.Stop());
        Assert.Equal(3, engine.Counters[0].Datagrams);
    }

    /// <summary>Answers, and wants to be called half a second after the second datagram.</summary>
    private sealed class Delayed(ManualResetEventSlim reached) : DatagramHandler
    {
        private int _received;
        private TimeSpan _due = TimeSpan.MaxValue;

        public DatagramSender Sender { get; set; } = null!;

        public override bool IsUrgent => false;

        public override void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
        {
            if (++_received == 2) _due = now + TimeSpan.FromMilliseconds(500);
            Sender.Send(peer, datagram);
        }

        public override TimeSpan Advance(TimeSpan now)
        {
            if (now < _due) return _due;
            reached.Set();
            return _due = TimeSpan.MaxValue;
        }

        public override void Stop()
        {
        }
    }

    [Fact]
    public async Task What_waits_in_the_socket_is_handled_before_the_end_and_what_was_dropped_is_counted()
    {
        const int Count = 5_000;
        using ManualResetEventSlim began = new(), go = new();
        int handled = 0;
        UdpEngine engine = new(IPAddress.Loopback, 0, 1, 1 << 16, Nap, (_, _) => new Blocking(began, go, () => handled++), NullLogger.Instance);
        engine.Start();
        using Socket socket = Client(IPAddress.Loopback);
        socket.Connect(engine.EndPoint);
        socket.Send("first"u8);
        Assert.True(began.Wait(Limit));
        for (int i = 1; i < Count; i++) socket.Send(new byte[100]);
        Task<bool> stop = Task.Run(engine.Stop, TestContext.Current.CancellationToken);
        go.Set();
        Assert.True(await stop.WaitAsync(Limit, TestContext.Current.CancellationToken));
        Assert.Equal(handled, engine.Counters[0].Datagrams);
        Assert.True(engine.Counters[0].Dropped > 0);
        Assert.Equal(Count, handled + engine.Counters[0].Dropped);
        engine.Dispose();
    }

    [Fact]
    public void A_flood_is_counted_and_allocates_nothing_per_datagram()
    {
        const int Count = 20_000;
        Flood handler = new();
        using UdpEngine engine = new(IPAddress.Loopback, 0, 1, 8 << 20, Nap, (_, _) => handler, NullLogger.Instance);
        engine.Start();
        using Socket socket = Client(IPAddress.Loopback);
        socket.Connect(engine.EndPoint);
        byte[] datagram = new byte[100];
        for (int sent = 0; sent < Count; sent++)
        {
            socket.Send(datagram);
            // The sender must not outrun the buffer, which the system may keep near 200 KiB: this test counts, it does not measure.
            if (sent % 100 == 99) SpinWait.SpinUntil(() => engine.Counters[0].Datagrams > sent - 100, Limit);
        }

        Assert.True(SpinWait.SpinUntil(() => engine.Counters[0].Datagrams == Count, Limit));
        Assert.Equal(Count * 100, engine.Counters[0].Bytes);
        Assert.Equal(0, engine.Counters[0].Dropped);
        Assert.InRange(handler.Allocated, 0, 4096);
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::", "127.0.0.1")]
    [InlineData("::1", "::1")]
    public void Datagrams_that_the_kernel_kept_together_are_handed_over_one_by_one(string listen, string asked)
    {
        const int SolUdp = 17, UdpSegment = 103;
        (UdpEngine engine, var seen) = StartEcho(IPAddress.Parse(listen), 1);
        using (engine)
        using (Socket socket = Client(IPAddress.Parse(asked)))
        {
            socket.Connect(IPAddress.Parse(asked), engine.EndPoint.Port);
            byte[] sent = new byte[40 * 1037 + 500];
            new Random(3).NextBytes(sent);
            socket.SetRawSocketOption(SolUdp, UdpSegment, BitConverter.GetBytes(1037));
            socket.Send(sent);
            socket.SetRawSocketOption(SolUdp, UdpSegment, BitConverter.GetBytes(0));
            socket.Send([7], SocketFlags.None);
            socket.Send(Array.Empty<byte>());
            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref engine.Counters[0].Datagrams) == 43, Limit));
            Assert.Equal([.. sent.Chunk(1037), [7], []], seen.Select(s => s.Bytes));
            Assert.Single(seen.Select(s => s.Peer).Distinct());
            Assert.Equal(sent.Length + 1, engine.Counters[0].Bytes);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Small_batches_are_followed_by_a_nap_but_not_while_an_answer_is_urgent(bool urgent)
    {
        PingPong handler = new(urgent);
        using UdpEngine engine = new(IPAddress.Loopback, 0, 1, 1 << 16, Nap, (_, sender) =>
        {
            handler.Sender = sender;
            return handler;
        }, NullLogger.Instance);
        engine.Start();
        using Socket socket = Client(IPAddress.Loopback);
        for (int i = 0; i < 50; i++) Ask(socket, engine.EndPoint, [1], out _);
        Assert.Equal(50, engine.Counters[0].Batches);
        // The answer leaves before the nap: that of the last may be yet to come.
        if (urgent) Assert.Equal(0, Volatile.Read(ref engine.Counters[0].Naps));
        else Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref engine.Counters[0].Naps) == 50, Limit));
    }

    private sealed class PingPong(bool urgent) : DatagramHandler
    {
        public DatagramSender Sender { get; set; } = null!;

        public override bool IsUrgent => urgent;

        public override void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now) => Sender.Send(peer, datagram);

        public override TimeSpan Advance(TimeSpan now) => TimeSpan.MaxValue;

        public override void Stop()
        {
        }
    }

    /// <summary>Stays in its first datagram until it may go on.</summary>
    private sealed class Blocking(ManualResetEventSlim began, ManualResetEventSlim go, Action handled) : DatagramHandler
    {
        public override bool IsUrgent => false;

        public override void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
        {
            began.Set();
            go.Wait(Limit);
            handled();
        }

        public override TimeSpan Advance(TimeSpan now) => TimeSpan.MaxValue;

        public override void Stop()
        {
        }
    }

    private sealed class Silent : DatagramHandler
    {
        public override bool IsUrgent => false;

        public override void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
        {
        }

        public override TimeSpan Advance(TimeSpan now) => TimeSpan.MaxValue;

        public override void Stop()
        {
        }
    }

    private sealed class Timed(ManualResetEventSlim reached) : DatagramHandler
    {
        private TimeSpan _due = TimeSpan.Zero;

        public override bool IsUrgent => false;

        public override void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
        {
        }

        public override TimeSpan Advance(TimeSpan now)
        {
            if (_due == TimeSpan.Zero) _due = now + TimeSpan.FromMilliseconds(30);
            if (now < _due) return _due;
            reached.Set();
            return TimeSpan.MaxValue;
        }

        public override void Stop()
        {
        }
    }

    private sealed class Flood : DatagramHandler
    {
        private long _first = -1;

        public long Allocated { get; private set; }

        public override bool IsUrgent => false;

        public override void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now)
        {
            // The first datagrams make the thread's own structures; what counts is that later ones make none.
            if (_first < 0) _first = GC.GetAllocatedBytesForCurrentThread();
            Allocated = GC.GetAllocatedBytesForCurrentThread() - _first;
        }

        public override TimeSpan Advance(TimeSpan now) => TimeSpan.MaxValue;

        public override void Stop()
        {
        }
    }
}
