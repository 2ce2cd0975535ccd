namespace Netdump.Server.Receivers;

/// <summary>What the dump port refused, and why. Counted by all its threads.</summary>
public sealed class DumpPortCounters
{
    private long _rejected;
    private long _junk;
    private long _empty;
    private long _unknownVersion;
    private long _unknownHost;

    /// <summary>Datagrams from outside the allowed networks.</summary>
    public long Rejected => Interlocked.Read(ref _rejected);

    /// <summary>Datagrams of no dialect known here.</summary>
    public long Junk => Interlocked.Read(ref _junk);

    /// <summary>Datagrams without a byte.</summary>
    public long Empty => Interlocked.Read(ref _empty);

    /// <summary>Classic replies with a version byte nobody is known to send.</summary>
    public long UnknownVersion => Interlocked.Read(ref _unknownVersion);

    /// <summary>Classic datagrams of hosts without a magic file while the policy demands one.</summary>
    public long UnknownHost => Interlocked.Read(ref _unknownHost);

    internal void CountRejected() => Interlocked.Increment(ref _rejected);

    internal void CountJunk() => Interlocked.Increment(ref _junk);

    internal void CountEmpty() => Interlocked.Increment(ref _empty);

    internal void CountUnknownVersion() => Interlocked.Increment(ref _unknownVersion);

    internal void CountUnknownHost() => Interlocked.Increment(ref _unknownHost);
}
