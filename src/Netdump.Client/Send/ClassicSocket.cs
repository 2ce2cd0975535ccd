using System.Net;
using System.Net.Sockets;
using Netdump.Client.Linux;

namespace Netdump.Client.Send;

/// <summary>
/// The one UDP socket of a classic dump, connected to its server. Requests are taken, and replies sent, many with one system call.
/// Lost datagrams are the protocol's business, so sending never fails.
/// </summary>
internal sealed class ClassicSocket : IDisposable
{
    private const int DefaultPort = 6666;
    private const int ReceiveBuffer = 1 << 20; // a window of requests, each charged with a buffer of the kernel's own size

    private readonly Socket _socket;
    private readonly ReceiveBatch _received = new();
    private readonly SendQueue _queue;

    /// <summary>Makes the socket.</summary>
    /// <param name="server">Datagrams go there, and come from there alone.</param>
    /// <param name="localPort">Port to send from; null: 6666 when it is free, else any.</param>
    /// <param name="localAddress">Address of this machine to send from; null: the one that the route to the server has.</param>
    /// <param name="segmented">Let the kernel cut the datagrams of a page: half the work. Not when one datagram may be longer than a chunk's.</param>
    /// <exception cref="SocketException">There is no way to the server, the given port is in use, or the given address is not this machine's.</exception>
    public ClassicSocket(IPEndPoint server, int? localPort, IPAddress? localAddress, bool segmented)
    {
        _socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { SendTimeout = 1000 };
        try
        {
            Bind(localAddress ?? (server.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any), localPort);
            _socket.Connect(server);
            if (!TrySet(DatagramCalls.LevelSocket, DatagramCalls.ReceiveBufferForce, ReceiveBuffer))
                _socket.ReceiveBufferSize = ReceiveBuffer;
            _queue = new SendQueue((int)_socket.SafeHandle.DangerousGetHandle(), segmented && TrySetSegment(SendQueue.ChunkDatagram))
            {
                Refused = () => TrySetSegment(0),
                PortClosed = () => IsPortClosed = true,
            };
        }
        catch
        {
            _socket.Dispose();
            _received.Dispose();
            throw;
        }
    }

    /// <summary>Whether the server's host said that nothing listens there, and nothing came from there since.</summary>
    public bool IsPortClosed { get; private set; }

    /// <summary>Whether the kernel cuts the datagrams of a page.</summary>
    public bool IsSegmenting => _queue.Segments;

    /// <summary>Messages handed to the kernel so far: many datagrams each where it cuts, one each where it does not.</summary>
    public long MessagesSent => _queue.Messages;

    /// <summary>Sends what was queued, then waits for a datagram.</summary>
    public bool Wait(TimeSpan limit)
    {
        _queue.Flush();
        if (_socket.Poll((int)Math.Clamp(Math.Ceiling(limit.TotalMicroseconds), 0, 1_000_000), SelectMode.SelectRead))
            return true;
        // A refusal by the server's host ends the wait at once and does not count as readable: taken here, or each further wait would end so.
        if (_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error) is int and not 0)
            IsPortClosed = true;
        return false;
    }

    /// <summary>Takes the datagrams that lie there.</summary>
    /// <returns>How many; 0 also when it was an error of the network instead.</returns>
    public int Receive()
    {
        var count = _received.Take((int)_socket.SafeHandle.DangerousGetHandle(), out var error);
        if (error == Errno.ConnectionRefused)
            IsPortClosed = true;
        else if (count > 0)
            IsPortClosed = false;
        return count;
    }

    /// <summary>A datagram of the last <see cref="Receive"/>, its first 128 bytes at most; valid until the next.</summary>
    public ReadOnlySpan<byte> Received(int index) => _received[index];

    /// <summary>Room to write what is to be sent next.</summary>
    /// <param name="length">Bytes needed: 64 KiB at most, headers not counted.</param>
    public Span<byte> Room(int length) => _queue.Room(length);

    /// <summary>Queues one datagram, the first bytes of the last <see cref="Room"/>; none when the length is 0.</summary>
    public void SendOne(int length) => _queue.AddOne(length);

    /// <summary>Queues the datagrams of a page, all of a chunk's length, that lie one behind the other in the last <see cref="Room"/>.</summary>
    public void SendChunks(int length) => _queue.AddChunks(length);

    /// <summary>Sends what was queued.</summary>
    public void Flush() => _queue.Flush();

    /// <summary>Sends what was queued, and closes the socket.</summary>
    public void Dispose()
    {
        _queue.Flush();
        _socket.Dispose();
        _queue.Dispose();
        _received.Dispose();
    }

    private void Bind(IPAddress address, int? port)
    {
        try
        {
            _socket.Bind(new IPEndPoint(address, port ?? DefaultPort));
        }
        catch (SocketException e) when (port is null && e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            _socket.Bind(new IPEndPoint(address, 0));
        }
    }

    private bool TrySetSegment(int length) => TrySet(DatagramCalls.LevelUdp, DatagramCalls.Segment, length);

    private bool TrySet(int level, int name, int value)
    {
        try
        {
            _socket.SetRawSocketOption(level, name, BitConverter.GetBytes(value));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
