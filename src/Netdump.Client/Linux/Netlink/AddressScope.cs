using System.Net;

namespace Netdump.Client.Linux;

/// <summary>The zone of link-local IPv6 addresses: the number of an interface, which means nothing on another system.</summary>
internal static class AddressScope
{
    /// <summary>The same address without its zone.</summary>
    public static IPAddress WithoutScope(this IPAddress address) => new(address.GetAddressBytes());
}
