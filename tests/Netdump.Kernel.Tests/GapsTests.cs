namespace Netdump.Kernel.Tests;

public class GapsTests
{
    [Fact]
    public void A_thing_is_noted_once_with_its_first_reason_and_the_list_is_bounded()
    {
        var gaps = new Gaps();
        gaps.Add("symbols", "first");
        gaps.Add("symbols", "second");
        Assert.Equal([new("symbols", "first")], gaps.All);
        for (var i = 0; i < 200; i++)
            gaps.Add($"stack {i}", "gone");
        Assert.Equal(Gaps.Maximum, gaps.All.Count());
        Assert.Equal(101, gaps.Dropped);
        gaps.Add("symbols", "again");
        Assert.Equal(101, gaps.Dropped);
    }
}
