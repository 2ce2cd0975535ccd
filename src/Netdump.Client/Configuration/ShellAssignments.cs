using System.Text;

namespace Netdump.Client.Configuration;

/// <summary>One <c>KEY=VALUE</c> of a file that a shell could source.</summary>
/// <param name="Key">Name left of the equals sign.</param>
/// <param name="Value">Value with its quoting taken away.</param>
/// <param name="Line">Line where the assignment begins, from 1.</param>
public readonly record struct ShellAssignment(string Key, string Value, int Line);

/// <summary>
/// Reads assignments as the original's init script did, which sourced its file: comments, single and double quotes, backslashes,
/// <c>export</c>, several assignments on a line. Nothing is executed: <c>$</c> and backquotes outside single quotes are refused.
/// </summary>
public static class ShellAssignments
{
    /// <summary>Reads all assignments of a file's text, in order.</summary>
    /// <param name="file">Name for messages.</param>
    /// <param name="text">The file's text.</param>
    /// <exception cref="ClientException">A line is no assignment; the message begins with <c>file:line:</c>.</exception>
    public static IReadOnlyList<ShellAssignment> Parse(string file, string text)
    {
        var found = new List<ShellAssignment>();
        int at = 0, line = 1;
        while (true)
        {
            SkipSpace(text, ref at, ref line);
            if (at >= text.Length) return found;
            int start = line;
            string word = ReadWord(file, text, ref at, ref line, out int equals);
            if (equals < 0 && word is "export") continue;
            if (equals <= 0 || !IsName(word.AsSpan(0, equals)))
                throw new ClientException($"{file}:{start}: '{Short(word)}' is not KEY=VALUE", "put values with spaces in quotes");
            found.Add(new ShellAssignment(word[..equals], word[(equals + 1)..], start));
        }
    }

    private static void SkipSpace(string text, ref int at, ref int line)
    {
        for (; at < text.Length; at++)
        {
            char c = text[at];
            if (c == '#')
            {
                while (at + 1 < text.Length && text[at + 1] != '\n') at++;
                continue;
            }
            if (c == '\\' && at + 1 < text.Length && text[at + 1] == '\n') continue;
            if (c == '\n') line++;
            else if (c is not (' ' or '\t' or '\r' or ';' or '\uFEFF')) return;
        }
    }

    /// <summary>Reads a word up to unquoted white space; <paramref name="equals"/> is the place of its first unquoted '=' or -1.</summary>
    private static string ReadWord(string file, string text, ref int at, ref int line, out int equals)
    {
        var word = new StringBuilder();
        equals = -1;
        char quote = '\0';
        int opened = line;
        for (; at < text.Length; at++)
        {
            char c = text[at];
            if (c == '\n') line++;
            if (quote == '\'')
            {
                if (c == '\'') quote = '\0';
                else word.Append(c);
            }
            else if (c == '\\' && at + 1 < text.Length && (quote == '\0' || text[at + 1] is '"' or '\\' or '$' or '`' or '\n'))
            {
                if (text[++at] == '\n') line++; // the line goes on
                else word.Append(text[at]);
            }
            else if (c is '$' or '`')
            {
                throw new ClientException($"{file}:{line}: '{c}' asks a shell for a value", "write the value itself, or '$' in single quotes");
            }
            else if (quote == '"')
            {
                if (c == '"') quote = '\0';
                else word.Append(c);
            }
            else if (c is '\'' or '"')
            {
                (quote, opened) = (c, line);
            }
            else if (c is ' ' or '\t' or '\r' or '\n' or ';')
            {
                if (c == '\n') line--; // SkipSpace counts it
                break;
            }
            else
            {
                if (c == '=' && equals < 0) equals = word.Length;
                word.Append(c);
            }
        }
        if (quote != '\0') throw new ClientException($"{file}:{opened}: the quote {quote} is not closed");
        return word.ToString();
    }

    private static bool IsName(ReadOnlySpan<char> name)
    {
        if (char.IsAsciiDigit(name[0])) return false;
        foreach (char c in name)
            if (!char.IsAsciiLetterOrDigit(c) && c != '_') return false;
        return true;
    }

    private static string Short(string word) => word.Length <= 40 ? word.ReplaceLineEndings(" ") : word[..40].ReplaceLineEndings(" ") + "…";
}
