using System.Buffers;

namespace Netdump.Server.Enrolment;

/// <summary>Names that hosts are enrolled under: letters, digits, and <c>. _ -</c>, at most 253; fit for a file's name and a command's argument.</summary>
public static class HostName
{
    /// <summary>Most characters of a name.</summary>
    public const int Longest = 253;

    /// <summary>What a name looks like, for messages.</summary>
    public const string Rule = "1 to 253 of A-Z a-z 0-9 . _ -, the first no . or -";

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>Names are the same whatever the case of their letters, as in DNS.</summary>
    public static StringComparer Comparer => StringComparer.OrdinalIgnoreCase;

    /// <summary>Whether a text is a name. A leading dot or dash would be a hidden file, a parent directory or an option somewhere.</summary>
    public static bool IsValid(ReadOnlySpan<char> text) =>
        text.Length is > 0 and <= Longest && text[0] is not ('.' or '-') && !text.ContainsAnyExcept(Allowed);
}
