using System.Buffers.Binary;
using System.Net;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture.Dhcp;

/// <summary>Kinds of DHCP messages (RFC 2132, option 53).</summary>
public enum DhcpKind : byte
{
    /// <summary>Not told: an answer to BOOTP.</summary>
    None = 0,

    /// <summary>A host looks for servers.</summary>
    Discover = 1,

    /// <summary>A server offers an address.</summary>
    Offer = 2,

    /// <summary>A host asks for an address.</summary>
    Request = 3,

    /// <summary>The server gives it.</summary>
    Acknowledge = 5,

    /// <summary>The server does not.</summary>
    Refuse = 6,
}

/// <summary>
/// A DHCP message (RFC 2131, section 2; options RFC 2132), as far as a client needs that renews one lease. Nothing here opens a socket or reads
/// a clock. Reading never throws, whatever the bytes.
/// </summary>
public sealed record DhcpMessage
{
    /// <summary>UDP port of servers.</summary>
    public const int ServerPort = 67;

    /// <summary>UDP port of clients.</summary>
    public const int ClientPort = 68;

    /// <summary>Bytes of the longest message of ours.</summary>
    public const int MaximumSize = FixedSize + 4 + (3 + 6 + 6 + 2 + 255 + 4 + 5 + 1);

    private const int FixedSize = 236, FileAt = 108, FileSize = 128, NameAt = 44, NameSize = 64, LeastSize = 300; // RFC 1542, section 2.1
    private const byte FromClient = 1, FromServer = 2, Ethernet = 1;
    private const ushort Broadcast = 0x8000;
    private const byte Pad = 0, End = 255, Mask = 1, Router = 3, Requested = 50, Overload = 52, Kind = 53, Server = 54, Wishes = 55, Longest = 57, Client = 61;
    private static readonly byte[] Magic = [99, 130, 83, 99];

    /// <summary>What it is.</summary>
    public required DhcpKind Type { get; init; }

    /// <summary>Number by which a client knows its answers.</summary>
    public required uint Transaction { get; init; }

    /// <summary>The client's hardware address.</summary>
    public required MacAddress Hardware { get; init; }

    /// <summary>Of a server: the address it gives; null: none.</summary>
    public IPAddress? Given { get; init; }

    /// <summary>Of a client: the address it asks for; null: none.</summary>
    public IPAddress? Wanted { get; init; }

    /// <summary>The server meant, or the one that answers.</summary>
    public IPAddress? ServerId { get; init; }

    /// <summary>Of a server: bits of the network's prefix; null when not told, or no prefix.</summary>
    public int? PrefixLength { get; init; }

    /// <summary>Of a server: the first router.</summary>
    public IPAddress? Gateway { get; init; }

    /// <summary>Of a client: the name it goes by, 2 to 255 bytes; empty: its hardware address.</summary>
    public ReadOnlyMemory<byte> ClientId { get; init; }

    /// <summary>Writes the message of a client; the answer is asked for as a broadcast, as the client has no address yet.</summary>
    /// <param name="buffer"><see cref="MaximumSize"/> bytes or more.</param>
    /// <returns>Its length.</returns>
    public int Write(Span<byte> buffer)
    {
        buffer = buffer[..MaximumSize];
        buffer.Clear();
        buffer[0] = FromClient;
        buffer[1] = Ethernet;
        buffer[2] = MacAddress.Size;
        BinaryPrimitives.WriteUInt32BigEndian(buffer[4..], Transaction);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[10..], Broadcast);
        Hardware.Write(buffer[28..]);
        Magic.CopyTo(buffer[FixedSize..]);
        int at = FixedSize + Magic.Length;
        Add(buffer, ref at, Kind, [(byte)Type]);
        if (Wanted is not null) Add(buffer, ref at, Requested, Wanted.GetAddressBytes());
        if (ServerId is not null) Add(buffer, ref at, Server, ServerId.GetAddressBytes());
        if (ClientId.Length is >= 2 and <= 255) Add(buffer, ref at, Client, ClientId.Span);
        Add(buffer, ref at, Longest, [576 >> 8, 576 & 0xff]); // what every host takes: RFC 2132, section 9.10
        Add(buffer, ref at, Wishes, [Mask, Router, Server]);
        buffer[at++] = End;
        return Math.Max(at, LeastSize);
    }

    /// <summary>Reads the message of a server.</summary>
    /// <param name="bytes">Payload of a datagram.</param>
    /// <returns>Null when it is no message of a server that a client of ours can use.</returns>
    public static DhcpMessage? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < FixedSize + Magic.Length || bytes[0] != FromServer || bytes[1] != Ethernet || bytes[2] != MacAddress.Size) return null;
        if (!bytes.Slice(FixedSize, Magic.Length).SequenceEqual(Magic)) return null;
        MacAddress.TryRead(bytes.Slice(28, MacAddress.Size), out MacAddress hardware);
        DhcpMessage message = new()
        {
            Type = DhcpKind.None,
            Transaction = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]),
            Hardware = hardware,
            Given = Address(bytes.Slice(16, 4)),
        };
        int overload = 0;
        message = message.WithOptions(bytes[(FixedSize + Magic.Length)..], ref overload);
        int ignored = 0;
        if ((overload & 1) != 0) message = message.WithOptions(bytes.Slice(FileAt, FileSize), ref ignored);
        if ((overload & 2) != 0) message = message.WithOptions(bytes.Slice(NameAt, NameSize), ref ignored);
        return message.Type is DhcpKind.Offer or DhcpKind.Acknowledge or DhcpKind.Refuse ? message : null;
    }

    private DhcpMessage WithOptions(ReadOnlySpan<byte> options, ref int overload)
    {
        DhcpMessage message = this;
        while (options.Length > 0 && options[0] != End)
        {
            if (options[0] == Pad)
            {
                options = options[1..];
                continue;
            }
            if (options.Length < 2 || options.Length < 2 + options[1]) break;
            ReadOnlySpan<byte> value = options.Slice(2, options[1]);
            switch (options[0])
            {
                case Kind when value.Length == 1: message = message with { Type = (DhcpKind)value[0] }; break;
                case Overload when value.Length == 1: overload = value[0]; break;
                case Server when value.Length == 4: message = message with { ServerId = Address(value) }; break;
                case Mask when value.Length == 4: message = message with { PrefixLength = Prefix(BinaryPrimitives.ReadUInt32BigEndian(value)) }; break;
                case Router when value.Length >= 4: message = message with { Gateway = Address(value[..4]) }; break;
                default: break;
            }
            options = options[(2 + options[1])..];
        }
        return message;
    }

    /// <summary>An address that a host can have; null for all others.</summary>
    private static IPAddress? Address(ReadOnlySpan<byte> bytes) => bytes[0] is 0 or 127 or >= 224 ? null : new IPAddress(bytes);

    private static int? Prefix(uint mask)
    {
        int length = System.Numerics.BitOperations.PopCount(mask);
        return length > 0 && mask == uint.MaxValue << (32 - length) ? length : null;
    }

    private static void Add(Span<byte> buffer, ref int at, byte option, scoped ReadOnlySpan<byte> value)
    {
        buffer[at] = option;
        buffer[at + 1] = (byte)value.Length;
        value.CopyTo(buffer[(at + 2)..]);
        at += 2 + value.Length;
    }
}
