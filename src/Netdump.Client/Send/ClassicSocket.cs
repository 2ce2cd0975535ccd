using System.Net;
using System.Net.Sockets;
using Netdump.Protocols.Classic;

namespace Netdump.Client.Send;

/// <summary>The one UDP socket of a classic dump, connected to its server. Lost datagrams are the protocol's business, so sending never fails.</summary>
internal sealed class ClassicSocket : IDisposable
{
    private const int DatagramLength = ClassicReplyHeader.Size + ClassicReplyHeader.ChunkSize;
    private const int MostSegments = 32; // the kernel takes 64, and 64 KiB
    private const int LevelUdp = 17; // SOL_UDP
    private const int UdpSegment = 103; // UDP_SEGMENT
    private const int DefaultPort = 6666;

    private readonly Socket _socket;
    private bool _isSegmenting;

    /// <summary>Makes the socket.</summary>
    /// <param name="server">Datagrams go there, and come from there alone.</param>
    /// <param name="localPort">Port to send from; null: 6666 when it is free, else any.</param>
    /// <param name="segmented">Let the kernel cut the datagrams of a page: half the work. Not when one datagram may be longer than a chunk's.</param>
    /// <exception cref="SocketException">There is no way to the server, or the given port is in use.</exception>
    public ClassicSocket(IPEndPoint server, int? localPort, bool segmented)
    {
        _socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 1000, SendTimeout = 1000 };
        try
        {
            Bind(server.AddressFamily, localPort);
            _socket.Connect(server);
            _isSegmenting = segmented && TrySetSegment(DatagramLength);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>Whether the server's host said that nothing listens there, and nothing came from there since.</summary>
    public bool IsPortClosed { get; private set; }

    /// <summary>Whether a further datagram lies there (an empty one does not count).</summary>
    public bool HasMore => _socket.Available > 0;

    /// <summary>Waits for a datagram.</summary>
    public bool Wait(TimeSpan limit)
    {
        if (_socket.Poll((int)Math.Clamp(Math.Ceiling(limit.TotalMicroseconds), 0, 1_000_000), SelectMode.SelectRead))
            return true;
        // A refusal by the server's host ends the wait at once and does not count as readable: taken here, or each further wait would end so.
        if (_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error) is int and not 0)
            IsPortClosed = true;
        return false;
    }

    /// <summary>Takes a datagram that lies there.</summary>
    /// <returns>False when it was an error of the network instead.</returns>
    public bool TryReceive(Span<byte> buffer, out int length)
    {
        length = _socket.Receive(buffer, SocketFlags.None, out var error);
        if (error == SocketError.ConnectionRefused)
            IsPortClosed = true;
        else if (error == SocketError.Success)
            IsPortClosed = false;
        return error == SocketError.Success;
    }

    /// <summary>Sends one datagram.</summary>
    public void Send(ReadOnlySpan<byte> datagram)
    {
        // A device that cannot compute checksums refuses every datagram of a segmenting socket, a short one too (net/ipv4/udp.c: EIO).
        if (IsRefusalToSegment(SendOnce(datagram)) && StopSegmenting())
            _ = SendOnce(datagram);
    }

    /// <summary>Sends the datagrams of a page, all of one length, that lie one behind the other; in as few calls as the kernel takes.</summary>
    public void SendChunks(ReadOnlySpan<byte> datagrams)
    {
        while (!datagrams.IsEmpty)
        {
            var part = datagrams[..Math.Min(datagrams.Length, _isSegmenting ? MostSegments * DatagramLength : DatagramLength)];
            var error = SendOnce(part);
            if (IsRefusalToSegment(error) && StopSegmenting())
                continue; // an old kernel, or a device that cannot: they are cut here
            datagrams = datagrams[part.Length..];
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    // EIO comes as SocketError, EINVAL as InvalidArgument, EMSGSIZE as MessageSize, ENOPROTOOPT as ProtocolOption.
    private static bool IsRefusalToSegment(SocketError error) =>
        error is SocketError.SocketError or SocketError.InvalidArgument or SocketError.MessageSize or SocketError.ProtocolOption or SocketError.OperationNotSupported;

    private SocketError SendOnce(ReadOnlySpan<byte> bytes)
    {
        _ = _socket.Send(bytes, SocketFlags.None, out var error);
        if (error != SocketError.ConnectionRefused)
            return error;
        // An earlier datagram's fate, told by a call that then sends nothing: once more.
        IsPortClosed = true;
        _ = _socket.Send(bytes, SocketFlags.None, out error);
        return error;
    }

    // False when the socket does not segment (any more): then something else was refused.
    private bool StopSegmenting()
    {
        var wasSegmenting = _isSegmenting;
        _isSegmenting = false;
        if (wasSegmenting)
            _ = TrySetSegment(0);
        return wasSegmenting;
    }

    private void Bind(AddressFamily family, int? port)
    {
        var any = family == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any;
        try
        {
            _socket.Bind(new IPEndPoint(any, port ?? DefaultPort));
        }
        catch (SocketException e) when (port is null && e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            _socket.Bind(new IPEndPoint(any, 0));
        }
    }

    private bool TrySetSegment(int length)
    {
        try
        {
            _socket.SetRawSocketOption(LevelUdp, UdpSegment, BitConverter.GetBytes(length));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
