using System.Net;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Options;

/// <summary>Networks in prefix form; a test of one address allocates nothing.</summary>
public sealed class NetworkList : IEquatable<NetworkList>
{
    private static readonly string[] PrivateNetworks =
    [
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
        "::1/128", "fc00::/7", "fe80::/10",
    ];

    private static readonly string[] AnyNetwork = ["0.0.0.0/0", "::/0"];

    private readonly Network[] _networks;

    private NetworkList(Network[] networks) => _networks = networks;

    /// <summary>Loopback, private and link-local ranges of both families: what is accepted by default.</summary>
    public static NetworkList Private { get; } = Parse(PrivateNetworks);

    /// <summary>
    /// Reads <c>address/length</c> (or a bare address for one host, or <c>any</c>). Throws <see cref="FormatException"/> that names the
    /// bad entry; bits behind the prefix must be zero, because a typing error hides there.
    /// </summary>
    public static NetworkList Parse(IEnumerable<string> networks) =>
        new([.. networks.SelectMany(n => n == "any" ? AnyNetwork : [n]).Select(Network.Parse)]);

    /// <summary>Whether an address lies in one of the networks.</summary>
    public bool Contains(in AddressKey address)
    {
        foreach (ref readonly Network network in _networks.AsSpan())
            if (network.Contains(address)) return true;
        return false;
    }

    /// <inheritdoc/>
    public bool Equals(NetworkList? other) => other is not null && _networks.AsSpan().SequenceEqual(other._networks);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as NetworkList);

    /// <inheritdoc/>
    public override int GetHashCode() => _networks.Length;

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", _networks);

    private readonly record struct Network(AddressKey Address, int Length, ulong HighMask, ulong LowMask)
    {
        public static Network Parse(string text)
        {
            int slash = text.IndexOf('/');
            if (!IPAddress.TryParse(slash < 0 ? text : text[..slash], out IPAddress? address) || text.Contains('%'))
                throw new FormatException($"'{text}' is no network; write it like 10.0.0.0/8, fd00::/8, 192.0.2.7 or any");
            AddressKey key = AddressKey.From(address);
            int bits = key.IsIPv4 && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128;
            int length = bits;
            if (slash >= 0 && (!int.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out length) || length > bits))
                throw new FormatException($"'{text}' has no prefix length between 0 and {bits} behind the slash");
            int full = length + 128 - bits;
            UInt128 mask = full == 0 ? 0 : UInt128.MaxValue << (128 - full);
            Network network = new(key, full, (ulong)(mask >> 64), (ulong)mask);
            if ((key.High & ~network.HighMask) != 0 || (key.Low & ~network.LowMask) != 0)
                throw new FormatException($"'{text}' has address bits set behind its prefix length of {length}");
            return network;
        }

        public bool Contains(in AddressKey address) =>
            (address.High & HighMask) == Address.High && (address.Low & LowMask) == Address.Low
            // ::/0 and the like mean IPv6: IPv4 is only in networks written as IPv4.
            && address.IsIPv4 == (Address.IsIPv4 && Length >= 96);

        public override string ToString() => $"{Address}/{(Address.IsIPv4 ? Length - 96 : Length)}";
    }
}
