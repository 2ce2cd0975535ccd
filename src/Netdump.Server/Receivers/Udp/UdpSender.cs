using System.Runtime.InteropServices;

namespace Netdump.Server.Receivers.Udp;

/// <summary>The engine's sender: collects datagrams in native memory and sends them with one call.</summary>
internal sealed unsafe class UdpSender : DatagramSender, IDisposable
{
    private const int Count = 64;

    private readonly int _socket;
    private readonly bool _isIPv6;
    private readonly LaneCounters _counters;
    private readonly BatchMessage* _messages;
    private readonly IoVector* _vectors;
    private readonly byte* _names;
    private readonly byte* _controls;
    private readonly byte* _data;
    private int _queued;

    /// <summary>A sender on an open socket, which must outlive it.</summary>
    public UdpSender(int socket, bool isIPv6, int answerRoom, LaneCounters counters)
    {
        AnswerRoom = answerRoom;
        _socket = socket;
        _isIPv6 = isIPv6;
        _counters = counters;
        _messages = (BatchMessage*)NativeMemory.AllocZeroed(Count, (nuint)sizeof(BatchMessage));
        _vectors = (IoVector*)NativeMemory.AllocZeroed(Count, (nuint)sizeof(IoVector));
        _names = (byte*)NativeMemory.AllocZeroed(Count, SocketAddress.MaxLength);
        _controls = (byte*)NativeMemory.AlignedAlloc(Count * PacketInfo.SendSpace, 16);
        _data = (byte*)NativeMemory.Alloc(Count, MaxLength);
        for (int i = 0; i < Count; i++)
        {
            _vectors[i].Base = _data + (i * MaxLength);
            _messages[i].Header = new Message
            {
                Name = _names + (i * SocketAddress.MaxLength),
                Vectors = _vectors + i,
                VectorCount = 1,
            };
        }
    }

    /// <inheritdoc/>
    public override int AnswerRoom { get; }

    /// <inheritdoc/>
    public override void Send(in Peer peer, ReadOnlySpan<byte> datagram)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(datagram.Length, MaxLength);
        if (!_isIPv6 && !peer.Key.IsIPv4)
        {
            _counters.SendErrors++;
            return;
        }

        if (_queued == Count) Flush();
        int slot = _queued++;
        datagram.CopyTo(new Span<byte>(_vectors[slot].Base, MaxLength));
        _vectors[slot].Length = (nuint)datagram.Length;
        ref Message header = ref _messages[slot].Header;
        header.NameLength = SocketAddress.Write((byte*)header.Name, peer.Key, peer.Port, _isIPv6);
        if (PacketInfo.CanSendFrom(peer.Local))
        {
            header.Control = _controls + (slot * PacketInfo.SendSpace);
            header.ControlLength = PacketInfo.Write((byte*)header.Control, peer, _isIPv6);
        }
        else
        {
            header.Control = null;
            header.ControlLength = 0;
        }
    }

    /// <summary>Sends what is queued. A datagram that cannot be sent is counted and left out: protocols repeat theirs.</summary>
    public void Flush()
    {
        int next = 0;
        while (next < _queued)
        {
            int sent = SocketCalls.SendMany(_socket, _messages + next, (uint)(_queued - next), 0);
            if (sent > 0)
            {
                next += sent;
                _counters.Sent += sent;
                continue;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error == SocketCalls.InterruptedError) continue;
            ref Message failed = ref _messages[next].Header;
            if (failed.ControlLength > 0)
            {
                // The address it came to may be gone or be a broadcast one: let the kernel choose.
                failed.Control = null;
                failed.ControlLength = 0;
                continue;
            }

            _counters.SendErrors++;
            next++;
        }

        _queued = 0;
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_messages);
        NativeMemory.Free(_vectors);
        NativeMemory.Free(_names);
        NativeMemory.AlignedFree(_controls);
        NativeMemory.Free(_data);
    }
}
