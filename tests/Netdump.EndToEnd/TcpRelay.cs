using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>
/// A path of TCP between a client and a server on the loopback that does things when so many bytes of the client have passed, and counts what passes:
/// in all, and what had passed since the server's last answer whenever a connection ended.
/// </summary>
public sealed class TcpRelay : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Lock _lock = new();
    private readonly Queue<(long At, Action? Act)> _plan = new();
    private readonly HashSet<Socket> _open = [];
    private long _passed;
    private long _unanswered;
    private int _connections;
    private int _cuts;

    public TcpRelay(int serverPort)
    {
        ServerPort = serverPort;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(16);
        new Thread(Accept) { IsBackground = true, Name = "tcp relay" }.Start();
    }

    /// <summary>Clients connect here.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>Where new connections lead.</summary>
    public int ServerPort { get; set; }

    /// <summary>Bytes of the client that were passed on, those of TLS itself included.</summary>
    public long Passed => Interlocked.Read(ref _passed);

    /// <summary>Of those, bytes behind the last answer of a connection when it ended: what the client cannot know to have arrived.</summary>
    public long Unanswered => Interlocked.Read(ref _unanswered);

    public int Connections => _connections;

    /// <summary>Connections that were cut by the plan.</summary>
    public int Cuts => _cuts;

    public bool IsPlanDone
    {
        get
        {
            lock (_lock) return _plan.Count == 0;
        }
    }

    /// <summary>Why an action failed; null when none did.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>What is to happen, in order: by each number of bytes passed, an action on the relay's thread, then the connection is cut.</summary>
    public void Plan(IEnumerable<(long At, Action? Act)> steps)
    {
        lock (_lock)
            foreach ((long At, Action? Act) step in steps) _plan.Enqueue(step);
    }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_lock)
            foreach (Socket socket in _open) socket.Dispose();
    }

    private void Accept()
    {
        try
        {
            while (true) new Thread(Connect) { IsBackground = true, Name = "tcp relay" }.Start(_listener.Accept());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }

    private void Connect(object? accepted)
    {
        Socket client = (Socket)accepted!;
        Socket server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        lock (_lock)
        {
            _open.Add(client);
            _open.Add(server);
        }
        long since = 0; // bytes behind the last answer
        Thread? answers = null;
        try
        {
            server.Connect(IPAddress.Loopback, ServerPort);
            Interlocked.Increment(ref _connections);
            // An answer counts before it goes on: behind it the client may send a whole block before this thread runs again.
            answers = new Thread(() => Pump(server, client, _ => Interlocked.Exchange(ref since, 0), null)) { IsBackground = true, Name = "tcp relay" };
            answers.Start();
            Pump(client, server, count =>
            {
                Interlocked.Add(ref _passed, count);
                Interlocked.Add(ref since, count);
            }, () => Step(client, server));
        }
        catch (SocketException)
        {
            // Nothing listens there: the client sees the connection break.
        }
        client.Dispose();
        server.Dispose();
        answers?.Join();
        Interlocked.Add(ref _unanswered, since);
        lock (_lock)
        {
            _open.Remove(client);
            _open.Remove(server);
        }
    }

    private void Step(Socket client, Socket server)
    {
        Action? act;
        lock (_lock)
        {
            if (!_plan.TryPeek(out (long At, Action? Act) step) || Passed < step.At) return;
            act = step.Act;
            _plan.Dequeue();
        }
        try
        {
            act?.Invoke();
        }
        catch (Exception e)
        {
            Failure = e; // the test sees it; its process must not end
        }
        Interlocked.Increment(ref _cuts);
        client.LingerState = server.LingerState = new LingerOption(true, 0); // resets: whatever is on its way is lost
        client.Dispose();
        server.Dispose();
    }

    private static void Pump(Socket from, Socket to, Action<int> received, Action? passed)
    {
        byte[] buffer = new byte[16 << 10];
        try
        {
            for (int count; (count = from.Receive(buffer)) > 0;)
            {
                received(count);
                for (int sent = 0; sent < count;) sent += to.Send(buffer.AsSpan(sent, count - sent));
                passed?.Invoke();
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // One side is gone: so is the other.
            to.Dispose();
        }
    }
}
