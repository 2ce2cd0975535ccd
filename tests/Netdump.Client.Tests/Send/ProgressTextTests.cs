using CsCheck;
using Netdump.Client.Send;

namespace Netdump.Client.Tests.Send;

public sealed class ProgressTextTests
{
    private static string Text(ulong pages, ulong total, double rate, double? seconds) => ProgressText.Of(new SendProgress(
        SendStage.Sending, null!, pages, total, pages * 4096, total * 4096, rate, seconds is { } s ? TimeSpan.FromSeconds(s) : null, true, SendOutcome.None));

    [Theory]
    [InlineData(123, 94.06e6, 19.0, "12.3 % of 4 MB, 94.1 MB/s, 19 s left")]
    [InlineData(500, 1e6, 600.0, "50.0 % of 4 MB, 1.0 MB/s, 10 min left")]
    [InlineData(500, 1e6, 9000.0, "50.0 % of 4 MB, 1.0 MB/s, 2.5 h left")]
    [InlineData(500, 0.0, null, "50.0 % of 4 MB")]
    [InlineData(500, 100.0, 1e9, "50.0 % of 4 MB, 0.0 MB/s, waiting")]
    [InlineData(1000, 5e6, 0.0, "100.0 % of 4 MB, the server completes it")]
    public void Share_speed_and_time_left_are_told(ulong pages, double rate, double? seconds, string text) =>
        Assert.Equal(text, Text(pages, 1000, rate, seconds));

    [Fact]
    public void Any_numbers_make_one_short_line() =>
        Gen.Select(Gen.UInt, Gen.UInt, Gen.Double[0, 1e12], Gen.Double[0, 1e9]).Sample((sent, total, rate, seconds) =>
        {
            string line = Text(sent, total, rate, seconds);
            Assert.True(line.Length < 100 && !line.Contains("NaN", StringComparison.Ordinal) && !line.Contains('\n', StringComparison.Ordinal), line);
        });
}
