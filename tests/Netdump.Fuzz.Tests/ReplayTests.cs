using Netdump.Fuzz.Tests.Engine;

namespace Netdump.Fuzz.Tests;

/// <summary>The kept inputs, once each, in the assemblies as they are: an input that broke a parser once is a file here, and stays one.</summary>
public sealed class ReplayTests
{
    public static TheoryData<string> Parsers => FuzzTests.Parsers;

    [Theory]
    [MemberData(nameof(Parsers))]
    public void The_corpus_is_read_without_a_fault(string target)
    {
        IReadOnlyList<(string File, byte[] Bytes)> corpus = Corpus.Of(target);
        Assert.True(corpus.Count > 0, $"Corpus/{target} is empty: docs/testing.md says how to fill it");
        FuzzTarget parser = FuzzTarget.Of(target);
        Assert.All(corpus, input => Assert.Null(parser.Try(input.Bytes)));
    }

    [Theory]
    [MemberData(nameof(Parsers))]
    public void The_seeds_are_read_without_a_fault(string target)
    {
        FuzzTarget parser = FuzzTarget.Of(target);
        Assert.All(parser.Seeds, seed =>
        {
            Assert.InRange(seed.Length, 0, parser.MaximumLength);
            Assert.Null(parser.Try(seed));
        });
    }

    [Fact]
    public void Each_folder_belongs_to_a_target_and_its_files_are_small()
    {
        foreach (string folder in Corpus.Targets)
        {
            Assert.Contains(folder, FuzzTarget.All.Select(target => target.Name));
            Assert.All(Corpus.Of(folder), file => Assert.InRange(file.Bytes.Length, 0, FuzzTarget.Of(folder).MaximumLength));
        }
    }
}
