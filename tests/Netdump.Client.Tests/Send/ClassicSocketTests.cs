using System.Net;
using System.Net.Sockets;
using Netdump.Client.Linux;
using Netdump.Client.Send;
using Netdump.Client.Tests.Linux;
using Netdump.Protocols.Classic;

namespace Netdump.Client.Tests.Send;

/// <summary>Whether the kernel cuts the datagrams of a page or we do, on the wire they are the same.</summary>
public sealed class ClassicSocketTests
{
    private const int Pages = 6;
    private const int SmallMtu = 1000; // a chunk's datagram does not fit: it goes in fragments, and the kernel refuses to cut (EINVAL, EMSGSIZE)

    [Fact]
    public void The_kernel_cuts_the_datagrams_of_many_pages_out_of_one_message()
    {
        using var server = Receiver();
        using var socket = new ClassicSocket((IPEndPoint)server.LocalEndPoint!, localPort: 0, localAddress: null, segmented: true);
        Assert.True(socket.IsSegmenting);
        var sent = SendPages(socket);
        Assert.Equal(sent, Received(server));
        Assert.Equal(3, socket.MessagesSent); // pages, a short one, pages
        Assert.True(socket.IsSegmenting);
    }

    [Fact]
    public void Without_it_each_datagram_is_a_message()
    {
        using var server = Receiver();
        using var socket = new ClassicSocket((IPEndPoint)server.LocalEndPoint!, localPort: 0, localAddress: null, segmented: false);
        Assert.False(socket.IsSegmenting);
        var sent = SendPages(socket);
        Assert.Equal(sent, Received(server));
        Assert.Equal(sent.Count, socket.MessagesSent);
    }

    [Theory]
    [InlineData(false, ClassicClientProfile.Netdump, true)]
    [InlineData(true, ClassicClientProfile.Netdump, false)]
    [InlineData(false, ClassicClientProfile.B, false)] // its LOG pieces are longer than a chunk
    public void Which_dumps_ask_the_kernel_to_cut(bool plain, ClassicClientProfile profile, bool segmenting)
    {
        using var server = Receiver();
        using var dump = new DumpFile();
        using var attempt = new ClassicAttempt(
            dump.Source, new SendOptions { IsPlain = plain, Profile = profile }, new SendTarget("server", (IPEndPoint)server.LocalEndPoint!),
            new ClassicMemoryMap(dump.Source.Pages.Select(r => (r.First, r.End))), report: null);
        Assert.Equal(segmenting, attempt.IsSegmenting);
    }

    [Fact]
    public void A_kernel_that_refuses_to_cut_costs_no_datagram() => NetworkNamespace.Run(netlink =>
    {
        netlink.SetUp(1, SmallMtu);
        using var server = Receiver();
        using var socket = new ClassicSocket((IPEndPoint)server.LocalEndPoint!, localPort: 0, localAddress: null, segmented: true);
        Assert.True(socket.IsSegmenting);
        var sent = SendPages(socket);
        Assert.Equal(sent, Received(server));
        Assert.False(socket.IsSegmenting);
        Assert.Equal(sent.Count, socket.MessagesSent);
    });

    [Fact]
    public void Datagrams_come_from_the_address_that_was_given()
    {
        using var server = Receiver();
        var address = IPAddress.Parse("127.9.8.7");
        using var socket = new ClassicSocket((IPEndPoint)server.LocalEndPoint!, localPort: 0, address, segmented: true);
        SendOne(socket, [1]);
        socket.Flush();
        EndPoint client = new IPEndPoint(IPAddress.Any, 0);
        server.ReceiveFrom(new byte[16], ref client);
        Assert.Equal(address, ((IPEndPoint)client).Address);
    }

    [Fact]
    public void A_dump_falls_back_and_arrives() => NetworkNamespace.Run(netlink =>
    {
        netlink.SetUp(1, SmallMtu);
        using var dump = new DumpFile();
        using var server = new SessionServer();
        var served = server.Serve();
        var options = new SendOptions
        {
            LocalPort = null,
            RebootDelay = TimeSpan.Zero,
            AcknowledgeLimit = TimeSpan.FromSeconds(20),
            SilenceLimit = TimeSpan.FromSeconds(20),
        };
        var result = new ClassicSender(dump.Source, options).Run([new SendTarget("server", server.Address)], TestContext.Current.CancellationToken);
        Assert.Equal(SendOutcome.Rebooted, result.Outcome);
        Assert.Equal(ClassicEndReason.Finished, served.GetAwaiter().GetResult());
        Assert.Equal(dump.Memory(), server.Memory);
    });

