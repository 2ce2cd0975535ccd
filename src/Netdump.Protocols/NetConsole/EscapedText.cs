using System.Buffers;

namespace Netdump.Protocols.NetConsole;

/// <summary>
/// The escapes of extended records: bytes below 0x20, from 0x7F up, and the backslash are sent as <c>\x</c> and two lower-case hex
/// digits; all others literally (netconsole.md 2.4).
/// </summary>
public static class EscapedText
{
    private static readonly SearchValues<byte> Plain = SearchValues.Create(
        Enumerable.Range(0x20, 0x5F).Select(b => (byte)b).Where(b => b != '\\').ToArray());

    /// <summary>Longest escaped form of <paramref name="length"/> bytes.</summary>
    public static int MaximumEscaped(int length) => checked(length * 4);

    /// <summary>
    /// Writes <paramref name="text"/> without its escapes and returns the number of bytes written, never more than the input has.
    /// Both hex cases are read; any other use of a backslash, a cut escape included, stays as it is.
    /// </summary>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is shorter than <paramref name="text"/>.</exception>
    public static int Unescape(ReadOnlySpan<byte> text, Span<byte> destination)
    {
        if (destination.Length < text.Length) throw new ArgumentException("The destination is shorter than the text.", nameof(destination));
        int written = 0;
        while (true)
        {
            int backslash = text.IndexOf((byte)'\\');
            ReadOnlySpan<byte> literal = backslash < 0 ? text : text[..backslash];
            literal.CopyTo(destination[written..]);
            written += literal.Length;
            if (backslash < 0) return written;
            text = text[backslash..];
            if (text.Length >= 4 && text[1] == 'x' && Digit(text[2]) is var high and >= 0 && Digit(text[3]) is var low and >= 0)
            {
                destination[written++] = (byte)(high << 4 | low);
                text = text[4..];
            }
            else
            {
                destination[written++] = (byte)'\\';
                text = text[1..];
            }
        }
    }

    /// <summary>
    /// Writes as much of <paramref name="text"/> in escaped form as fits whole escapes into <paramref name="destination"/>;
    /// returns the bytes written and tells how many bytes of the text they stand for.
    /// </summary>
    public static int Escape(ReadOnlySpan<byte> text, Span<byte> destination, out int consumed)
    {
        int written = 0;
        consumed = 0;
        while (consumed < text.Length)
        {
            ReadOnlySpan<byte> rest = text[consumed..];
            int plain = rest.IndexOfAnyExcept(Plain);
            if (plain < 0) plain = rest.Length;
            plain = Math.Min(plain, destination.Length - written);
            rest[..plain].CopyTo(destination[written..]);
            written += plain;
            consumed += plain;
            if (plain == rest.Length || destination.Length - written < 4) return written;
            byte b = rest[plain];
            destination[written] = (byte)'\\';
            destination[written + 1] = (byte)'x';
            destination[written + 2] = "0123456789abcdef"u8[b >> 4];
            destination[written + 3] = "0123456789abcdef"u8[b & 15];
            written += 4;
            consumed++;
        }

        return written;
    }

    private static int Digit(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        _ => -1,
    };
}
