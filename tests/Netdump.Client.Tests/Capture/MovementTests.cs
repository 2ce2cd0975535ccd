using CsCheck;
using Netdump.Client.Capture;

namespace Netdump.Client.Tests.Capture;

public sealed class MovementTests
{
    [Fact]
    public void Bytes_count_once()
    {
        Movement movement = new();
        Assert.Equal(100ul, movement.Advance(100));
        Assert.Equal(0ul, movement.Advance(100));
        Assert.Equal(50ul, movement.Advance(150));
    }

    [Fact]
    public void A_new_session_counts_from_its_start_but_only_a_few_times()
    {
        Movement movement = new();
        movement.Advance(1000);
        for (int i = 0; i < Movement.MaximumReturns; i++)
        {
            Assert.Equal(0ul, movement.Advance(0));
            Assert.Equal(10ul, movement.Advance(10));
        }
        Assert.Equal(0ul, movement.Advance(0));
        Assert.Equal(0ul, movement.Advance(10));
        Assert.Equal(1ul, movement.Advance(11));
    }

    [Fact]
    public void The_sum_has_a_bound_whatever_a_server_does() => Gen.ULong[0, 1000].Array[0, 500].Sample(positions =>
    {
        Movement movement = new();
        ulong sum = 0;
        foreach (ulong position in positions) sum += movement.Advance(position);
        Assert.InRange(sum, 0ul, 1000ul * (Movement.MaximumReturns + 1));
    });
}
