using System.Net;
using System.Net.Sockets;

namespace Netdump.Server.Receivers.Udp;

/// <summary>Opens the listening sockets: one for each thread, all on one port, steered by source address.</summary>
internal static class UdpSockets
{
    private const int SendBuffer = 1 << 20;

    /// <summary>
    /// Opens <paramref name="count"/> sockets. Port 0 takes any free port, the same for all. <see cref="IPAddress.IPv6Any"/> listens on
    /// IPv4 too. Throws <see cref="StartException"/> when the port is taken, the address is not ours, or it is not permitted.
    /// </summary>
    public static Socket[] Open(IPAddress address, int port, int count, int receiveBuffer)
    {
        if (address.Equals(IPAddress.IPv6Any) && !Socket.OSSupportsIPv6) address = IPAddress.Any;
        Socket[] sockets = new Socket[count];
        try
        {
            for (int i = 0; i < count; i++)
            {
                Socket socket = sockets[i] = new(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                if (socket.AddressFamily == AddressFamily.InterNetworkV6) socket.DualMode = address.Equals(IPAddress.IPv6Any);
                // The first one is bound without the option, so that another server of the same user on this port is found out;
                // those after it share the port with the first.
                if (i > 0) SetOption(socket, SocketCalls.SocketLevel, SocketCalls.ReusePort, 1);
                Bind(socket, address, port);
                SetOption(socket, SocketCalls.SocketLevel, SocketCalls.ReusePort, 1);
                port = ((IPEndPoint)socket.LocalEndPoint!).Port;
                Prepare(socket, address, receiveBuffer);
            }

            if (count > 1) SourceSteering.Attach(sockets[0], count);
            return sockets;
        }
        catch
        {
            foreach (Socket? socket in sockets) socket?.Dispose();
            throw;
        }
    }

    private static void Bind(Socket socket, IPAddress address, int port)
    {
        IPEndPoint endPoint = new(address, port);
        try
        {
            socket.Bind(endPoint);
        }
        catch (SocketException e)
        {
            throw new StartException(e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse =>
                    $"udp port {port} is in use by another program ({endPoint}): stop it or choose another with --port N",
                SocketError.AddressNotAvailable => $"{address} is not an address of this machine: choose another with --listen ADDR",
                SocketError.AccessDenied => $"no permission to listen on udp port {port}: choose one above 1023 with --port N",
                _ => $"cannot listen on {endPoint}: {e.Message}",
            }, e);
        }
    }

    private static void Prepare(Socket socket, IPAddress address, int receiveBuffer)
    {
        if (!TrySetOption(socket, SocketCalls.SocketLevel, SocketCalls.ReceiveBufferForce, receiveBuffer))
            socket.ReceiveBufferSize = receiveBuffer;
        if (!TrySetOption(socket, SocketCalls.SocketLevel, SocketCalls.SendBufferForce, SendBuffer))
            socket.SendBufferSize = SendBuffer;
        // Datagrams of one sender and one length come as one message where the sender or the network card made them so: a page's, many
        // pages', with one walk through the network stack. Kernels before 5.0 do not know it.
        _ = TrySetOption(socket, SocketCalls.UdpLevel, SocketCalls.UdpReceiveOffload, 1);
        // A server with several addresses answers from the one it was asked at.
        if (address.Equals(IPAddress.IPv6Any)) SetOption(socket, SocketCalls.IPv6Level, SocketCalls.IPv6ReceivePacketInfo, 1);
        if (address.Equals(IPAddress.Any)) SetOption(socket, SocketCalls.IPLevel, SocketCalls.IPPacketInfo, 1);
    }

    /// <summary>Warns when the kernel granted less room for bursts than was asked for.</summary>
    public static void ReportBuffer(Socket socket, int wanted, ILogger log)
    {
        // The kernel doubles what is asked for, to cover its own bookkeeping, and reports the doubled value.
        int granted = socket.ReceiveBufferSize / 2;
        if (granted < wanted) Log.SmallReceiveBuffer(log, granted, wanted);
    }

    private static bool TrySetOption(Socket socket, int level, int name, int value)
    {
        try
        {
            SetOption(socket, level, name, value);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static void SetOption(Socket socket, int level, int name, int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BitConverter.TryWriteBytes(bytes, value);
        socket.SetRawSocketOption(level, name, bytes);
    }
}
