namespace Netdump.Kernel.Incidents;

/// <summary>What one row made of a report: its kind, and its title with <c>{0}</c> where a function goes.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Title">The title.</param>
/// <param name="Frame">Where the function is found; null when the title names none.</param>
internal sealed record TitleDraft(IncidentKind Kind, string Title, FramePlan? Frame = null)
{
    /// <summary>A second title it goes under, or null.</summary>
    public string? Other { get; init; }

    /// <summary>Whether the row fits only reports that are cut.</summary>
    public bool IsCorrupted { get; init; }
}

/// <summary>One row of the table of titles: which line tells a kind, and what the title is.</summary>
/// <param name="Needles">What must follow the head's word in its line; any of them. None: every line fits.</param>
/// <param name="Build">Makes the title from the line's text behind the head's word, and the report; null when the report lacks what the row needs.</param>
internal sealed record TitleRow(string[] Needles, TitleBuild Build)
{
    public static TitleRow Fixed(string needle, IncidentKind kind, string title, FramePlan? frame = null, string? other = null) =>
        new([needle], (_, _, _) => new(kind, title, frame) { Other = other });

    /// <summary>Whether the line's text behind the head's word fits.</summary>
    public bool Match(ReadOnlySpan<char> rest) => Needles.Length == 0 || Text.ContainsAny(rest, Needles);
}

/// <summary>Makes a title.</summary>
/// <param name="rest">The text behind the head's word.</param>
/// <param name="lines">The report.</param>
/// <param name="line">The line that fits.</param>
internal delegate TitleDraft? TitleBuild(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line);

/// <summary>Makes the title of a report.</summary>
internal static class IncidentTitle
{
    /// <summary>The title of a report.</summary>
    /// <param name="head">The head that its first line holds.</param>
    /// <param name="lines">The report's lines up to a second report.</param>
    public static (TitleDraft Draft, string Title, string? Function) Of(Head head, IReadOnlyList<string> lines)
    {
        string word = HeadLines.WordOf(head);
        TitleRow[] rows = TitleRows.Of(head);
        for (int i = 0; i < lines.Count && rows.Length > 0; i++)
        {
            int at = lines[i].IndexOf(word, StringComparison.Ordinal);
            if (at < 0)
                continue;
            ReadOnlySpan<char> rest = lines[i].AsSpan(at + word.Length);
            foreach (TitleRow row in rows)
            {
                if (row.Match(rest) && row.Build(rest, lines, i) is { } draft)
                    return Complete(draft, lines, i);
            }
        }
        ReadOnlySpan<char> first = lines[0].AsSpan(Math.Max(0, lines[0].IndexOf(word, StringComparison.Ordinal)));
        var bare = new TitleDraft(TitleRows.KindOf(head, first), first.ToString()) { IsCorrupted = true };
        return (bare, TitleText.Clean(bare.Title), null);
    }

    private static (TitleDraft Draft, string Title, string? Function) Complete(TitleDraft draft, IReadOnlyList<string> lines, int line)
    {
        if (draft.Frame is null)
            return (draft, TitleText.Clean(draft.Title), null);
        string? function = draft.Frame.Find(lines, line);
        string shown = function is null ? "corrupted" : Machinery.StripSyscall(function);
        return (draft, TitleText.Clean(draft.Title.Replace("{0}", shown, StringComparison.Ordinal)), function);
    }
}
