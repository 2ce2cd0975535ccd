using System.Globalization;

namespace Netdump.Client.Linux;

/// <summary>A six-byte Ethernet hardware address.</summary>
public readonly record struct MacAddress
{
    /// <summary>Bytes of an address.</summary>
    public const int Size = 6;

    private readonly ulong _value;

    private MacAddress(ulong value) => _value = value;

    /// <summary>True for 00:00:00:00:00:00.</summary>
    public bool IsZero => _value == 0;

    /// <summary>Takes the address from six bytes in the order of the wire; false for any other length (InfiniBand has 20).</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out MacAddress address)
    {
        ulong value = 0;
        foreach (byte b in bytes.Length == Size ? bytes : default) value = (value << 8) | b;
        address = new MacAddress(value);
        return bytes.Length == Size;
    }

    /// <summary>Reads six pairs of hexadecimal digits parted by <c>:</c> or <c>-</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out MacAddress address)
    {
        address = default;
        if (text.Length != (Size * 3) - 1) return false;
        ulong value = 0;
        for (int i = 0; i < text.Length; i += 3)
        {
            if (i > 0 && text[i - 1] is not (':' or '-')) return false;
            if (!byte.TryParse(text.Slice(i, 2), NumberStyles.AllowHexSpecifier, null, out byte b)) return false;
            value = (value << 8) | b;
        }
        address = new MacAddress(value);
        return true;
    }

    /// <summary>Writes the six bytes in the order of the wire.</summary>
    public void Write(Span<byte> destination)
    {
        for (int i = 0; i < Size; i++) destination[i] = (byte)(_value >> (40 - (8 * i)));
    }

    /// <summary><c>xx:xx:xx:xx:xx:xx</c> in small letters.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return $"{bytes[0]:x2}:{bytes[1]:x2}:{bytes[2]:x2}:{bytes[3]:x2}:{bytes[4]:x2}:{bytes[5]:x2}";
    }
}
