using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Receivers.Upload;

/// <summary>
/// How many connections there are, in all and of one address, and how often keys that are not enrolled may ask from one address. Bounded by the
/// connections themselves and by a fixed number of addresses. Thread-safe.
/// </summary>
internal sealed class AddressLimits
{
    /// <summary>Requests of keys that are not enrolled, at once.</summary>
    public const int Strangers = 20;

    private const int MostAddresses = 4096;
    private static readonly TimeSpan StrangerInterval = TimeSpan.FromSeconds(3); // one more in so much time

    private readonly Lock _lock = new();
    private readonly Dictionary<AddressKey, int> _open = [];
    private readonly Dictionary<AddressKey, TimeSpan> _strangers = []; // until when what they have used up counts
    private readonly int _most;
    private readonly int _mostOfAddress;
    private int _all;

    /// <summary>Limits.</summary>
    public AddressLimits(int most, int mostOfAddress) => (_most, _mostOfAddress) = (most, mostOfAddress);

    /// <summary>Connections open now.</summary>
    public int Open
    {
        get
        {
            lock (_lock) return _all;
        }
    }

    /// <summary>Counts a connection; the name of the refusal when there are too many, null when it may stay.</summary>
    public string? Enter(in AddressKey address)
    {
        lock (_lock)
        {
            if (_all >= _most)
                return "too-many";
            int open = _open.GetValueOrDefault(address);
            if (open >= _mostOfAddress)
                return "too-many-of-address";
            _open[address] = open + 1;
            _all++;
            return null;
        }
    }

    /// <summary>A connection that was counted is closed.</summary>
    public void Leave(in AddressKey address)
    {
        lock (_lock)
        {
            _all--;
            if (--_open[address] is int left && left == 0)
                _open.Remove(address);
        }
    }

    /// <summary>Whether a key that is not enrolled is answered at all, or told to wait. Counts.</summary>
    public bool AdmitStranger(in AddressKey address, TimeSpan now)
    {
        lock (_lock)
        {
            TimeSpan until = _strangers.TryGetValue(address, out TimeSpan at) && at > now ? at : now;
            if (until - now > StrangerInterval * (Strangers - 1))
                return false;
            if (_strangers.Count >= MostAddresses && !_strangers.ContainsKey(address))
                Forget(now);
            if (_strangers.Count >= MostAddresses && !_strangers.ContainsKey(address))
                return false;
            _strangers[address] = until + StrangerInterval;
            return true;
        }
    }

    private void Forget(TimeSpan now)
    {
        foreach ((AddressKey address, TimeSpan until) in _strangers)
            if (until <= now)
                _strangers.Remove(address);
    }
}
