using System.Buffers.Binary;
using System.Net;

namespace Netdump.Server.Receivers.Udp;

/// <summary>
/// An IP address as a dictionary key: 16 bytes in network order (IPv4 as ::ffff:a.b.c.d, so one host has one key on
/// IPv4 and dual-stack sockets) and the interface index of a link-local IPv6 address. Holds no reference, allocates nothing.
/// </summary>
public readonly struct AddressKey : IEquatable<AddressKey>
{
    private const ulong MappedPrefix = 0x0000_ffff_0000_0000;

    /// <summary>Makes a key from the two halves of the 16 bytes, most significant byte first.</summary>
    public AddressKey(ulong high, ulong low, uint scope)
    {
        High = high;
        Low = low;
        Scope = scope;
    }

    /// <summary>Bytes 0-7 of the address, the first one most significant.</summary>
    public ulong High { get; }

    /// <summary>Bytes 8-15 of the address, the first one most significant.</summary>
    public ulong Low { get; }

    /// <summary>Interface index of a link-local IPv6 address, else 0.</summary>
    public uint Scope { get; }

    /// <summary>Whether this is an IPv4 address.</summary>
    public bool IsIPv4 => High == 0 && (Low & 0xffff_ffff_0000_0000) == MappedPrefix;

    /// <summary>The IPv4 address as a number, first byte most significant; meaningful only if <see cref="IsIPv4"/>.</summary>
    public uint IPv4 => (uint)Low;

    /// <summary>Whether nothing is set (the address ::).</summary>
    public bool IsEmpty => High == 0 && Low == 0;

    /// <summary>The key of an IPv4 address given as a number, first byte most significant.</summary>
    public static AddressKey FromIPv4(uint address) => new(0, MappedPrefix | address, 0);

    /// <summary>The key of an address.</summary>
    public static AddressKey From(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        if (length == 4) return FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(bytes));
        return new AddressKey(
            BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]), (uint)address.ScopeId);
    }

    /// <summary>The address; IPv4 in its own family, never as a mapped one.</summary>
    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], Low);
        return IsIPv4 ? new IPAddress(bytes[12..]) : new IPAddress(bytes, Scope);
    }

    /// <inheritdoc/>
    public bool Equals(AddressKey other) => High == other.High && Low == other.Low && Scope == other.Scope;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is AddressKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(High, Low, Scope);

    /// <inheritdoc/>
    public override string ToString() => ToIPAddress().ToString();

    /// <summary>Same address and scope.</summary>
    public static bool operator ==(AddressKey left, AddressKey right) => left.Equals(right);

    /// <summary>Another address or scope.</summary>
    public static bool operator !=(AddressKey left, AddressKey right) => !left.Equals(right);
}
