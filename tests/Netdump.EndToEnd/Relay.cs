using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>A path between clients and a server on the loopback, on a thread of its own: what becomes of each datagram its heirs decide.</summary>
public abstract class Relay : IDisposable
{
    private const int BufferBytes = 4 << 20;
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(20);

    private readonly Socket _front = Open();
    private readonly IPEndPoint _server;
    private readonly Dictionary<IPEndPoint, Socket> _backs = [];
    private readonly Thread _thread;
    private volatile bool _stopping;

    protected Relay(int serverPort)
    {
        _server = new IPEndPoint(IPAddress.Loopback, serverPort);
        _thread = new Thread(Run) { IsBackground = true, Name = "relay" };
    }

    /// <summary>Clients send here.</summary>
    public int Port => ((IPEndPoint)_front.LocalEndPoint!).Port;

    public void Dispose()
    {
        _stopping = true;
        _thread.Join();
        _front.Dispose();
        foreach (Socket back in _backs.Values) back.Dispose();
        GC.SuppressFinalize(this);
    }

    protected void Start() => _thread.Start();

    /// <summary>A datagram of a client.</summary>
    protected abstract void PassToServer(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to);

    /// <summary>A datagram of the server.</summary>
    protected abstract void PassToClient(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to);

    /// <summary>Called now and then, every 20 ms at least.</summary>
    protected virtual void Idle()
    {
    }

    protected static void Send(ReadOnlySpan<byte> datagram, Socket by, IPEndPoint to)
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

    private void Run()
    {
        byte[] buffer = new byte[65_536];
        List<Socket> readable = [];
        while (!_stopping)
        {
            readable.Clear();
            readable.Add(_front);
            readable.AddRange(_backs.Values);
            Socket.Select(readable, null, null, LongestWait);
            foreach (Socket socket in readable) Take(socket, buffer);
            Idle();
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

            if (socket == _front) PassToServer(buffer.AsSpan(0, length), BackOf((IPEndPoint)from), _server);
            else PassToClient(buffer.AsSpan(0, length), _front, _backs.First(b => b.Value == socket).Key);
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
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
        try
        {
            socket.SetRawSocketOption(1, 33, BitConverter.GetBytes(BufferBytes)); // SO_RCVBUFFORCE: a window of answers is more than the usual limit
        }
        catch (SocketException)
        {
            socket.ReceiveBufferSize = BufferBytes; // not root
        }

        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }
}
