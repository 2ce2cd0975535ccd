using System.Net;
using System.Net.Sockets;
using System.Text;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture.Dhcp;

/// <summary>Renews a lease on an interface that has no address yet, through UDP broadcasts.</summary>
internal static class LeaseClient
{
    /// <summary>Renews; takes at most <see cref="LeaseRenewal.Limit"/>.</summary>
    /// <param name="link">The interface, with a carrier.</param>
    /// <param name="address">The leased address.</param>
    /// <param name="clientId">The name by which it was asked for, or empty.</param>
    /// <exception cref="SocketException">The kernel refused.</exception>
    public static LeaseRenewal Renew(Link link, IPAddress address, ReadOnlyMemory<byte> clientId)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { EnableBroadcast = true };
        BindToDevice(socket, link.Name);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Any, DhcpMessage.ClientPort));
        // Not by RandomNumberGenerator, which would start OpenSSL for four bytes.
        uint transaction = BitConverter.ToUInt32(Guid.NewGuid().ToByteArray());
        LeaseRenewal renewal = new(address, link.Mac ?? default, clientId, transaction, Uptime.Now);
        byte[] buffer = new byte[2048];
        while (renewal.End == RenewalEnd.Open)
        {
            if (renewal.TryTakeMessage(Uptime.Now, out DhcpMessage message))
                socket.SendTo(buffer.AsSpan(0, message.Write(buffer)), new IPEndPoint(IPAddress.Broadcast, DhcpMessage.ServerPort));
            TimeSpan left = renewal.NextDeadline - Uptime.Now;
            if (left <= TimeSpan.Zero || !socket.Poll(left, SelectMode.SelectRead)) continue;
            int length = socket.Receive(buffer, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success) renewal.Received(buffer.AsSpan(0, length), Uptime.Now);
        }
        return renewal;
    }

    private static void BindToDevice(Socket socket, string name)
    {
        const int SocketLevel = 1, BindToDeviceOption = 25; // SOL_SOCKET, SO_BINDTODEVICE
        socket.SetRawSocketOption(SocketLevel, BindToDeviceOption, Encoding.UTF8.GetBytes(name + "\0"));
    }
}
