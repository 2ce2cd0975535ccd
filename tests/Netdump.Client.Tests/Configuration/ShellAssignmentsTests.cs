using CsCheck;
using Netdump.Client.Configuration;

namespace Netdump.Client.Tests.Configuration;

public class ShellAssignmentsTests
{
    private static IEnumerable<(string, string)> Parse(string text) => ShellAssignments.Parse("f", text).Select(a => (a.Key, a.Value));

    [Theory]
    [InlineData("A=b", "A", "b")]
    [InlineData("  export A=b  # remark", "A", "b")]
    [InlineData("A='x y $z `q` \\n'", "A", "x y $z `q` \\n")]
    [InlineData("A=\"x \\\"y\\\" \\$z \\n\"", "A", "x \"y\" $z \\n")]
    [InlineData("A=x\\ y", "A", "x y")]
    [InlineData("A=a'b'\"c\"d", "A", "abcd")]
    [InlineData("A=a#b", "A", "a#b")]
    [InlineData("A=", "A", "")]
    [InlineData("A=\"\"", "A", "")]
    [InlineData("A=x=y", "A", "x=y")]
    [InlineData("A=\"one\\\ntwo\"", "A", "onetwo")]
    [InlineData("A='one\ntwo'", "A", "one\ntwo")]
    [InlineData("A=b\r\n", "A", "b")]
    public void Reads_what_a_shell_reads(string text, string key, string value) => Assert.Equal([(key, value)], Parse(text));

    [Fact]
    public void Several_on_a_line_and_empty_lines() =>
        Assert.Equal([("A", "1"), ("B", "2"), ("C", "3")], Parse("# head\n\nA=1 B=2;C=3\n   # tail"));

    [Fact]
    public void The_line_is_that_of_the_beginning()
    {
        IReadOnlyList<ShellAssignment> all = ShellAssignments.Parse("f", "# one\nA='x\ny'\n\nB=2\nC=3 \\\n D=4\n");
        Assert.Equal([2, 5, 6, 7], all.Select(a => a.Line));
    }

    [Theory]
    [InlineData("A=1\nB", "f:2: 'B' is not KEY=VALUE")]
    [InlineData("A=1 2", "f:1: '2' is not KEY=VALUE")]
    [InlineData("=x", "f:1:")]
    [InlineData("1A=x", "f:1:")]
    [InlineData("A-B=x", "f:1:")]
    [InlineData("\nA='x\n", "f:2: the quote ' is not closed")]
    [InlineData("A=$(uname -r)", "f:1: '$' asks a shell")]
    [InlineData("A=\"`id`\"", "f:1: '`' asks a shell")]
    public void Says_where_what_is_wrong(string text, string message) => Assert.StartsWith(message, Assert.Throws<ClientException>(() => Parse(text).ToArray()).Message);

    [Fact]
    public void Values_in_single_quotes_come_back() =>
        Gen.String[Gen.Char[' ', '~'], 0, 40].Array[0, 6].Sample(values =>
        {
            string text = string.Join('\n', values.Select((v, i) => $"K{i}='{v.Replace("'", "'\\''", StringComparison.Ordinal)}'"));
            return Parse(text).Select(p => p.Item2).SequenceEqual(values);
        });

    [Fact]
    public void Any_text_is_read_or_refused_in_one_line() =>
        Gen.String[Gen.Char[" \n\r\t=#;'\"\\$`AZaz09_\uFEFF"], 0, 60].Sample(text =>
        {
            try
            {
                _ = ShellAssignments.Parse("f", text);
            }
            catch (ClientException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        });
}
