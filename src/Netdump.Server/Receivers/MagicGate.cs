using Netdump.Server.Options;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Receivers;

/// <summary>
/// Which hosts may speak classic netdump at all: with <c>--secure 1</c> only those with a magic file (redhat-netdump.md 4.6, item 39).
/// What it found on the disk it believes for a few seconds, because console lines come by the thousand. Owned by one thread.
/// </summary>
internal sealed class MagicGate
{
    private const int MaxRemembered = 4096;
    private static readonly TimeSpan Believed = TimeSpan.FromSeconds(5);

    private readonly MagicFiles _magics;
    private readonly LiveOptions _options;
    private readonly Dictionary<AddressKey, (bool Known, TimeSpan Until)> _seen = [];

    /// <summary>A gate before the magic files of a store.</summary>
    public MagicGate(MagicFiles magics, LiveOptions options)
    {
        _magics = magics;
        _options = options;
    }

    /// <summary>Whether classic datagrams of this host are looked at.</summary>
    public bool Admits(in AddressKey host, TimeSpan now)
    {
        SecurePolicy policy = _options.Current.Secure;
        if (policy != SecurePolicy.Always) return true;
        if (_seen.TryGetValue(host, out (bool Known, TimeSpan Until) seen) && now < seen.Until) return seen.Known;
        if (_seen.Count >= MaxRemembered) _seen.Clear();
        bool known = _magics.IsKnown(host.ToIPAddress(), policy);
        _seen[host] = (known, now + Believed);
        return known;
    }
}
