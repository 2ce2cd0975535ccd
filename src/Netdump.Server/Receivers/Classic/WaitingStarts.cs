using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Receivers.Classic;

/// <summary>What becomes of a START for which there is no place.</summary>
internal enum WaitingVerdict
{
    /// <summary>It waits since now.</summary>
    First,

    /// <summary>It waits on.</summary>
    Waits,

    /// <summary>It has waited as long as anybody has to.</summary>
    WaitedEnough,

    /// <summary>Too many wait: it is forgotten, and may come in a better moment.</summary>
    Refused,
}

/// <summary>
/// Clients whose START is not acknowledged because as many dumps as allowed are being received. They repeat it each second; all that is
/// kept of them is one small record each, and of a bounded number. Owned by one engine thread.
/// </summary>
internal sealed class WaitingStarts
{
    /// <summary>Most clients that wait.</summary>
    public const int Maximum = 1024;

    /// <summary>Most of one address.</summary>
    public const int MaximumPerAddress = 16;

    /// <summary>After so long a client is rebooted without a dump rather than kept down.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Time between signs of life to a client of our own.</summary>
    public static readonly TimeSpan SignInterval = TimeSpan.FromSeconds(5);

    // A client repeats its START each second: one not heard of for so long does not hold up those behind it, or is gone.
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromSeconds(30);

    private readonly Dictionary<Peer, Entry> _entries = [];

    /// <summary>Clients that wait.</summary>
    public int Count => _entries.Count;

    /// <summary>Whether a client may have one of the free places: those that wait longer come first.</summary>
    public bool IsNext(in Peer peer, int free, TimeSpan now)
    {
        if (_entries.Count == 0 || free <= 0)
            return free > 0;
        TimeSpan since = _entries.TryGetValue(peer, out Entry? own) ? own.Since : TimeSpan.MaxValue;
        int before = 0;
        foreach ((Peer other, Entry entry) in _entries)
            before += other != peer && entry.Since < since && now - entry.LastHeard < FreshFor ? 1 : 0;
        return before < free;
    }

    /// <summary>Takes a START for which there is no place.</summary>
    /// <param name="peer">Who sent it.</param>
    /// <param name="start">What it said.</param>
    /// <param name="now">The time.</param>
    /// <param name="owesSign">Whether the client should be told now that it is heard.</param>
    public WaitingVerdict Wait(in Peer peer, in ClassicStart start, TimeSpan now, out bool owesSign)
    {
        owesSign = false;
        if (_entries.TryGetValue(peer, out Entry? entry) && entry.Start == start && now - entry.LastHeard < ForgottenAfter)
        {
            entry.LastHeard = now;
            if (now - entry.Since >= Patience)
                return WaitingVerdict.WaitedEnough;
            owesSign = now >= entry.NextSign;
            if (owesSign)
                entry.NextSign = now + SignInterval;
            return WaitingVerdict.Waits;
        }

        if (entry is null && !HasRoom(peer, now))
            return WaitingVerdict.Refused;
        owesSign = true;
        _entries[peer] = new Entry { Start = start, Since = now, LastHeard = now, NextSign = now + SignInterval };
        return WaitingVerdict.First;
    }

    /// <summary>The client waits no more.</summary>
    public void Remove(in Peer peer) => _entries.Remove(peer);

    private bool HasRoom(in Peer peer, TimeSpan now)
    {
        int ofAddress = 0;
        List<Peer>? silent = null;
        foreach ((Peer other, Entry entry) in _entries)
        {
            if (now - entry.LastHeard >= ForgottenAfter || (_entries.Count >= Maximum && now - entry.LastHeard >= FreshFor))
                (silent ??= []).Add(other);
            else
                ofAddress += other.Key == peer.Key ? 1 : 0;
        }

        foreach (Peer gone in silent ?? [])
            _entries.Remove(gone);
        return _entries.Count < Maximum && ofAddress < MaximumPerAddress;
    }

    private sealed class Entry
    {
        public required ClassicStart Start { get; init; }

        public required TimeSpan Since { get; init; }

        public TimeSpan LastHeard { get; set; }

        public TimeSpan NextSign { get; set; }
    }
}
