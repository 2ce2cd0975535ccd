namespace Netdump.Fuzz.Tests.Engine;

/// <summary>
/// The coverage-guided loop: an input that takes a new way through the parser is kept, and new inputs are made of what is kept. The
/// number of runs and the seed are fixed, so that each run of the tests does the same work. Called by reflection, in the world of
/// <see cref="InstrumentedWorld"/>: only types of the runtime itself may pass between the two.
/// </summary>
internal static class FuzzLoop
{
    private const int MostFindings = 5;

    /// <summary>The input being run, so that one that never ends can be named.</summary>
    public static volatile byte[] Current = [];

    /// <summary>Fuzzes a target.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="corpus">Inputs to begin with.</param>
    /// <param name="iterations">Runs after those.</param>
    /// <param name="seed">Where the made-up inputs come from.</param>
    /// <returns>Pairs of branches taken, inputs that took new ways, inputs that failed with what they said.</returns>
    public static (int Edges, List<byte[]> Kept, List<(byte[] Input, string Failure)> Findings) Run(
        string name, IReadOnlyList<byte[]> corpus, int iterations, int seed)
    {
        using TraceMap map = new(); // first of all: instrumented code counts into it
        FuzzTarget target = FuzzTarget.Of(name);
        List<byte[]> kept = [];
        List<(byte[], string)> findings = [];
        foreach (byte[] input in corpus.Concat(target.Seeds).Append([])) RunOne(target, map, input, kept, findings);
        if (kept.Count == 0) kept.Add([]);
        Mutator mutator = new(seed, target.Tokens, target.MaximumLength);
        for (int i = 0; i < iterations && findings.Count < MostFindings; i++) RunOne(target, map, mutator.Next(kept), kept, findings);
        return (map.Edges, kept, findings);
    }

    /// <summary>The few of many inputs that together take as many ways as all, shortest first.</summary>
    public static List<byte[]> Minimise(string name, IReadOnlyList<byte[]> inputs)
    {
        using TraceMap map = new(); // first of all: instrumented code counts into it
        FuzzTarget target = FuzzTarget.Of(name);
        HashSet<int> covered = [];
        List<byte[]> chosen = [];
        foreach (byte[] input in inputs.OrderBy(input => input.Length))
        {
            map.Begin();
            _ = target.Try(input);
            int before = covered.Count;
            covered.UnionWith(map.Taken());
            if (covered.Count > before) chosen.Add(input);
        }

        return chosen;
    }

    private static void RunOne(FuzzTarget target, TraceMap map, byte[] input, List<byte[]> kept, List<(byte[], string)> findings)
    {
        Current = input;
        map.Begin();
        string? failure = target.Try(input);
        bool isNew = map.TakeNew();
        if (failure is not null)
        {
            // Many inputs lead to one fault: the place where it was thrown tells them apart.
            if (findings.TrueForAll(finding => Place(finding.Item2) != Place(failure))) findings.Add((input, failure));
        }
        else if (isNew)
        {
            kept.Add(input);
        }
    }

    private static string Place(string failure)
    {
        string[] lines = failure.Split('\n');
        return Array.Find(lines, line => line.TrimStart().StartsWith("at ", StringComparison.Ordinal)) ?? "";
    }
}
