using System.Buffers.Binary;
using System.Text;

namespace Netdump.Client.Linux;

// Numbers are in the host's order, which is little-endian on every machine this program is built for.

/// <summary>One message of a netlink datagram.</summary>
public readonly ref struct NetlinkMessage
{
    /// <summary>Bytes of the header: length u32, type u16, flags u16, sequence u32, port u32 (netlink.h, struct nlmsghdr).</summary>
    public const int HeaderSize = 16;

    internal NetlinkMessage(ReadOnlySpan<byte> message)
    {
        Type = (NetlinkType)BinaryPrimitives.ReadUInt16LittleEndian(message[4..]);
        Flags = (NetlinkFlags)BinaryPrimitives.ReadUInt16LittleEndian(message[6..]);
        Sequence = BinaryPrimitives.ReadUInt32LittleEndian(message[8..]);
        Body = message[HeaderSize..];
    }

    /// <summary>What it is.</summary>
    public NetlinkType Type { get; }

    /// <summary>Flags.</summary>
    public NetlinkFlags Flags { get; }

    /// <summary>Number of the request it answers.</summary>
    public uint Sequence { get; }

    /// <summary>What follows the header.</summary>
    public ReadOnlySpan<byte> Body { get; }

    /// <summary>errno of an <see cref="NetlinkType.Error"/> message, positive; 0 acknowledges; null when it is none.</summary>
    public int? ReadError()
    {
        const int MaximumErrno = 4095;
        if (Body.Length < 4) return null;
        int code = BinaryPrimitives.ReadInt32LittleEndian(Body);
        return code is <= 0 and >= -MaximumErrno ? -code : null;
    }
}

/// <summary>Walks the messages of one datagram. A message whose length is wrong ends the walk.</summary>
public ref struct NetlinkMessages(ReadOnlySpan<byte> datagram)
{
    private ReadOnlySpan<byte> _rest = datagram;

    /// <summary>Takes the next message.</summary>
    public bool TryNext(out NetlinkMessage message)
    {
        message = default;
        if (_rest.Length < NetlinkMessage.HeaderSize) return false;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(_rest);
        if (length < NetlinkMessage.HeaderSize || length > (uint)_rest.Length) return false;
        message = new NetlinkMessage(_rest[..(int)length]);
        _rest = _rest[(int)Math.Min((length + 3) & ~3u, (uint)_rest.Length)..];
        return true;
    }
}

/// <summary>One attribute (rtnetlink.h, struct rtattr: length u16, type u16, value padded to 4).</summary>
public readonly ref struct NetlinkAttribute
{
    internal NetlinkAttribute(ushort type, ReadOnlySpan<byte> value)
    {
        Type = type;
        Value = value;
    }

    /// <summary>Type without the two flag bits (nested, network byte order).</summary>
    public ushort Type { get; }

    /// <summary>The value without padding.</summary>
    public ReadOnlySpan<byte> Value { get; }

    /// <summary>A 32-bit number, or 0 when the value is too short.</summary>
    public uint Number => Value.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(Value) : 0;

    /// <summary>A 16-bit number, or 0 when the value is too short.</summary>
    public int Short => Value.Length >= 2 ? BinaryPrimitives.ReadUInt16LittleEndian(Value) : 0;

    /// <summary>An 8-bit number, or 0 when there is no value.</summary>
    public int Small => Value.Length >= 1 ? Value[0] : 0;

    /// <summary>A hardware address of six bytes; null when the value has another length.</summary>
    public MacAddress? Mac => MacAddress.TryRead(Value, out MacAddress mac) ? mac : null;

    /// <summary>Text up to the first NUL.</summary>
    public string Text
    {
        get
        {
            int end = Value.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
        }
    }
}

/// <summary>Walks attributes. One whose length is wrong ends the walk.</summary>
public ref struct NetlinkAttributes(ReadOnlySpan<byte> attributes)
{
    private ReadOnlySpan<byte> _rest = attributes;

    /// <summary>Takes the next attribute.</summary>
    public bool TryNext(out NetlinkAttribute attribute)
    {
        attribute = default;
        if (_rest.Length < 4) return false;
        int length = BinaryPrimitives.ReadUInt16LittleEndian(_rest);
        if (length < 4 || length > _rest.Length) return false;
        attribute = new NetlinkAttribute((ushort)(BinaryPrimitives.ReadUInt16LittleEndian(_rest[2..]) & 0x3fff), _rest[4..length]);
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }
}

/// <summary>Writes one message into a buffer that the caller sized: <see cref="NetlinkRequest.MaximumSize"/> holds any of ours.</summary>
internal ref struct NetlinkWriter
{
    private readonly Span<byte> _buffer;

    public NetlinkWriter(Span<byte> buffer, NetlinkType type, NetlinkFlags flags, uint sequence)
    {
        _buffer = buffer;
        Length = NetlinkMessage.HeaderSize;
        buffer[..NetlinkMessage.HeaderSize].Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(buffer[4..], (ushort)type);
        BinaryPrimitives.WriteUInt16LittleEndian(buffer[6..], (ushort)flags);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer[8..], sequence);
    }

    public int Length { get; private set; }

    /// <summary>Reserves zeroed bytes for the family's own header.</summary>
    public Span<byte> Reserve(int size)
    {
        Span<byte> area = _buffer.Slice(Length, size);
        area.Clear();
        Length += size;
        return area;
    }

    public void Attribute(ushort type, scoped ReadOnlySpan<byte> value)
    {
        Span<byte> area = Reserve((4 + value.Length + 3) & ~3);
        BinaryPrimitives.WriteUInt16LittleEndian(area, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(area[2..], type);
        value.CopyTo(area[4..]);
    }

    public void Attribute(ushort type, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Attribute(type, bytes);
    }

    public void Attribute(ushort type, System.Net.IPAddress value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, out int length);
        Attribute(type, bytes[..length]);
    }

    public void Attribute(ushort type, byte value) => Attribute(type, [value]);

    public void Attribute(ushort type, MacAddress value)
    {
        Span<byte> bytes = stackalloc byte[MacAddress.Size];
        value.Write(bytes);
        Attribute(type, bytes);
    }

    /// <summary>A text of at most 63 bytes, with a NUL behind it.</summary>
    public void Attribute(ushort type, string value)
    {
        Span<byte> bytes = stackalloc byte[64];
        int length = Encoding.UTF8.GetBytes(value, bytes[..63]);
        bytes[length] = 0;
        Attribute(type, bytes[..(length + 1)]);
    }

    /// <summary>Begins an attribute that holds others; gives what <see cref="Close"/> wants.</summary>
    public int Open(ushort type)
    {
        int start = Length;
        BinaryPrimitives.WriteUInt16LittleEndian(Reserve(4)[2..], type);
        return start;
    }

    /// <summary>Ends an attribute that holds others.</summary>
    public readonly void Close(int start) => BinaryPrimitives.WriteUInt16LittleEndian(_buffer[start..], (ushort)(Length - start));

    /// <summary>Writes the message's length; returns it.</summary>
    public readonly int Finish()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer, (uint)Length);
        return Length;
    }
}
