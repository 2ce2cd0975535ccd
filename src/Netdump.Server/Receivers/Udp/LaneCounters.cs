namespace Netdump.Server.Receivers.Udp;

/// <summary>What one engine thread has counted. Written by that thread alone, read by any.</summary>
public sealed class LaneCounters
{
    /// <summary>Datagrams received.</summary>
    public long Datagrams;

    /// <summary>Payload bytes received.</summary>
    public long Bytes;

    /// <summary>Receive calls that brought something.</summary>
    public long Batches;

    /// <summary>Times it waited a moment after a small batch, for datagrams to gather.</summary>
    public long Naps;

    /// <summary>Datagrams the kernel dropped because the socket's buffer was full.</summary>
    public long Dropped;

    /// <summary>Datagrams longer than UDP allows, dropped.</summary>
    public long Truncated;

    /// <summary>Datagrams the handler failed on.</summary>
    public long Failed;

    /// <summary>Datagrams sent.</summary>
    public long Sent;

    /// <summary>Datagrams that could not be sent.</summary>
    public long SendErrors;

    /// <summary>The sum of several threads' counters.</summary>
    public static LaneCounters Sum(IEnumerable<LaneCounters> counters)
    {
        LaneCounters sum = new();
        foreach (LaneCounters one in counters)
        {
            sum.Datagrams += Volatile.Read(ref one.Datagrams);
            sum.Bytes += Volatile.Read(ref one.Bytes);
            sum.Batches += Volatile.Read(ref one.Batches);
            sum.Naps += Volatile.Read(ref one.Naps);
            sum.Dropped += Volatile.Read(ref one.Dropped);
            sum.Truncated += Volatile.Read(ref one.Truncated);
            sum.Failed += Volatile.Read(ref one.Failed);
            sum.Sent += Volatile.Read(ref one.Sent);
            sum.SendErrors += Volatile.Read(ref one.SendErrors);
        }

        return sum;
    }
}
