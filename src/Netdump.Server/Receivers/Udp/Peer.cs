using System.Net;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// Who sent a datagram: address and UDP port. It also remembers which of our addresses the datagram was sent to, so that
/// the answer leaves from there: old clients listen only to the server address they were configured with
/// (redhat-netdump.md item 48). That part takes no part in equality.
/// </summary>
public readonly struct Peer : IEquatable<Peer>
{
    /// <summary>A peer whose datagram reached us at <paramref name="local"/> (empty: the socket has one address anyway).</summary>
    public Peer(AddressKey key, ushort port, AddressKey local = default)
    {
        Key = key;
        Port = port;
        Local = local;
    }

    /// <summary>The address as a dictionary key: what a host is known by, whatever the port.</summary>
    public AddressKey Key { get; }

    /// <summary>Source port, host byte order.</summary>
    public ushort Port { get; }

    /// <summary>Our own address that the datagram was sent to; empty when the socket is bound to one address.</summary>
    public AddressKey Local { get; }

    /// <summary>The address as an object (allocates: for logs, directories and hooks, not per datagram).</summary>
    public IPAddress Address => Key.ToIPAddress();

    /// <summary>A peer from a socket's end point.</summary>
    public static Peer From(IPEndPoint endPoint) => new(AddressKey.From(endPoint.Address), (ushort)endPoint.Port);

    /// <summary>The same host at another port.</summary>
    public Peer WithPort(ushort port) => new(Key, port, Local);

    /// <inheritdoc/>
    public bool Equals(Peer other) => Port == other.Port && Key.Equals(other.Key);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Peer other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Key.High, Key.Low, Key.Scope, Port);

    /// <inheritdoc/>
    public override string ToString() => new IPEndPoint(Address, Port).ToString();

    /// <summary>Same address and port.</summary>
    public static bool operator ==(Peer left, Peer right) => left.Equals(right);

    /// <summary>Another address or port.</summary>
    public static bool operator !=(Peer left, Peer right) => !left.Equals(right);
}
