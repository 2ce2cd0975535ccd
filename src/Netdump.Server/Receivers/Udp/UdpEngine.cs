using System.Net;
using System.Net.Sockets;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// Receives and sends the datagrams of one port on dedicated threads. All datagrams of one source address, whatever their port and
/// protocol, come to the same thread and so to the same handler.
/// </summary>
public sealed class UdpEngine : IDisposable
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);

    private readonly ReceiveThread[] _threads;
    private readonly Socket[] _sockets;
    private readonly int _receiveBuffer;
    private readonly ILogger _log;
    private bool _started;
    private bool _ended;

    /// <summary>
    /// Opens the sockets and makes one handler for each thread; nothing is received before <see cref="Start"/>.
    /// <paramref name="receiveBuffer"/> is in bytes for each thread; <paramref name="nap"/> is the pause after a small batch, zero for none.
    /// Throws <see cref="StartException"/> with one line when the port is taken or the address is not ours.
    /// </summary>
    public UdpEngine(
        IPAddress listen, int port, int threads, int receiveBuffer, TimeSpan nap, Func<Lane, DatagramSender, DatagramHandler> makeHandler, ILogger log)
    {
        _receiveBuffer = receiveBuffer;
        _log = log;
        _sockets = UdpSockets.Open(listen, port, threads, receiveBuffer);
        EndPoint = (IPEndPoint)_sockets[0].LocalEndPoint!;
        _threads = [.. _sockets.Select((socket, i) => new ReceiveThread(socket, i, threads, nap, makeHandler, log))];
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>The threads' counters, in the order of the threads.</summary>
    public IReadOnlyList<LaneCounters> Counters => [.. _threads.Select(t => t.Counters)];

    /// <summary>Begins to receive.</summary>
    public void Start()
    {
        _started = true;
        UdpSockets.ReportBuffer(_sockets[0], _receiveBuffer, _log);
        foreach (ReceiveThread thread in _threads) thread.Start();
    }

    /// <summary>Ends reception: each handler is stopped on its thread, what it queued is sent. False if a thread did not end in time.</summary>
    public bool Stop()
    {
        if (!_started || _ended) return true;
        foreach (ReceiveThread thread in _threads) thread.RequestStop();
        bool all = true;
        foreach (ReceiveThread thread in _threads) all &= thread.Join(StopLimit);
        _ended = all;
        return all;
    }

    /// <summary>Stops and closes the sockets.</summary>
    public void Dispose()
    {
        // Memory a stuck thread still uses is left to the end of the process.
        if (!Stop()) return;
        foreach (ReceiveThread thread in _threads) thread.Dispose();
    }
}
