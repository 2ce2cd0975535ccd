using Netdump.Kernel.Incidents;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Incidents;

/// <summary>The recorded logs with kernel bugs: each says in its header what a good reader concludes.</summary>
internal sealed record OopsTitles(string Name, string? Title, IReadOnlyList<string> Others, bool IsCorrupted, IReadOnlyList<string> Log)
{
    public static IReadOnlyList<OopsTitles> All { get; } = [.. Directory.EnumerateFiles(Path.Combine(SharedData.Root, "oops-titles")).Select(Read)];

    public LogAnalysis Analysis => LogAnalysis.Of(Log.Select(l => ConsoleLine.Parse(l)));

    private static OopsTitles Read(string path)
    {
        string? title = null;
        List<string> others = [];
        bool corrupted = false;
        string[] lines = File.ReadAllText(path).Split('\n');
        int i = 0;
        for (; i < lines.Length && lines[i].Length > 0; i++)
        {
            if (lines[i].StartsWith("TITLE: ", StringComparison.Ordinal))
                title = lines[i]["TITLE: ".Length..];
            else if (lines[i].StartsWith("ALT: ", StringComparison.Ordinal))
                others.Add(lines[i]["ALT: ".Length..]);
            else if (lines[i].StartsWith("CORRUPTED: Y", StringComparison.Ordinal))
                corrupted = true;
        }
        int end = Array.IndexOf(lines, "REPORT:");
        return new(Path.GetFileName(path), title, others, corrupted, lines[Math.Min(i + 1, lines.Length)..(end < 0 ? lines.Length : end)]);
    }
}
