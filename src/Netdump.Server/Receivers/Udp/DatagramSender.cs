namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// Sends datagrams from the listening socket, so that their source port is the listening port (redhat-netdump.md item 2).
/// Used on the engine thread only; datagrams leave together at the end of the batch in which they were given.
/// </summary>
public abstract class DatagramSender
{
    /// <summary>Largest datagram that can be sent, in bytes.</summary>
    public const int MaxLength = 2048;

    /// <summary>Bytes of answers that may wait in the listening socket, as the kernel charges them (SO_RCVBUF).</summary>
    public abstract int AnswerRoom { get; }

    /// <summary>Queues one datagram; its bytes are copied. Longer than <see cref="MaxLength"/> throws.</summary>
    public abstract void Send(in Peer peer, ReadOnlySpan<byte> datagram);
}