    [Theory]
    [InlineData(5, true)]    // EIO
    [InlineData(22, true)]   // EINVAL
    [InlineData(90, true)]   // EMSGSIZE
    [InlineData(92, true)]   // ENOPROTOOPT
    [InlineData(95, true)]   // EOPNOTSUPP
    [InlineData(1, false)]   // EPERM: a firewall
    [InlineData(11, false)]  // EAGAIN
    [InlineData(101, false)] // ENETUNREACH
    [InlineData(105, false)] // ENOBUFS
    [InlineData(111, false)] // ECONNREFUSED
    public void What_counts_as_a_refusal_to_cut(int error, bool refusal) => Assert.Equal(refusal, SendQueue.IsRefusalToSegment(error));

    [Fact]
    public void A_closed_port_is_noticed_and_sending_goes_on()
    {
        var server = Receiver();
        using var socket = new ClassicSocket((IPEndPoint)server.LocalEndPoint!, localPort: 0, localAddress: null, segmented: true);
        var port = ((IPEndPoint)server.LocalEndPoint!).Port;
        server.Dispose();
        for (var i = 0; i < 3; i++)
        {
            SendOne(socket, [1, 2, 3]);
            socket.Flush();
        }

        Assert.True(socket.IsPortClosed);
        using var again = Receiver(port);
        SendOne(socket, [4, 5]);
        socket.Flush();
        Assert.Equal([[4, 5]], Received(again));
        Assert.True(socket.IsSegmenting);
    }

    [Fact]
    public void Requests_are_taken_many_at_once_and_cut_to_what_a_request_needs()
    {
        using var server = Receiver();
        using var socket = new ClassicSocket((IPEndPoint)server.LocalEndPoint!, localPort: 0, localAddress: null, segmented: true);
        SendOne(socket, [0]);
        socket.Flush();
        EndPoint client = new IPEndPoint(IPAddress.Any, 0);
        server.ReceiveFrom(new byte[16], ref client);
        for (var i = 0; i < 100; i++)
            server.SendTo(new byte[i * 3], client);
        List<int> lengths = [];
        while (lengths.Count < 100)
        {
            Assert.True(socket.Wait(TimeSpan.FromSeconds(30)));
            var count = socket.Receive();
            Assert.InRange(count, 1, 64);
            for (var i = 0; i < count; i++)
                lengths.Add(socket.Received(i).Length);
        }

        Assert.Equal(Enumerable.Range(0, 100).Select(i => Math.Min(i * 3, 128)), lengths);
    }

    [Fact]
    public void Sending_and_taking_allocate_nothing()
    {
        using var server = Receiver();
        using var socket = new ClassicSocket((IPEndPoint)server.LocalEndPoint!, localPort: 0, localAddress: null, segmented: true);
        long before = 0;
        for (var round = 0; round < 200; round++)
        {
            if (round == 100)
                before = GC.GetAllocatedBytesForCurrentThread();
            for (var page = 0; page < 40; page++)
            {
                var room = socket.Room(4 * SendQueue.ChunkDatagram);
                room[..16].Fill((byte)page);
                socket.SendChunks(4 * SendQueue.ChunkDatagram); // nobody reads them: the kernel drops what is too much
            }

            socket.Flush();
            socket.Receive();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static List<byte[]> SendPages(ClassicSocket socket)
    {
        List<byte[]> datagrams = [];
        var random = new Random(5);
        for (var page = 0; page < Pages; page++)
        {
            var room = socket.Room(4 * SendQueue.ChunkDatagram)[..(4 * SendQueue.ChunkDatagram)];
            random.NextBytes(room);
            for (var at = 0; at < room.Length; at += SendQueue.ChunkDatagram)
                datagrams.Add(room.Slice(at, SendQueue.ChunkDatagram).ToArray());
            socket.SendChunks(room.Length);
            if (page != 2)
                continue;
            SendOne(socket, [9, 9, 9]);
            datagrams.Add([9, 9, 9]);
        }

        socket.Flush();
        return datagrams;
    }

    private static void SendOne(ClassicSocket socket, ReadOnlySpan<byte> datagram)
    {
        datagram.CopyTo(socket.Room(datagram.Length));
        socket.SendOne(datagram.Length);
    }

    private static Socket Receiver(int port = 0)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 30_000 };
        socket.SetRawSocketOption(DatagramCalls.LevelSocket, DatagramCalls.ReceiveBufferForce, BitConverter.GetBytes(1 << 20));
        socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        return socket;
    }

    // Datagrams of the loopback lie in the receiver's buffer when sending returns.
    private static List<byte[]> Received(Socket server)
    {
        List<byte[]> datagrams = [];
        var buffer = new byte[65_536];
        while (server.Available > 0)
            datagrams.Add(buffer[..server.Receive(buffer)]);
        return datagrams;
    }
}
