using System.Text;

namespace Netdump.Kernel.Incidents;

/// <summary>Cleans titles of what changes from boot to boot.</summary>
internal static class TitleText
{
    private const int MaximumLength = 120;

    /// <summary>The title with addresses, numbers and offsets replaced by words.</summary>
    public static string Clean(string title)
    {
        string text = Addresses(title);
        text = InternetAddresses(text);
        text = Columns(text);
        text = Offsets(text);
        text = Processors(text);
        text = Numbers(text);
        text = text.Replace('\t', ' ');
        if (text.Length > MaximumLength)
            text = text[..MaximumLength];
        var clean = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            if (c is >= ' ' and < (char)127 && !(c == ' ' && clean.Length > 0 && clean[^1] == ' '))
                clean.Append(c);
        }
        return clean.ToString().Trim();
    }

    // Six and more hex digits after what is no letter or digit, "0x" before them or not.
    private static string Addresses(string text)
    {
        var result = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length;)
        {
            bool edge = i == 0 || !char.IsAsciiLetterOrDigit(text[i - 1]);
            int digits = edge && text.AsSpan(i).StartsWith("0x") ? i + 2 : i;
            int end = digits;
            while (end < text.Length && Text.IsHex(text[end]))
                end++;
            if (edge && end - digits >= 6 && text.AsSpan(digits, end - digits).ContainsAnyInRange('0', '9'))
            {
                result.Append("ADDR");
                i = end;
            }
            else
                result.Append(text[i++]);
        }
        return result.ToString();
    }

    private static string InternetAddresses(string text)
    {
        var result = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length;)
        {
            if ((i == 0 || !char.IsAsciiLetterOrDigit(text[i - 1])) && InternetAddressAt(text.AsSpan(i)) is > 0 and var length)
            {
                result.Append("IP");
                i += length;
            }
            else
                result.Append(text[i++]);
        }
        return result.ToString();
    }

    private static int InternetAddressAt(ReadOnlySpan<char> text)
    {
        int at = 0;
        for (int part = 0; part < 4; part++)
        {
            int digits = 0;
            while (at < text.Length && digits < 4 && char.IsAsciiDigit(text[at]))
            {
                at++;
                digits++;
            }
            if (digits is 0 or > 3 || (part < 3 && (at >= text.Length || text[at++] != '.')))
                return 0;
        }
        return at < text.Length && char.IsAsciiLetterOrDigit(text[at]) ? 0 : at;
    }

    // "file.rs:12:34" -> "file.rs:12"
    private static string Columns(string text)
    {
        for (int at = text.IndexOf('.'); at >= 0; at = text.IndexOf('.', at + 1))
        {
            int i = at + 1;
            while (i < text.Length && char.IsAsciiLetterLower(text[i]))
                i++;
            if (i == at + 1 || i >= text.Length || text[i] != ':')
                continue;
            int line = i + 1;
            while (line < text.Length && char.IsAsciiDigit(text[line]))
                line++;
            if (line == i + 1 || line >= text.Length || text[line] != ':')
                continue;
            int column = line + 1;
            while (column < text.Length && char.IsAsciiDigit(text[column]))
                column++;
            if (column > line + 1)
                text = text.Remove(line, column - line);
        }
        return text;
    }

    // "func+0x12/0x34" -> "func"
    private static string Offsets(string text)
    {
        int at = 0;
        while ((at = text.IndexOf("+0x", at, StringComparison.Ordinal)) >= 0)
        {
            int end = at + 3;
            while (end < text.Length && Text.IsHex(text[end]))
                end++;
            int slash = end;
            if (end > at + 3 && at > 0 && Text.IsName(text[at - 1]) && text.AsSpan(end).StartsWith("/0x"))
            {
                slash = end + 3;
                while (slash < text.Length && Text.IsHex(text[slash]))
                    slash++;
            }
            if (slash > end + 3)
                text = text.Remove(at, slash - at);
            else
                at = end;
        }
        return text;
    }

    private static string Processors(string text)
    {
        int at = 0;
        while ((at = text.IndexOf("CPU#", at, StringComparison.Ordinal)) >= 0)
        {
            int end = at + 4;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
                end++;
            if (end > at + 4)
                text = text.Remove(at + 3, end - at - 3);
            at += 3;
        }
        return text;
    }

    // A decimal that stands free, and any run of seven digits and more.
    private static string Numbers(string text)
    {
        var result = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length;)
        {
            int end = i;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
                end++;
            if (end == i)
            {
                result.Append(text[i++]);
                continue;
            }
            bool free = (i == 0 || IsFree(text[i - 1])) && (end == text.Length || IsFree(text[end]));
            if (free || end - i >= 7)
                result.Append("NUM");
            else
                result.Append(text, i, end - i);
            i = end;
        }
        return result.ToString();
    }

    private static bool IsFree(char c) => c is ' ' or '=' or '(' or ')' or '[' or ']' or ',' or ';';
}
