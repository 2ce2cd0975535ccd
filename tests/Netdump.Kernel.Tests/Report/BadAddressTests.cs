using CsCheck;
using Netdump.Kernel.Report;

namespace Netdump.Kernel.Tests.Report;

public class BadAddressTests
{
    [Theory]
    [InlineData(0UL, "fault-null", "a null pointer")]
    [InlineData(0x18UL, "fault-null", "0x18 bytes into a null pointer")]
    [InlineData(0xfffUL, "fault-null", "0xfff bytes into a null pointer")]
    [InlineData(0xffff_ffff_ffff_fff4UL, "fault-error-pointer", "-12, ENOMEM")]
    [InlineData(0xffff_ffff_ffff_f001UL, "fault-error-pointer", "-4095")]
    [InlineData(0xdead_0000_0000_0100UL, "fault-poison", "LIST_POISON1")]
    [InlineData(0xdead_0000_0000_0122UL, "fault-poison", "LIST_POISON2")]
    [InlineData(0xdead_0000_0000_0108UL, "fault-poison", "near LIST_POISON1")]
    [InlineData(0x6b6b_6b6b_6b6b_6b6bUL, "fault-poison", "freed slab object")]
    [InlineData(0x6b6b_6b6b_6b6b_6c83UL, "fault-poison", "freed slab object")]
    [InlineData(0xaaaa_aaaa_aaaa_aaaaUL, "fault-poison", "free page")]
    [InlineData(0x6f77_206f_6c6c_6548UL, "fault-noncanonical", "the text \"Hello wo\"")]
    [InlineData(0x0001_2345_6789_abcdUL, "fault-noncanonical", "no address at all")]
    public void User44_bad_addresses_are_explained_in_words(ulong address, string id, string words)
    {
        var meaning = BadAddress.Of(address);
        Assert.Equal(id, meaning?.Id);
        Assert.Contains(words, meaning?.Words, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x1000UL)]
    [InlineData(0x7fff_ffff_f000UL)]
    [InlineData(0xffff_8880_0000_1000UL)]
    [InlineData(0xffff_ffff_8100_0000UL)]
    public void Nothing_is_said_of_ordinary_addresses(ulong address) => Assert.Null(BadAddress.Of(address));

    [Fact]
    public void Five_levels_make_more_addresses_canonical()
    {
        Assert.NotNull(BadAddress.Of(0x0001_2345_6789_abcd));
        Assert.Null(BadAddress.Of(0x0001_2345_6789_abcd, canonicalBits: 57));
        Assert.NotNull(BadAddress.Of(0x0123_4567_89ab_cdef, canonicalBits: 57));
    }

    [Fact]
    public void Every_address_has_an_answer_or_none() =>
        Gen.ULong.Sample(address => BadAddress.Of(address) is not { Words.Length: 0 });
}
