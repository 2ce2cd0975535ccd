using Netdump.Fuzz.Tests.Engine;
using Netdump.Fuzz.Tests.Targets;

namespace Netdump.Fuzz.Tests;

/// <summary>
/// Issue 4, proof 5: each parser under a coverage-guided fuzzer, a fixed number of inputs from a fixed seed.
/// <c>NETDUMP_FUZZ_ITERATIONS</c> and <c>NETDUMP_FUZZ_SEED</c> set others, <c>NETDUMP_FUZZ_TARGETS</c> names the parsers, separated by commas; <c>NETDUMP_FUZZ_KEEP=1</c> keeps what was found as the new
/// corpus in the source tree (docs/testing.md).
/// </summary>
public sealed class FuzzTests
{
    private const int Seed = 20_021_125;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private static int Iterations => Number("NETDUMP_FUZZ_ITERATIONS", 20_000);

    public static TheoryData<string> Parsers => [.. FuzzTarget.All.Select(target => target.Name).Where(name => name != nameof(PlantedFault) && IsWanted(name))];

    [Theory]
    [MemberData(nameof(Parsers))]
    public void Proof5_no_input_breaks_it(string target)
    {
        (int edges, List<byte[]> kept, List<(byte[] Input, string Failure)> findings) = Fuzz(target, Iterations, Number("NETDUMP_FUZZ_SEED", Seed));
        if (Number("NETDUMP_FUZZ_KEEP", 0) != 0) Keep(target, [.. kept, .. findings.Select(finding => finding.Input)]);
        Assert.True(edges > 10, $"only {edges} pairs of branches were taken: is the parser instrumented, and are its seeds sound?");
        Assert.True(findings.Count == 0, string.Join("\n\n", findings.Select(finding => Describe(target, finding.Input, finding.Failure))));
    }

    [Fact]
    public void The_fuzzer_finds_by_coverage_what_chance_does_not()
    {
        // Six bytes that must be right one after the other: one chance in 2^48 without guidance.
        (_, _, List<(byte[] Input, string Failure)> findings) = Fuzz(nameof(PlantedFault), 150_000, Seed);
        Assert.Contains(findings, finding => finding.Input.AsSpan().StartsWith(PlantedFault.Key) && finding.Failure.Contains("planted", StringComparison.Ordinal));
    }

    private static (int Edges, List<byte[]> Kept, List<(byte[] Input, string Failure)> Findings) Fuzz(string target, int iterations, int seed)
    {
        byte[][] corpus = [.. Corpus.Of(target).Select(file => file.Bytes)];
        InstrumentedWorld world = InstrumentedWorld.Instance;
        var running = Task.Factory.StartNew(
            () => world.Run(target, corpus, (int)(iterations * FuzzTarget.Of(target).Share), seed), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Assert.True(running.Wait(Limit), Describe(target, world.Current, "it does not end"));
        return running.Result;
    }

    /// <summary>The corpus is small: what the seeds show already is not stored, nor what is long.</summary>
    private static void Keep(string target, List<byte[]> inputs)
    {
        HashSet<string> seeds = [.. FuzzTarget.Of(target).Seeds.Select(Corpus.NameOf)];
        byte[][] few = [.. inputs.Where(input => input.Length <= Corpus.LongestFile)];
        Corpus.Write(target, InstrumentedWorld.Instance.Minimise(target, few).Where(input => !seeds.Contains(Corpus.NameOf(input))));
    }

    private static string Describe(string target, byte[] input, string failure) =>
        $"{failure}\nsave the input as tests/Netdump.Fuzz.Tests/Corpus/{target}/{Corpus.NameOf(input)}: base64 -d <<< {Convert.ToBase64String(input)}";

    private static bool IsWanted(string target) =>
        Environment.GetEnvironmentVariable("NETDUMP_FUZZ_TARGETS") is not { Length: > 0 } names || names.Split(',').Contains(target);

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text) : otherwise;
}
