using System.Text;

namespace Netdump.Kernel.Incidents;

/// <summary>What makes two crashes the same: class and innermost functions. docs/signature.md describes version 1, which this is.</summary>
/// <param name="Version">1.</param>
/// <param name="Id">The first 16 hex digits of SHA-256 of <paramref name="Key"/>.</param>
/// <param name="Key"><c>v1|class|frame|frame|frame</c>.</param>
/// <param name="Title">One line for people; not part of the id.</param>
/// <param name="Class">A word of <see cref="CrashClass"/>.</param>
/// <param name="Frames">At most three functions, each <c>name</c> or <c>module!name</c>, innermost first.</param>
/// <param name="Coarse">Class and first frame: what shares it is similar.</param>
public sealed record CrashSignature(int Version, string Id, string Key, string Title, string Class, IReadOnlyList<string> Frames, string Coarse)
{
    /// <summary>The algorithm's version.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Makes a signature.</summary>
    /// <param name="word">The class, of <see cref="CrashClass"/>.</param>
    /// <param name="frames">What <see cref="SignatureFrames.Of"/> gave.</param>
    /// <param name="panicText">The panic's text: stands in when there is no frame.</param>
    /// <param name="title">The title of the incident; without one, the class in words and the first frame.</param>
    public static CrashSignature Of(string word, IReadOnlyList<string> frames, string? panicText = null, string? title = null)
    {
        string key = frames.Count > 0 ? $"v1|{word}|{string.Join('|', frames)}" : $"v1|{word}|{Generic(panicText ?? "")}";
        string id = Convert.ToHexStringLower(Sha256.Of(Encoding.UTF8.GetBytes(key)).AsSpan(0, 8));
        return new(CurrentVersion, id, key, title ?? TitleOf(word, frames), word, frames, frames.Count > 0 ? $"{word}|{frames[0]}" : word);
    }

    /// <summary>The class in words, and where.</summary>
    public static string TitleOf(string word, IReadOnlyList<string> frames)
    {
        string words = CrashClass.Words(word);
        if (word == CrashClass.Sysrq || frames.Count == 0)
            return words;
        int mark = frames[0].IndexOf('!');
        return mark < 0 ? $"{words} in {frames[0]}" : $"{words} in {frames[0][(mark + 1)..]} [{frames[0][..mark]}]";
    }

    // Addresses, digits, and what stands in quotes become X: they differ from crash to crash.
    internal static string Generic(string text)
    {
        var result = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length;)
        {
            char c = text[i];
            int end = i + 1;
            if (c is '"' or '\'' && text.IndexOf(c, i + 1) is > 0 and var close && (i == 0 || !char.IsAsciiLetterOrDigit(text[i - 1])))
            {
                end = close + 1;
            }
            else if (text.AsSpan(i).StartsWith("0x"))
            {
                end = i + 2;
                while (end < text.Length && Text.IsHex(text[end]))
                    end++;
            }
            else if (char.IsAsciiDigit(c))
            {
                while (end < text.Length && char.IsAsciiDigit(text[end]))
                    end++;
            }
            else
            {
                result.Append(c is '|' or < ' ' ? ' ' : c);
                i++;
                continue;
            }
            result.Append('X');
            i = end;
        }
        return result.ToString().Trim();
    }
}
