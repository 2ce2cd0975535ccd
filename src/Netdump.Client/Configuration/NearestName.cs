namespace Netdump.Client.Configuration;

/// <summary>Finds the name somebody probably meant.</summary>
public static class NearestName
{
    /// <summary>The candidate with the fewest edits (insert, delete, replace, swap of neighbours) from <paramref name="word"/>, without regard to case.</summary>
    public static string Of(string word, IEnumerable<string> candidates) =>
        candidates.MinBy(c => Distance(word.ToUpperInvariant(), c.ToUpperInvariant()))!;

    /// <summary>Number of edits that lead from one word to the other; a swap of two neighbouring letters counts once.</summary>
    public static int Distance(string a, string b)
    {
        int[] before = new int[b.Length + 1], previous = new int[b.Length + 1], current = new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++) previous[j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replace = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                current[j] = Math.Min(replace, Math.Min(previous[j], current[j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) current[j] = Math.Min(current[j], before[j - 2] + 1);
            }
            (before, previous, current) = (previous, current, before);
        }
        return previous[b.Length];
    }
}
