namespace Netdump.Client.Host;

/// <summary>
/// Tells each trouble once: when it begins, when its words change, and, if nobody repaired it, when it is over. A trouble that comes back in the
/// very next look is still the same one.
/// </summary>
/// <param name="tell">Told what is new.</param>
public sealed class IncidentLog(Action<Check> tell)
{
    private readonly Dictionary<string, (Check Check, bool Repaired)> _open = [];

    /// <summary>Takes what one look found.</summary>
    /// <param name="found">Troubles by a name of theirs, and whether each was repaired.</param>
    /// <param name="complete">False when the look was broken off: what it did not find may still be so.</param>
    public void Note(IReadOnlyDictionary<string, (Check Check, bool Repaired)> found, bool complete)
    {
        foreach ((string key, (Check check, bool repaired)) in found)
        {
            // Repaired and lost again at each look: the second time and later is no news.
            if (!_open.TryGetValue(key, out (Check Check, bool Repaired) before) || before.Repaired != repaired || (!repaired && before.Check != check)) tell(check);
            _open[key] = (check, repaired);
        }
        if (!complete) return;
        foreach (string key in _open.Keys.Where(k => !found.ContainsKey(k)).ToArray())
        {
            (Check check, bool repaired) = _open[key];
            _open.Remove(key);
            if (!repaired) tell(new Check(CheckLevel.Ok, check.Name, $"over: {check.Fact}"));
        }
    }
}
