using CsCheck;
using Netdump.Client.Send;

namespace Netdump.Client.Tests.Send;

public class SendMeterTests
{
    [Fact]
    public void Each_page_counts_once_whatever_is_asked_again() =>
        Gen.Select(Gen.Int[0, 3000], Gen.Int[0, 200]).Array[0, 200].Sample(steps =>
        {
            var meter = new SendMeter(10_000_000, 4096);
            var sent = new HashSet<uint>();
            var highest = 0u;
            foreach (var (ahead, behind) in steps)
            {
                highest += (uint)ahead;
                var page = highest > behind ? highest - (uint)behind : 0;
                sent.Add(page);
                meter.Sent(page);
            }
            return meter.PagesSent == (ulong)sent.Count;
        });

    [Fact]
    public void Pages_behind_a_wide_hole_are_new()
    {
        var meter = new SendMeter(3, 4096);
        meter.Sent(5);
        meter.Sent(5 + (1 << 20));
        meter.Sent(5 + (3 << 20));
        meter.Sent(5); // a new session asks from the start
        Assert.Equal(3UL, meter.PagesSent);
    }

    [Fact]
    public void The_rate_tells_the_time_left()
    {
        var meter = new SendMeter(1000, 4096);
        meter.Measure(TimeSpan.FromSeconds(10));
        for (var page = 0u; page < 250; page++)
            meter.Sent(page);
        meter.Measure(TimeSpan.FromSeconds(11));
        var progress = meter.Progress(SendStage.Sending, null!, isOurs: true, SendOutcome.None);
        Assert.Equal((250UL, 250 * 4096.0, TimeSpan.FromSeconds(3)), (progress.PagesSent, progress.BytesPerSecond, progress.TimeLeft));
    }
}
