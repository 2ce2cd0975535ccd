namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// What a protocol does with datagrams. The engine makes one for each of its threads and calls it only on that thread;
/// all datagrams of one source address come to the same one, so it needs no locks. It must never block: disk work that
/// can wait, hooks and the like are done elsewhere and their result is brought back with <see cref="Lane.Post"/>.
/// An exception thrown from <see cref="Receive"/> is logged and counted, and the engine goes on.
/// </summary>
public abstract class DatagramHandler
{
    /// <summary>
    /// True while an answer is awaited whose delay costs throughput (an open classic window): the engine then does not nap
    /// after small batches.
    /// </summary>
    public abstract bool IsUrgent { get; }

    /// <summary>
    /// Whether more datagrams probably wait than the last call brought: an answer that seems late may lie among them. Set by the engine
    /// before <see cref="Advance"/>.
    /// </summary>
    public bool IsBehind { get; set; }

    /// <summary>One datagram. The span is valid only during the call. <paramref name="now"/> is monotonic since process start.</summary>
    public abstract void Receive(ReadOnlySpan<byte> datagram, in Peer peer, TimeSpan now);

    /// <summary>
    /// Timers. Called after every batch, after posted actions, and at the time it returned last; returns the next time it
    /// wants to be called (monotonic, <see cref="TimeSpan.MaxValue"/> for never).
    /// </summary>
    public abstract TimeSpan Advance(TimeSpan now);

    /// <summary>The server ends: write out what is held. Called once on the engine thread, after the last datagram.</summary>
    public abstract void Stop();
}
