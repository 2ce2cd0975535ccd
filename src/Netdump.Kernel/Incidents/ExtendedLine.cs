using System.Globalization;
using System.Text;

namespace Netdump.Kernel.Incidents;

/// <summary>A record in the extended format of netconsole and /dev/kmsg: <c>[release,]prio,seq,usec,flags[,key=value...];text</c>.</summary>
internal static class ExtendedLine
{
    public static bool TryParse(ReadOnlySpan<char> line, out ConsoleLine parsed)
    {
        parsed = default;
        int semicolon = line.IndexOf(';');
        if (semicolon < 0)
            return false;
        ReadOnlySpan<char> header = line[..semicolon];
        ReadOnlySpan<char> first = Next(ref header);
        if (!int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out int priority)
            && !int.TryParse(Next(ref header), NumberStyles.None, CultureInfo.InvariantCulture, out priority))
            return false;
        if (!ulong.TryParse(Next(ref header), NumberStyles.None, CultureInfo.InvariantCulture, out _)
            || !ulong.TryParse(Next(ref header), NumberStyles.None, CultureInfo.InvariantCulture, out ulong microseconds)
            || Next(ref header) is not ("-" or "c" or "+"))
            return false;
        string context = ConsoleLine.AnyCaller;
        while (!header.IsEmpty)
        {
            ReadOnlySpan<char> field = Next(ref header);
            if (field.StartsWith("caller="))
                context = field["caller=".Length..].ToString();
        }
        var time = TimeSpan.FromTicks((long)Math.Min(microseconds * 10, long.MaxValue));
        parsed = new(Unescape(line[(semicolon + 1)..]), time, priority & 7, priority >> 3, context);
        return true;
    }

    private static ReadOnlySpan<char> Next(ref ReadOnlySpan<char> header)
    {
        int comma = header.IndexOf(',');
        ReadOnlySpan<char> field = comma < 0 ? header : header[..comma];
        header = comma < 0 ? [] : header[(comma + 1)..];
        return field;
    }

    // \xNN stands for one byte; bytes of one character follow each other.
    private static string Unescape(ReadOnlySpan<char> text)
    {
        if (!text.Contains("\\x", StringComparison.Ordinal))
            return text.ToString();
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        int length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length && text[i + 1] == 'x'
                && byte.TryParse(text.Slice(i + 2, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                bytes[length++] = value;
                i += 3;
                continue;
            }
            int run = char.IsHighSurrogate(text[i]) && i + 1 < text.Length ? 2 : 1;
            length += Encoding.UTF8.GetBytes(text.Slice(i, run), bytes.AsSpan(length));
            i += run - 1;
        }
        return Encoding.UTF8.GetString(bytes, 0, length);
    }
}
