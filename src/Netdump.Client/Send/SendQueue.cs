using System.Runtime.InteropServices;
using Netdump.Client.Linux;
using Netdump.Protocols.Classic;

namespace Netdump.Client.Send;

/// <summary>
/// Datagrams on their way out of a connected socket, gathered in native memory and sent with few system calls. The kernel cuts the
/// datagrams of a page itself where it can (UDP_SEGMENT: many pages are one message); where it cannot, each is a message of one sendmmsg.
/// What is lost on the way is the protocol's business, so nothing fails.
/// </summary>
internal sealed unsafe class SendQueue : IDisposable
{
    /// <summary>Bytes of the datagrams of a page; all but the kernel's own segmentation works with any other length too.</summary>
    public const int ChunkDatagram = ClassicReplyHeader.Size + ClassicReplyHeader.ChunkSize;

    private const int Capacity = 128 * 1024; // small enough that the server works on one part while the next is made
    private const int MostMessages = 128;
    private const int MostSegments = 60; // the kernel takes 64, and 64 KiB

    private readonly int _socket;
    private readonly byte* _data = (byte*)NativeMemory.Alloc(Capacity);
    private readonly BatchMessage* _messages = (BatchMessage*)NativeMemory.AllocZeroed(MostMessages, (nuint)sizeof(BatchMessage));
    private readonly IoVector* _vectors = (IoVector*)NativeMemory.AllocZeroed(MostMessages, (nuint)sizeof(IoVector));
    private int _used;
    private int _count;
    private bool _isLastOfChunks;

    /// <summary>A queue for a socket, which must outlive it.</summary>
    /// <param name="socket">A connected UDP socket.</param>
    /// <param name="segments">Whether UDP_SEGMENT is set on it, to <see cref="ChunkDatagram"/>.</param>
    public SendQueue(int socket, bool segments)
    {
        _socket = socket;
        Segments = segments;
        for (var i = 0; i < MostMessages; i++)
            _messages[i].Header = new Message { Vectors = _vectors + i, VectorCount = 1 };
    }

    /// <summary>Whether the kernel cuts the datagrams of a page. It is asked no more once it refused.</summary>
    public bool Segments { get; private set; }

    /// <summary>Called when the kernel refused to cut: the socket must not ask for it any more, or no datagram passes at all.</summary>
    public Action? Refused { get; init; }

    /// <summary>Called when an earlier datagram was answered by the server's host that nothing listens there.</summary>
    public Action? PortClosed { get; init; }

    /// <summary>Messages handed to the kernel so far.</summary>
    public long Messages { get; private set; }

    /// <summary>Room for what is to be sent next; sends what waits when there is too little.</summary>
    public Span<byte> Room(int length)
    {
        if (_used + length > Capacity || _count + 1 + (length / ChunkDatagram) > MostMessages)
            Flush();
        return new Span<byte>(_data + _used, Capacity - _used);
    }

    /// <summary>Queues one datagram, the first bytes of the last <see cref="Room"/>.</summary>
    public void AddOne(int length)
    {
        if (length == 0)
            return;
        Add(length);
        _isLastOfChunks = false;
    }

    /// <summary>Queues datagrams of <see cref="ChunkDatagram"/> bytes each that lie one behind the other in the last <see cref="Room"/>.</summary>
    public void AddChunks(int length)
    {
        for (; length >= ChunkDatagram; length -= ChunkDatagram)
        {
            if (Segments && _isLastOfChunks && _vectors[_count - 1].Length < MostSegments * ChunkDatagram)
            {
                _vectors[_count - 1].Length += ChunkDatagram;
                _used += ChunkDatagram;
                continue;
            }

            Add(ChunkDatagram);
            _isLastOfChunks = true;
        }
    }

    /// <summary>Sends what waits.</summary>
    public void Flush()
    {
        var next = 0;
        var retries = 0;
        while (next < _count)
        {
            var sent = DatagramCalls.SendMany(_socket, _messages + next, (uint)(_count - next), 0);
            if (sent > 0)
            {
                Messages += sent;
                next += sent;
                retries = 0;
                continue;
            }

            var error = Marshal.GetLastPInvokeError();
            if (error == Errno.Interrupted)
                continue;
            if (error == Errno.ConnectionRefused && retries++ == 0)
            {
                PortClosed?.Invoke(); // an earlier datagram's fate, told by a call that then sends nothing: once more
                continue;
            }

            if (Segments && IsRefusalToSegment(error))
            {
                Segments = false;
                Refused?.Invoke();
                SendEach(next);
                break;
            }

            next++; // lost, like any other
            retries = 0;
        }

        _used = _count = 0;
        _isLastOfChunks = false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_data);
        NativeMemory.Free(_messages);
        NativeMemory.Free(_vectors);
    }

    /// <summary>
    /// Whether the kernel says by this error that it will not cut (net/ipv4/udp.c, udp_send_skb): EIO of a device that cannot compute
    /// checksums, EINVAL of kernels before 6.8 and EMSGSIZE after when a datagram does not fit the path's MTU, and what options are refused with.
    /// </summary>
    internal static bool IsRefusalToSegment(int error) => error is
        Errno.InputOutput or Errno.Invalid or Errno.MessageTooLong or Errno.NoProtocolOption or Errno.OperationNotSupported;

    private void Add(int length)
    {
        _vectors[_count++] = new IoVector { Base = _data + _used, Length = (nuint)length };
        _used += length;
    }

    /// <summary>Sends the queued messages from <paramref name="next"/> on again, each datagram a message of its own.</summary>
    private void SendEach(int next)
    {
        Span<IoVector> waiting = stackalloc IoVector[_count - next];
        new Span<IoVector>(_vectors + next, waiting.Length).CopyTo(waiting);
        _count = 0;
        foreach (var vector in waiting)
        {
            // What was to be cut holds the datagrams of pages alone; anything else is one datagram, and no longer than those.
            for (var at = 0; at < (int)vector.Length; at += ChunkDatagram)
            {
                if (_count == MostMessages)
                    Flush();
                _vectors[_count++] = new IoVector { Base = (byte*)vector.Base + at, Length = (nuint)Math.Min((int)vector.Length - at, ChunkDatagram) };
            }
        }

        Flush();
    }
}
