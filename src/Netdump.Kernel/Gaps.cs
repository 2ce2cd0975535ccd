namespace Netdump.Kernel;

/// <summary>What an analysis could not read, and why: a report goes on without it and says so.</summary>
public sealed class Gaps
{
    /// <summary>The most gaps that are kept: a hostile dump could have one for each structure.</summary>
    public const int Maximum = 100;

    private readonly Dictionary<string, string> _reasons = new(StringComparer.Ordinal);

    /// <summary>What is missing, each thing once, in the order it was met.</summary>
    public IEnumerable<KeyValuePair<string, string>> All => _reasons;

    /// <summary>How many more were met than are kept.</summary>
    public int Dropped { get; private set; }

    /// <summary>Notes that something could not be read; the first reason given for a thing stays.</summary>
    /// <param name="what">The thing, in the reader's words: <c>symbols</c>, <c>the stack of PID 12</c>.</param>
    /// <param name="why">The reason, an address or a key in it.</param>
    public void Add(string what, string why)
    {
        if (_reasons.Count < Maximum)
            _reasons.TryAdd(what, why);
        else if (!_reasons.ContainsKey(what))
            Dropped++;
    }
}
