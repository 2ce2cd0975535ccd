using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>
/// A switch between a guest's two cards and the network that QEMU makes for it (10.0.2.2 is this machine's loopback; it has a DHCP server). Frames
/// of the cards carry a VLAN's tag, those of the network none; what comes without the tag, or with another, goes nowhere. It speaks LACP where the
/// cards do.
/// </summary>
public sealed class VlanSwitch : IDisposable
{
    private const int Network = 2; // the sockets: two cards, then the network
    private const int TagAt = 12, TagSize = 4, LacpSize = 124;

    private readonly Socket[] _sockets = new Socket[Network + 1];
    private readonly int[] _qemu = new int[Network + 1];
    private readonly int? _vlan;
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, int> _seenAt = [];
    private readonly Thread[] _threads;
    private volatile bool _hidesDhcp;
    private long _agreed, _dhcpLost;

    /// <param name="vlan">The VLAN of the cards' ports; null: they are in none.</param>
    public VlanSwitch(int? vlan)
    {
        _vlan = vlan;
        for (int i = 0; i < _sockets.Length; i++)
        {
            // Frames are lost as on any switch when the receiver is slow; not on the way to it.
            _sockets[i] = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 };
            _sockets[i].Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _qemu[i] = DumpServer.FreePort();
        }
        _threads = [.. Enumerable.Range(0, _sockets.Length).Select(i => new Thread(() => Pass(i)) { IsBackground = true })];
        foreach (Thread thread in _threads) thread.Start();
    }

    /// <summary>QEMU's arguments: two cards of one kind, and the network, plugged into this switch. Linux speaks LACP on full duplex links alone.</summary>
    public string Arguments => string.Join(' ',
        $"-netdev {Cable(0, "card0")} -device virtio-net-pci,netdev=card0,mac=52:54:00:12:34:56,speed=1000,duplex=full",
        $"-netdev {Cable(1, "card1")} -device virtio-net-pci,netdev=card1,mac=52:54:00:12:34:57,speed=1000,duplex=full",
        $"-netdev user,id=net0 -netdev hubport,id=hub0,hubid=9,netdev=net0 -netdev {Cable(Network, "uplink")} -netdev hubport,id=hub1,hubid=9,netdev=uplink");

    /// <summary>From now on no DHCP message passes.</summary>
    public void HideDhcp() => _hidesDhcp = true;

    /// <summary>Messages of LACP that were answered.</summary>
    public long Agreed => Interlocked.Read(ref _agreed);

    /// <summary>DHCP messages that were dropped.</summary>
    public long DhcpLost => Interlocked.Read(ref _dhcpLost);

    public void Dispose()
    {
        foreach (Socket socket in _sockets) socket.Dispose();
        foreach (Thread thread in _threads) thread.Join();
    }

    private string Cable(int port, string id) =>
        $"dgram,id={id},local.type=inet,local.host=127.0.0.1,local.port={_qemu[port]},remote.type=inet,remote.host=127.0.0.1,remote.port={((IPEndPoint)_sockets[port].LocalEndPoint!).Port}";

    private void Pass(int from)
    {
        byte[] frame = new byte[65536];
        while (true)
        {
            int length;
            try
            {
                length = _sockets[from].Receive(frame, TagSize, frame.Length - TagSize, SocketFlags.None);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
            {
                continue; // QEMU is not there yet
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
            if (length >= 14) Pass(from, frame, length);
        }
    }

    /// <summary>Passes a frame on; it stands behind room for a tag.</summary>
    private void Pass(int from, byte[] buffer, int length)
    {
        int start = TagSize;
        if (from != Network && length >= LacpSize && Number(buffer, start + TagAt) == 0x8809 && buffer[start + 14] == 1)
        {
            Agree(from, buffer.AsSpan(start, LacpSize));
            return;
        }
        if (_vlan is { } vlan && from != Network)
        {
            bool isTagged = length >= 18 && Number(buffer, start + TagAt) == 0x8100 && (Number(buffer, start + TagAt + 2) & 0xfff) == vlan;
            if (!isTagged) return;
            buffer.AsSpan(start, TagAt).CopyTo(buffer.AsSpan(start + TagSize));
            (start, length) = (start + TagSize, length - TagSize);
        }
        if (_hidesDhcp && IsDhcp(buffer.AsSpan(start, length)))
        {
            Interlocked.Increment(ref _dhcpLost);
            return;
        }
        ulong to = Address(buffer, start), source = Address(buffer, start + 6);
        int? port;
        lock (_lock)
        {
            _seenAt[source] = from;
            port = _seenAt.TryGetValue(to, out int seen) ? seen : null;
        }
        if (port is null or < Network && from == Network && _vlan is not null)
        {
            // To the cards with the tag.
            buffer.AsSpan(start, TagAt).CopyTo(buffer.AsSpan(start - TagSize));
            (start, length) = (start - TagSize, length + TagSize);
            (buffer[start + TagAt], buffer[start + TagAt + 1]) = (0x81, 0x00);
            (buffer[start + TagAt + 2], buffer[start + TagAt + 3]) = ((byte)(_vlan.Value >> 8), (byte)_vlan.Value);
        }
        if (from != Network) Send(Network, buffer, start, length);
        else if (port is { } one) Send(one, buffer, start, length);
        else for (int card = 0; card < Network; card++) Send(card, buffer, start, length);
    }

    /// <summary>Answers as a switch does that wants what the card wants (IEEE 802.1AX, 6.4.2.3): actor and partner change places.</summary>
    private void Agree(int port, ReadOnlySpan<byte> message)
    {
        const int ActorAt = 16, PartnerAt = 36, Size = 20;
        byte[] answer = message.ToArray();
        message.Slice(ActorAt + 2, Size - 2).CopyTo(answer.AsSpan(PartnerAt + 2));
        // System priority 1, system 02:..:01, key 1, port priority 1, port, active | short timeout | aggregable | in sync | collecting | distributing.
        byte[] own = [0, 1, 2, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, (byte)(port + 1), 0x3f, 0, 0, 0];
        own.CopyTo(answer, ActorAt + 2);
        ((byte[])[2, 0, 0, 0, 0, (byte)(0x10 + port)]).CopyTo(answer, 6);
        Interlocked.Increment(ref _agreed);
        Send(port, answer, 0, answer.Length);
    }

    private void Send(int port, byte[] buffer, int start, int length)
    {
        try
        {
            _sockets[port].SendTo(buffer, start, length, SocketFlags.None, new IPEndPoint(IPAddress.Loopback, _qemu[port]));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // QEMU is not there any more
        }
    }

    /// <summary>IPv4, UDP, port 67 or 68.</summary>
    private static bool IsDhcp(ReadOnlySpan<byte> frame) =>
        frame.Length >= 42 && frame[12] == 8 && frame[13] == 0 && frame[23] == 17 && frame[36] == 0 && frame[37] is 67 or 68;

    private static int Number(byte[] bytes, int at) => (bytes[at] << 8) | bytes[at + 1];

    private static ulong Address(byte[] bytes, int at)
    {
        ulong value = 0;
        for (int i = 0; i < 6; i++) value = (value << 8) | bytes[at + i];
        return value;
    }
}
