using System.Buffers;
using System.Globalization;
using System.Text;

namespace Netdump.Protocols.NetConsole;

/// <summary>
/// Records as a serial console shows them, safe to show: <c>[    3.081269] text</c>, the prefix on every inner line, no caller;
/// bytes that a terminal would obey or that are no UTF-8 appear as <c>\x1b</c>.
/// </summary>
public static class ConsoleText
{
    private const int PrefixLimit = 40;

    private static readonly SearchValues<byte> Plain = SearchValues.Create(
        Enumerable.Range(0x20, 0x5F).Select(b => (byte)b).Append((byte)'\t').ToArray());

    /// <summary>Writes a record with its time (microseconds since boot): one line for each line of its text, each ended by a newline.</summary>
    /// <param name="output">Receives UTF-8.</param>
    /// <param name="microseconds">printk time; null for none, and then no prefix.</param>
    /// <param name="text">Unescaped text without its closing newline; may hold inner newlines and any bytes.</param>
    public static void Render(IBufferWriter<byte> output, ulong? microseconds, ReadOnlySpan<byte> text)
    {
        if (text.IndexOfAnyExcept(Plain) < 0)
        {
            // Nearly every record: one plain line.
            Span<byte> line = output.GetSpan(PrefixLimit + text.Length + 1);
            int prefix = microseconds is ulong at ? WriteTime(line, at) : 0;
            text.CopyTo(line[prefix..]);
            line[prefix + text.Length] = (byte)'\n';
            output.Advance(prefix + text.Length + 1);
            return;
        }

        while (true)
        {
            int newline = text.IndexOf((byte)'\n');
            if (microseconds is ulong time) output.Advance(WriteTime(output.GetSpan(PrefixLimit), time));
            WriteVisible(output, newline < 0 ? text : text[..newline]);
            output.Write("\n"u8);
            if (newline < 0) return;
            text = text[(newline + 1)..];
        }
    }

    /// <summary>Writes text so that it can be shown: well-formed printable UTF-8 and tabs as they are, every other byte as <c>\xHH</c>.</summary>
    public static void WriteVisible(IBufferWriter<byte> output, ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            int plain = text.IndexOfAnyExcept(Plain);
            if (plain < 0) plain = text.Length;
            output.Write(text[..plain]);
            text = text[plain..];
            if (text.IsEmpty) return;
            bool wellFormed = Rune.DecodeFromUtf8(text, out Rune rune, out int length) == OperationStatus.Done;
            if (wellFormed && IsVisible(rune)) output.Write(text[..length]);
            else WriteHex(output, text[..length]);
            text = text[length..];
        }
    }

    /// <summary>Not controls, nor what reorders or hides its neighbours, nor what some viewers take for a new line.</summary>
    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);

    private static void WriteHex(IBufferWriter<byte> output, ReadOnlySpan<byte> bytes)
    {
        Span<byte> escape = output.GetSpan(bytes.Length * 4);
        for (int i = 0; i < bytes.Length; i++)
        {
            escape[i * 4] = (byte)'\\';
            escape[i * 4 + 1] = (byte)'x';
            escape[i * 4 + 2] = "0123456789abcdef"u8[bytes[i] >> 4];
            escape[i * 4 + 3] = "0123456789abcdef"u8[bytes[i] & 15];
        }

        output.Advance(bytes.Length * 4);
    }

    /// <summary>Writes <c>[</c>, seconds in at least 5 columns, <c>.</c>, 6 digits, <c>] </c>; returns the length, less than <see cref="PrefixLimit"/>.</summary>
    private static int WriteTime(Span<byte> prefix, ulong microseconds)
    {
        Span<byte> digits = stackalloc byte[20];
        ulong seconds = microseconds / 1_000_000;
        uint fraction = (uint)(microseconds % 1_000_000);
        int count = 0;
        do
        {
            digits[count++] = (byte)('0' + seconds % 10);
            seconds /= 10;
        }
        while (seconds > 0);

        int at = 0;
        prefix[at++] = (byte)'[';
        for (int pad = count; pad < 5; pad++) prefix[at++] = (byte)' ';
        while (count > 0) prefix[at++] = digits[--count];
        prefix[at++] = (byte)'.';
        for (uint unit = 100_000; unit > 0; unit /= 10) prefix[at++] = (byte)('0' + fraction / unit % 10);
        prefix[at++] = (byte)']';
        prefix[at++] = (byte)' ';
        return at;
    }
}
