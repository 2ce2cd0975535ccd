using System.Buffers;

namespace Netdump.Kernel.Incidents;

/// <summary>A set of words that function names are held against: parts of names, whole names, beginnings and ends.</summary>
internal sealed class NameWords
{
    private readonly SearchValues<string> _parts;
    private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> _names;
    private readonly string[] _starts;
    private readonly string[] _ends;

    /// <param name="words">Words apart by spaces: <c>part</c>, <c>^start</c>, <c>end$</c>, <c>^name$</c>.</param>
    public NameWords(string words)
    {
        List<string> parts = [], starts = [], ends = [];
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (string word in words.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (word[0] == '^' && word[^1] == '$')
                names.Add(word[1..^1]);
            else if (word[0] == '^')
                starts.Add(word[1..]);
            else if (word[^1] == '$')
                ends.Add(word[..^1]);
            else
                parts.Add(word);
        }
        _parts = SearchValues.Create([.. parts], StringComparison.Ordinal);
        _names = names.GetAlternateLookup<ReadOnlySpan<char>>();
        _starts = [.. starts];
        _ends = [.. ends];
    }

    /// <summary>Whether any word fits the name.</summary>
    public bool Match(ReadOnlySpan<char> name)
    {
        if (name.ContainsAny(_parts) || _names.Contains(name))
            return true;
        foreach (string start in _starts)
        {
            if (name.StartsWith(start, StringComparison.Ordinal))
                return true;
        }
        foreach (string end in _ends)
        {
            if (name.EndsWith(end, StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}
