using System.Runtime.InteropServices;
using Netdump.Client.Linux;

namespace Netdump.Client.Send;

/// <summary>Datagrams that lie in a socket, taken with one system call into native memory.</summary>
internal sealed unsafe class ReceiveBatch : IDisposable
{
    /// <summary>Datagrams taken at once.</summary>
    public const int Count = 64;

    private const int SlotBytes = 128; // requests have 24; what is longer is cut

    private readonly byte* _data = (byte*)NativeMemory.Alloc(Count * SlotBytes);
    private readonly BatchMessage* _messages = (BatchMessage*)NativeMemory.AllocZeroed(Count, (nuint)sizeof(BatchMessage));
    private readonly IoVector* _vectors = (IoVector*)NativeMemory.AllocZeroed(Count, (nuint)sizeof(IoVector));

    public ReceiveBatch()
    {
        for (var i = 0; i < Count; i++)
        {
            _vectors[i] = new IoVector { Base = _data + (i * SlotBytes), Length = SlotBytes };
            _messages[i].Header = new Message { Vectors = _vectors + i, VectorCount = 1 };
        }
    }

    /// <summary>A datagram of the last <see cref="Take"/>, valid until the next.</summary>
    public ReadOnlySpan<byte> this[int index] => new(_vectors[index].Base, (int)_messages[index].Length);

    /// <summary>Takes what lies there, without waiting.</summary>
    /// <param name="socket">A connected UDP socket.</param>
    /// <param name="error">The error number when nothing came, else 0.</param>
    /// <returns>How many datagrams.</returns>
    public int Take(int socket, out int error)
    {
        int count;
        do
        {
            count = DatagramCalls.ReceiveMany(socket, _messages, Count, DatagramCalls.DontWait, null);
            error = count < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (error == Errno.Interrupted);
        return Math.Max(count, 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_data);
        NativeMemory.Free(_messages);
        NativeMemory.Free(_vectors);
    }
}
