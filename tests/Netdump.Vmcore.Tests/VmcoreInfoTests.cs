using System.Text;
using CsCheck;

namespace Netdump.Vmcore.Tests;

public class VmcoreInfoTests
{
    [Fact]
    public void Item31_numbers_are_signed_decimal_or_hexadecimal_and_symbols_hexadecimal()
    {
        var info = Parse("NUMBER(phys_base)=-452984832\nNUMBER(VMALLOC_START)=0xff5fc92d40000000\nSYMBOL(prb)=ffffffff86a830a0\n"
            + "NUMBER(PHYS_OFFSET)=0xfff0800040000000\nKERNELOFFSET=3800000\nNUMBER(bad)=0x\nSYMBOL(bad)=0xff\nNUMBER(worse)=12a\n");
        Assert.Equal(-452984832, info.PhysicalBase);
        Assert.Equal(0xff5fc92d40000000, info.UnsignedNumber("VMALLOC_START"));
        Assert.Equal(0xfff0800040000000, info.UnsignedNumber("PHYS_OFFSET"));
        Assert.Equal(0xffffffff86a830a0, info.Symbol("prb"));
        Assert.Equal(0x3800000UL, info.KernelOffset);
        Assert.Null(info.Number("bad"));
        Assert.Null(info.Number("worse"));
        Assert.Null(info.Symbol("bad"));
    }

    [Fact]
    public void Item32_unknown_keys_stay_a_cut_line_is_flagged_and_padding_ignored()
    {
        var info = Parse("OSRELEASE=1\nNEW-KIND<x>=a=b\nOSRELEASE=2\n=odd\nnothing\nKERNELOFF\0\0\0SYMBOL(x)=1\n");
        Assert.Equal("1", info.Release);
        Assert.Equal("a=b", info.Values["NEW-KIND<x>"]);
        Assert.True(info.IsCut);
        Assert.Null(info.Symbol("x"));
        Assert.False(Parse("A=1\n\0\0").IsCut);
    }

    [Fact]
    public void Item32_the_longest_text_is_read_and_an_absurd_one_refused()
    {
        var line = Enumerable.Repeat((byte)'x', 4000).ToArray();
        Assert.Equal(4000, VmcoreInfo.Parse([.. "K="u8, .. line, .. "\n"u8]).Values["K"].Length);
        Assert.Throws<VmcoreFormatException>(() => VmcoreInfo.Parse(new byte[VmcoreInfo.KernelLimit * 16 + 1]));
    }

    [Fact]
    public void Keys_match_as_a_whole()
    {
        var info = Parse("SYMBOL(prb)=1\nSIZE(page)=64\nOFFSET(page.flags)=0\nPAGESIZE=4096\n");
        Assert.Null(info.Symbol("pr"));
        Assert.Equal(64, info.Size("page"));
        Assert.Equal(0, info.Offset("page.flags"));
        Assert.Null(info.Offset("page"));
        Assert.Equal(4096, info.PageSize);
    }

    [Theory]
    [InlineData("PAGESIZE=4095\n")]
    [InlineData("PAGESIZE=0\n")]
    [InlineData("PAGESIZE=-4096\n")]
    [InlineData("PAGESIZE=2097152\n")]
    public void An_impossible_page_size_is_none(string text) => Assert.Null(Parse(text).PageSize);

    [Fact]
    public void Without_its_key_five_level_paging_is_told_by_an_address()
    {
        Assert.True(Parse("SYMBOL(mem_section)=ff3db5c059999840\n").FiveLevelPaging);
        Assert.False(Parse("SYMBOL(mem_section)=ffff8b7f5fff9000\n").FiveLevelPaging);
        Assert.False(Parse("NUMBER(pgtable_l5_enabled)=0\nSYMBOL(mem_section)=ff3db5c059999840\n").FiveLevelPaging);
    }

    [Theory]
    [InlineData("linux-6.1-sysrq", "6.1.0-", true, 52, true, true)]
    [InlineData("linux-6.1-sysrq-4level", "6.1.0-", false, 46, true, true)]
    [InlineData("linux-7.3-sysrq", "7.3.", false, 46, false, false)]
    [InlineData("linux-7.3-sysrq-full", "7.3.", true, 52, false, false)]
    public void Item33_keys_of_real_kernels_read_as_listed(string crash, string release, bool fiveLevels, int physicalBits, bool hasHead, bool hasBase)
    {
        var text = File.ReadAllBytes(SharedData.File(crash, "vmcoreinfo.txt"));
        var info = VmcoreInfo.Parse(text);
        Assert.StartsWith(release, info.Release, StringComparison.Ordinal);
        Assert.Equal(40, info.BuildId!.Length);
        Assert.Equal(4096, info.PageSize);
        Assert.Equal(fiveLevels, info.FiveLevelPaging);
        Assert.Equal(physicalBits, info.Number("MAX_PHYSMEM_BITS"));
        Assert.Equal(fiveLevels ? 262144 : 4096, info.Length("mem_section"));
        Assert.Equal(hasHead, info.Offset("page.compound_head") is not null);
        Assert.Equal(!hasHead, info.Offset("page.compound_info") is not null);
        Assert.Equal(hasBase, info.Symbol("kallsyms_relative_base") is not null);
        Assert.Equal(release[0] == '7' ? 112 : 88, info.Size("printk_info"));
        Assert.Equal(release[0] == '7' ? 44 : 24, info.Offset("printk_info.dev_info"));
        Assert.Equal(0xffffffff81000000, info.Symbol("_stext") - info.KernelOffset);
        Assert.Equal(0UL, info.EncryptionMask);
        Assert.NotNull(info.CrashTime);
        Assert.Equal(Encoding.ASCII.GetString(text).TrimEnd('\0').Count(c => c == '\n'), info.Values.Count);
    }

    [Fact]
    public void Item33_arm64_keys_that_are_larger_than_a_signed_number()
    {
        var info = VmcoreInfo.Parse(File.ReadAllBytes(SharedData.File("linux-6.12-arm64-sysrq", "vmcoreinfo.txt")));
        Assert.Equal(52, info.Number("VA_BITS"));
        Assert.Equal(0xfff1000040000000, info.UnsignedNumber("PHYS_OFFSET"));
        Assert.Equal(0xffff000000000000, info.UnsignedNumber("KERNELPACMASK"));
    }

    [Fact]
    public void Item63_any_text_is_read() => Gen.Byte.Array[0, 300].Sample(bytes =>
    {
        var info = VmcoreInfo.Parse(bytes);
        return info.Release is null || info.Values.ContainsKey("OSRELEASE");
    });

    private static VmcoreInfo Parse(string text) => VmcoreInfo.Parse(Encoding.ASCII.GetBytes(text));
}
