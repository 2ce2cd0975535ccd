using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>
/// A bad network between a client and a server on the loopback: both ways it loses datagrams, sends some twice and lets later ones
/// overtake some. Which of them is drawn from a fixed seed, so that each run meets the same fates in the same order.
/// </summary>
public sealed class LossyRelay : IDisposable
{
    private const double Share = 0.05; // of all datagrams, for each of the three
    private const int MostOvertaken = 8;
    private static readonly TimeSpan LongestHold = TimeSpan.FromMilliseconds(20); // when nothing comes to overtake

    private readonly Socket _front = Open();
    private readonly IPEndPoint _server;
    private readonly Dictionary<IPEndPoint, Socket> _backs = [];
    private readonly Direction _toServer;
    private readonly Direction _toClient;
    private readonly Thread _thread;
    private volatile bool _stopping;

    public LossyRelay(int serverPort, int seed)
    {
        _server = new IPEndPoint(IPAddress.Loopback, serverPort);
        _toServer = new Direction(seed);
        _toClient = new Direction(seed + 1);
        _thread = new Thread(Run) { IsBackground = true, Name = "lossy relay" };
        _thread.Start();
    }

    /// <summary>Clients send here.</summary>
    public int Port => ((IPEndPoint)_front.LocalEndPoint!).Port;

    /// <summary>What was done to datagrams of the clients; to be read after <see cref="Dispose"/>.</summary>
    public (long All, long Lost, long Doubled, long Overtaken) ToServer => _toServer.Counts;

    /// <summary>What was done to datagrams of the server.</summary>
    public (long All, long Lost, long Doubled, long Overtaken) ToClient => _toClient.Counts;

    public void Dispose()
    {
        _stopping = true;
        _thread.Join();
        _front.Dispose();
        foreach (Socket back in _backs.Values) back.Dispose();
    }

    private void Run()
    {
        byte[] buffer = new byte[65_536];
        List<Socket> readable = [];
        while (!_stopping)
        {
            readable.Clear();
            readable.Add(_front);
            readable.AddRange(_backs.Values);
            Socket.Select(readable, null, null, LongestHold);
            foreach (Socket socket in readable) Take(socket, buffer);
            _toServer.ReleaseOld();
            _toClient.ReleaseOld();
        }
    }

    private void Take(Socket socket, byte[] buffer)
    {
        // Until nothing is left: Available would call an empty datagram, by which netdump asks whether anybody listens, nothing.
        for (int burst = 0; burst < 64; burst++)
        {
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            int length;
            try
            {
                length = socket.ReceiveFrom(buffer, ref from);
            }
            catch (SocketException e)
            {
                if (e.SocketErrorCode == SocketError.WouldBlock) return;
                continue; // the answer to a datagram that nobody took
            }

            if (socket == _front) _toServer.Pass(buffer.AsSpan(0, length), BackOf((IPEndPoint)from), _server);
            else _toClient.Pass(buffer.AsSpan(0, length), _front, _backs.First(b => b.Value == socket).Key);
        }
    }

    // A server knows clients by address and port: each has a socket of its own there.
    private Socket BackOf(IPEndPoint client)
    {
        if (!_backs.TryGetValue(client, out Socket? back)) _backs.Add(client, back = Open());
        return back;
    }

    private static Socket Open()
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)
        {
            ReceiveBufferSize = 4 << 20,
            Blocking = false,
        };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private sealed class Direction(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly List<Held> _held = [];
        private long _all;
        private long _lost;
        private long _doubled;
        private long _overtaken;

        public (long All, long Lost, long Doubled, long Overtaken) Counts => (_all, _lost, _doubled, _overtaken);

        public void Pass(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to)
        {
            _all++;
            switch (_random.NextDouble())
            {
                case < Share:
                    _lost++;
                    break;
                case < 2 * Share:
                    _doubled++;
                    Send(datagram, by, to);
                    Send(datagram, by, to);
                    break;
                case < 3 * Share:
                    _overtaken++;
                    _held.Add(new Held(datagram.ToArray(), by, to, _all + _random.Next(1, MostOvertaken + 1), Environment.TickCount64));
                    break;
                default:
                    Send(datagram, by, to);
                    break;
            }

            Release(held => held.Until <= _all);
        }

        public void ReleaseOld()
        {
            long now = Environment.TickCount64;
            Release(held => now - held.At >= LongestHold.TotalMilliseconds);
        }

        private void Release(Predicate<Held> due)
        {
            foreach (Held held in _held)
                if (due(held)) Send(held.Datagram, held.By, held.To);
            _held.RemoveAll(due);
        }

        private static void Send(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to)
        {
            try
            {
                by.SendTo(datagram, to);
            }
            catch (SocketException)
            {
                // A full buffer or a port just closed: one more lost datagram.
            }
        }
    }

    private sealed record Held(byte[] Datagram, Socket By, IPEndPoint To, long Until, long At);
}
