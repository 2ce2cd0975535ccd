using CsCheck;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

public class SequenceSetTests
{
    [Fact]
    public void Random_numbers_stay_within_bounds()
    {
        Gen.ULong.Array[0, 2000].Sample(
            numbers =>
            {
                SequenceSet set = new();
                foreach (ulong number in numbers) set.Add(number);
                Assert.InRange(set.RangeCount, 0, SequenceSet.MaximumRanges);
                Assert.All(numbers, n => Assert.True(set.Contains(n)));
            },
            iter: 100);
    }

    [Fact]
    public void A_set_of_numbers_is_exact_while_its_ranges_suffice()
    {
        Gen.OneOf(Gen.ULong[0, 150], Gen.ULong[ulong.MaxValue - 5, ulong.MaxValue]).Array[0, 200].Sample(numbers =>
        {
            SequenceSet set = new();
            HashSet<ulong> model = [];
            foreach (ulong number in numbers) Assert.Equal(model.Add(number), set.Add(number));
            for (ulong i = 0; i < 160; i++) Assert.Equal(model.Contains(i), set.Contains(i));
            Assert.Equal(model.Contains(ulong.MaxValue), set.Contains(ulong.MaxValue));
        });
    }

    [Fact]
    public void A_gap_that_has_just_opened_is_not_forgotten_for_older_ones()
    {
        // A sender whose loglevel leaves out every other record, and two records on the way that changed places.
        SequenceSet set = new();
        for (ulong number = 0; number < 2000; number += 4) Assert.True(set.Add(number));
        Assert.True(set.Add(2002));
        Assert.True(set.Add(2004));
        Assert.False(set.Contains(2003));
        Assert.False(set.Contains(1998));
        Assert.True(set.Add(2003));
    }
}
