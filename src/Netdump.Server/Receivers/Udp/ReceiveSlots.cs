using System.Runtime.InteropServices;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// Native memory for one batch of messages: datagrams, or several of one sender and one length that the kernel kept together. A slot takes
/// the largest, so nothing is ever cut; memory behind what really comes is never touched and costs nothing.
/// </summary>
internal sealed unsafe class ReceiveSlots : IDisposable
{
    /// <summary>Messages in one batch.</summary>
    public const int Count = 64;

    private const int Capacity = 65_536;

    // Not a power of two: slots that lie 64 KiB apart would all fall into the same few sets of the cache.
    private const int Stride = Capacity + (18 * 64);

    private readonly BatchMessage* _messages;
    private readonly IoVector* _vectors;
    private readonly byte* _names;
    private readonly byte* _controls;
    private readonly byte* _data;
    private int _filled = Count;

    /// <summary>Allocates the slots.</summary>
    public ReceiveSlots()
    {
        _messages = (BatchMessage*)NativeMemory.AllocZeroed(Count, (nuint)sizeof(BatchMessage));
        _vectors = (IoVector*)NativeMemory.AllocZeroed(Count, (nuint)sizeof(IoVector));
        _names = (byte*)NativeMemory.AllocZeroed(Count, SocketAddress.MaxLength);
        _controls = (byte*)NativeMemory.AlignedAlloc(Count * PacketInfo.ReceiveSpace, 16);
        _data = (byte*)NativeMemory.Alloc(Count, Stride);
        for (int i = 0; i < Count; i++)
        {
            _vectors[i] = new IoVector { Base = _data + ((nint)i * Stride), Length = Capacity };
            _messages[i].Header = new Message
            {
                Name = _names + (i * SocketAddress.MaxLength),
                Vectors = _vectors + i,
                VectorCount = 1,
                Control = _controls + (i * PacketInfo.ReceiveSpace),
            };
        }
    }

    /// <summary>
    /// Takes what waits in the socket: how many messages, or minus the error number. With <paramref name="wait"/> the first of them is waited for,
    /// as long as the socket's time limit (SO_RCVTIMEO) allows.
    /// </summary>
    public int Receive(int socket, bool wait)
    {
        // The kernel writes only into the slots that it fills.
        for (int i = 0; i < _filled; i++)
        {
            ref Message header = ref _messages[i].Header;
            header.NameLength = SocketAddress.MaxLength;
            header.ControlLength = PacketInfo.ReceiveSpace;
            header.Flags = 0;
        }

        int count;
        int error;
        do
        {
            count = SocketCalls.ReceiveMany(socket, _messages, Count, wait ? SocketCalls.WaitForOne : SocketCalls.DontWait, null);
            error = count < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (error == SocketCalls.InterruptedError);
        _filled = Math.Max(count, 0);
        return count >= 0 ? count : -error;
    }

    /// <summary>The bytes of a received message.</summary>
    public ReadOnlySpan<byte> Message(int slot) => new(_vectors[slot].Base, (int)Math.Min(_messages[slot].Length, Capacity));

    /// <summary>Whether the kernel had to cut the message.</summary>
    public bool IsTruncated(int slot) => (_messages[slot].Header.Flags & SocketCalls.Truncated) != 0;

    /// <summary>
    /// Who sent it; false for a sender without an IP address. <paramref name="segment"/> is the length of each of its datagrams but the
    /// last, which may be shorter; 0 for a message that is one datagram.
    /// </summary>
    public bool TryGetPeer(int slot, out Peer peer, out int segment)
    {
        ref Message header = ref _messages[slot].Header;
        AddressKey local = default;
        segment = 0;
        PacketInfo.Read((byte*)header.Control, header.ControlLength, ref local, ref segment);
        bool known = SocketAddress.TryRead((byte*)header.Name, header.NameLength, out AddressKey key, out ushort port);
        peer = new Peer(key, port, local);
        return known;
    }

    /// <summary>Frees the memory; no span into it may be used after.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_messages);
        NativeMemory.Free(_vectors);
        NativeMemory.Free(_names);
        NativeMemory.AlignedFree(_controls);
        NativeMemory.Free(_data);
    }
}
