using System.Collections.Concurrent;

namespace Netdump.Server.Receivers;

/// <summary>
/// What became of each datagram of the dump port: exactly one of these counts it. Counted by all its threads; the two that most datagrams
/// end in by each thread for itself.
/// </summary>
public sealed class DumpPortCounters
{
    private readonly ConcurrentBag<Share> _shares = [];
    private long _rejected;
    private long _junk;
    private long _empty;
    private long _unknownVersion;
    private long _unknownHost;

    /// <summary>Classic replies, and records from a session's port: taken by a crash, or by the receiver of crashes, which drops what fits none.</summary>
    public long Session => _shares.Sum(share => Volatile.Read(ref share.Session));

    /// <summary>Console text in any dialect, given to the console of its host.</summary>
    public long Console => _shares.Sum(share => Volatile.Read(ref share.Console));

    /// <summary>All of them: as many as the engine received, but for those it dropped or failed on itself.</summary>
    public long Total => Session + Console + Rejected + Junk + Empty + UnknownVersion + UnknownHost;

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

    /// <summary>The share of one thread.</summary>
    internal Share AddShare()
    {
        Share share = new();
        _shares.Add(share);
        return share;
    }

    internal void CountRejected() => Interlocked.Increment(ref _rejected);

    internal void CountJunk() => Interlocked.Increment(ref _junk);

    internal void CountEmpty() => Interlocked.Increment(ref _empty);

    internal void CountUnknownVersion() => Interlocked.Increment(ref _unknownVersion);

    internal void CountUnknownHost() => Interlocked.Increment(ref _unknownHost);

    /// <summary>What one thread counts; written by that thread alone, read by any.</summary>
    internal sealed class Share
    {
        public long Session;
        public long Console;
    }
}
