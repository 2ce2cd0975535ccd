using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Receivers;

/// <summary>
/// Remembers which addresses were named in the log for one reason, so that each gets one line, and bounds how many: source
/// addresses of UDP can be made up.
/// </summary>
internal sealed class NamedOnce
{
    /// <summary>Addresses that get a line.</summary>
    public const int Limit = 256;

    private readonly HashSet<AddressKey> _named = [];

    /// <summary>Whether the bound was reached just now: the moment for one last line.</summary>
    public bool JustFull { get; private set; }

    /// <summary>Whether this address is to be named: the first time, and only while there is room.</summary>
    public bool IsFirst(in AddressKey address)
    {
        JustFull = false;
        if (_named.Count >= Limit || !_named.Add(address)) return false;
        JustFull = _named.Count == Limit;
        return true;
    }
}
