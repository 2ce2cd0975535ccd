using CsCheck;
using Netdump.Client.Capture;

namespace Netdump.Client.Tests.Capture;

public sealed class RehearsalTests
{
    [Theory]
    [InlineData("console=ttyS0 netdump.rehearse=kill panic=10\n", RehearsedFailure.Kill, false)]
    [InlineData("netdump.rehearse=kill:once", RehearsedFailure.Kill, false)]
    [InlineData("netdump.rehearse=memory:always", RehearsedFailure.Memory, true)]
    [InlineData("a netdump.rehearse=hang", RehearsedFailure.Hang, false)]
    [InlineData("a=b xnetdump.rehearse=hang", RehearsedFailure.None, false)]
    [InlineData("", RehearsedFailure.None, false)]
    public void The_command_line_says_what_goes_wrong(string commandLine, RehearsedFailure failure, bool always)
    {
        Assert.Equal(new Rehearsal(failure, always), Rehearsal.Parse(commandLine, out string? complaint));
        Assert.Null(complaint);
    }

    [Theory]
    [InlineData("netdump.rehearse=explode")]
    [InlineData("netdump.rehearse=")]
    [InlineData("netdump.rehearse=kill:sometimes")]
    [InlineData("netdump.rehearse=kill:always:twice")]
    public void What_is_not_known_is_told_and_does_nothing(string commandLine)
    {
        Assert.Equal(RehearsedFailure.None, Rehearsal.Parse(commandLine, out string? complaint).Failure);
        Assert.StartsWith(commandLine, complaint, StringComparison.Ordinal);
    }

    [Fact]
    public void Once_means_the_first_child_and_always_each_one()
    {
        Rehearsal once = new(RehearsedFailure.Kill, Always: false), always = new(RehearsedFailure.Kill, Always: true);
        Assert.False(once.IsDue(1, Rehearsal.Threshold - 1));
        Assert.True(once.IsDue(1, Rehearsal.Threshold));
        Assert.False(once.IsDue(2, Rehearsal.Threshold));
        Assert.True(always.IsDue(2, Rehearsal.Threshold));
        Assert.False(default(Rehearsal).IsDue(1, ulong.MaxValue));
    }

    [Fact]
    public void Random_command_lines_never_throw() => Gen.String.Sample(text => Rehearsal.Parse(text + " netdump.rehearse=" + text, out _));
}
