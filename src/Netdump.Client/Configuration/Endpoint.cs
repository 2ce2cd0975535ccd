using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Netdump.Client.Configuration;

/// <summary>A server as the operator wrote it.</summary>
/// <param name="Host">Name or numeric address, without brackets.</param>
/// <param name="Port">UDP port.</param>
public sealed record Endpoint(string Host, int Port)
{
    /// <summary>Reads <c>host</c>, <c>host:port</c>, <c>[v6]:port</c> or a bare IPv6 address; null when it is none of these.</summary>
    public static Endpoint? TryParse(string text, int defaultPort)
    {
        if (text.Length == 0) return null;
        if (text[0] == '[')
        {
            int close = text.IndexOf(']', StringComparison.Ordinal);
            if (close < 0 || !IPAddress.TryParse(text.AsSpan(1, close - 1), out _)) return null;
            string host = text[1..close];
            return close + 1 == text.Length ? new Endpoint(host, defaultPort)
                : text[close + 1] == ':' && TryPort(text.AsSpan(close + 2), out int p) ? new Endpoint(host, p) : null;
        }
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0) return new Endpoint(text, defaultPort);
        if (text.IndexOf(':', colon + 1) >= 0) return IPAddress.TryParse(text, out _) ? new Endpoint(text, defaultPort) : null;
        return colon > 0 && TryPort(text.AsSpan(colon + 1), out int port) ? new Endpoint(text[..colon], port) : null;
    }

    /// <summary>Reads a UDP port, 1 to 65535.</summary>
    public static bool TryPort(ReadOnlySpan<char> text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and <= 65535;

    /// <summary>Its numeric addresses, at least one; of a name's the IPv4 ones first, as netconsole and the original's servers speak it everywhere.</summary>
    /// <exception cref="ClientException">The name is unknown, or has no address.</exception>
    public IReadOnlyList<IPAddress> Resolve()
    {
        if (IPAddress.TryParse(Host, out IPAddress? literal)) return [literal];
        SocketException? failure = null;
        try
        {
            IPAddress[] found = [.. Dns.GetHostAddresses(Host).OrderBy(a => a.AddressFamily == AddressFamily.InterNetworkV6)];
            if (found.Length > 0) return found;
        }
        catch (SocketException e)
        {
            failure = e;
        }
        throw new ClientException($"server {Host} cannot be resolved", "correct the name, or write the numeric address", failure);
    }

    /// <inheritdoc/>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
