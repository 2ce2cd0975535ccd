using CsCheck;
using Netdump.Client.Capture;

namespace Netdump.Client.Tests.Capture;

public sealed class ProgressLinesTests
{
    [Fact]
    public void A_line_comes_every_interval_and_says_share_speed_and_time_left()
    {
        ProgressLines lines = new(TimeSpan.FromSeconds(3));
        Assert.Null(lines.Update(0, 600_000_000, TimeSpan.FromSeconds(10)));
        Assert.Null(lines.Update(1_000_000, 600_000_000, TimeSpan.FromSeconds(12.9)));
        Assert.Equal("10.0 % of 600 MB, 20.0 MB/s, 27 s left", lines.Update(60_000_000, 600_000_000, TimeSpan.FromSeconds(13)));
        Assert.Null(lines.Update(61_000_000, 600_000_000, TimeSpan.FromSeconds(14)));
        Assert.Equal("20.0 % of 600 MB, 20.0 MB/s, 24 s left", lines.Update(120_000_000, 600_000_000, TimeSpan.FromSeconds(16)));
    }

    [Fact]
    public void A_standstill_and_a_new_session_are_seen()
    {
        ProgressLines lines = new(TimeSpan.FromSeconds(3));
        lines.Update(0, 100_000_000, TimeSpan.FromSeconds(0));
        Assert.Equal("0.0 % of 100 MB, 0.0 MB/s, waiting", lines.Update(0, 100_000_000, TimeSpan.FromSeconds(3)));
        Assert.Contains("30.0 %", lines.Update(30_000_000, 100_000_000, TimeSpan.FromSeconds(6)), StringComparison.Ordinal);
        Assert.Null(lines.Update(0, 100_000_000, TimeSpan.FromSeconds(9)));
        Assert.Equal("100.0 % of 100 MB, 33.3 MB/s, ending", lines.Update(100_000_000, 100_000_000, TimeSpan.FromSeconds(12)));
    }

    [Fact]
    public void Any_numbers_make_one_line() => Gen.Select(Gen.ULong, Gen.ULong, Gen.Double[0, 1e6]).Array[1, 20].Sample(updates =>
    {
        ProgressLines lines = new(TimeSpan.FromSeconds(1));
        foreach ((ulong sent, ulong total, double time) in updates.OrderBy(u => u.Item3))
        {
            string? line = lines.Update(sent, total, TimeSpan.FromSeconds(time));
            Assert.True(line is null || (line.Length < 100 && !line.Contains("NaN", StringComparison.Ordinal)), line);
        }
    });
}
