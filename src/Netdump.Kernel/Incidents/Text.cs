using System.Buffers;
using System.Globalization;

namespace Netdump.Kernel.Incidents;

/// <summary>Reading of names and numbers out of a line.</summary>
internal static class Text
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private static readonly SearchValues<char> ModuleLetters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    /// <summary>Whether all of a text is hex digits.</summary>
    public static bool IsAllHex(ReadOnlySpan<char> text) => text.IndexOfAnyExcept(HexDigits) < 0;

    /// <summary>Whether a text can be the name of a module.</summary>
    public static bool IsModule(ReadOnlySpan<char> text) => !text.IsEmpty && text.IndexOfAnyExcept(ModuleLetters) < 0;

    public static bool ContainsAny(ReadOnlySpan<char> line, string[] words)
    {
        foreach (string word in words)
        {
            if (line.Contains(word, StringComparison.Ordinal))
                return true;
        }
        return false;
    }

    /// <summary>What follows the first <paramref name="word"/>; empty when the line does not hold it.</summary>
    public static ReadOnlySpan<char> After(ReadOnlySpan<char> line, ReadOnlySpan<char> word)
    {
        int at = line.IndexOf(word, StringComparison.Ordinal);
        return at < 0 ? [] : line[(at + word.Length)..];
    }

    /// <summary>What stands before the first <paramref name="word"/>; all of it when the line does not hold it.</summary>
    public static ReadOnlySpan<char> Before(ReadOnlySpan<char> line, ReadOnlySpan<char> word)
    {
        int at = line.IndexOf(word, StringComparison.Ordinal);
        return at < 0 ? line : line[..at];
    }

    public static bool IsName(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    public static bool IsHex(char c) => char.IsAsciiHexDigit(c);

    /// <summary>The function that a text begins with, up to its first <c>.</c> or <c>+</c>; empty when it begins with none.</summary>
    public static ReadOnlySpan<char> Function(ReadOnlySpan<char> text)
    {
        int end = 0;
        while (end < text.Length && IsName(text[end]))
            end++;
        return end > 0 && end < text.Length && text[end] is '.' or '+' ? text[..end] : [];
    }

    /// <summary>Skips <c>[&lt;ffffffff81000000&gt;]</c>, at most twice, and spaces after it.</summary>
    public static ReadOnlySpan<char> SkipAddresses(ReadOnlySpan<char> text)
    {
        for (int n = 0; n < 2; n++)
        {
            if (text is not ['[', ..] || text.IndexOf(']') is not (> 0 and < 24 and var end))
                break;
            ReadOnlySpan<char> inside = text[1..end].Trim("<>");
            if (inside.StartsWith("0x"))
                inside = inside[2..];
            if (!IsAllHex(inside))
                break;
            text = text[(end + 1)..].TrimStart(' ');
        }
        return text;
    }

    public static bool TryHex(ReadOnlySpan<char> text, out ulong value)
    {
        if (text.StartsWith("0x"))
            text = text[2..];
        int end = 0;
        while (end < text.Length && end < 16 && IsHex(text[end]))
            end++;
        value = 0;
        return end > 0 && ulong.TryParse(text[..end], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>The decimal number a text begins with, after spaces.</summary>
    public static int? Decimal(ReadOnlySpan<char> text)
    {
        text = text.TrimStart(' ');
        int end = 0;
        while (end < text.Length && end < 10 && char.IsAsciiDigit(text[end]))
            end++;
        return int.TryParse(text[..end], NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : null;
    }

    /// <summary>The word a text begins with, up to a space.</summary>
    public static ReadOnlySpan<char> Word(ReadOnlySpan<char> text)
    {
        text = text.TrimStart(' ');
        int end = text.IndexOf(' ');
        return end < 0 ? text : text[..end];
    }
}
