using System.Globalization;
using Netdump.Kernel.Symbols;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Symbols;

public class SyntheticSymbolsTests
{
    private static readonly Lazy<List<KernelSymbol>> Linux73 = new(() =>
    [
        .. File.ReadLines(SharedData.UnpackedPath("linux-7.3-sysrq", "truth/kallsyms.txt.zst")).Where(line => !line.EndsWith(']'))
            .Select(line => new KernelSymbol(ulong.Parse(line[..16], NumberStyles.HexNumber, CultureInfo.InvariantCulture), line[17], line[19..], null)),
    ]);

    public static TheoryData<int, bool> Forms => new()
    {
        { (int)AddressMode.AbsolutePerCpu, false }, { (int)AddressMode.AbsolutePerCpu, true }, { (int)AddressMode.BaseRelative, false },
        { (int)AddressMode.BaseRelative, true }, { (int)AddressMode.PlaceRelative, false }, { (int)AddressMode.PlaceRelative, true },
        { (int)AddressMode.Whole, false }, { (int)AddressMode.Whole, true },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void Item3_each_form_of_the_tables_gives_all_209812_symbols_of_7_3(int mode, bool search)
    {
        var gaps = new Gaps();
        var symbols = new KallsymsImage(Linux73.Value, (AddressMode)mode, at: Linux73.Value[0].Address + 0x120_0000).Open(gaps, search);
        Assert.Empty(gaps.All);
        Assert.Equal((AddressMode)mode, symbols!.Mode);
        Assert.Equal(209_812, symbols.Count);
        Assert.Equal(Linux73.Value, symbols.All);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(-4)]
    [InlineData(8)]
    public void Item3_a_place_next_to_the_right_one_is_refused_although_stext_looks_right(int distance)
    {
        var gaps = new Gaps();
        var image = new KallsymsImage(Linux73.Value, AddressMode.PlaceRelative, at: Linux73.Value[0].Address + 0x120_0000);
        image.Place = image.Place with { Offsets = image.Place.Offsets + (ulong)distance };
        Assert.Null(image.Open(gaps));
        Assert.Contains("VMCOREINFO", Assert.Single(gaps.All).Value, StringComparison.Ordinal);
    }

    [Fact]
    public void User28_on_7_3_no_data_symbol_is_code_because_its_letter_is_T()
    {
        var symbols = new KallsymsImage(Linux73.Value, AddressMode.PlaceRelative, at: Linux73.Value[0].Address + 0x120_0000).Open(new Gaps())!;
        foreach (var name in (string[])["init_task", "jiffies", "modules", "timekeeper_data", "current_task", "init_uts_ns", "prb"])
        {
            var letter = Linux73.Value.First(symbol => symbol.Name == name).Letter;
            Assert.True(symbols.TryFind(name, out var address), name);
            Assert.False(symbols.IsText(address), $"{name} ({letter})");
        }
        Assert.Contains(Linux73.Value, symbol => symbol is { Name: "init_task", Letter: 'T' });
        Assert.True(symbols.TryFind("schedule", out var code) && symbols.IsText(code));
        Assert.True(symbols.TryFind("start_kernel", out var init) && !symbols.IsText(init) && symbols.IsInitText(init));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Item4_a_length_from_128_on_is_read_as_the_markers_say(bool longLengths)
    {
        // 0x81 0x02: 257 tokens in two bytes; or 129, of which the first is the token 2.
        var symbols = Few();
        symbols.Insert(3, new(KallsymsImage.Text + 0x180, longLengths ? 'T' : '\u0002', new string('n', longLengths ? 256 : 128), null));
        for (var i = 0; i < 600; i++)
            symbols.Insert(4 + i, new(KallsymsImage.Text + 0x200 + (ulong)i, 't', $"f{i}", null));
        var gaps = new Gaps();
        var opened = new KallsymsImage(symbols, AddressMode.BaseRelative, longLengths).Open(gaps);
        Assert.Empty(gaps.All);
        Assert.Equal(symbols, opened!.All);
    }

    [Fact]
    public void Item4_a_second_byte_with_its_highest_bit_set_is_no_length()
    {
        var gaps = new Gaps();
        var image = new KallsymsImage(Few(), AddressMode.BaseRelative);
        image.Write(image.Place.Names, (byte)0x85);
        image.Write(image.Place.Names + 1, (byte)0x85);
        Assert.Null(image.Open(gaps));
        Assert.Contains("kallsyms_names: symbol 0 ", Assert.Single(gaps.All).Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Addresses_that_do_not_ascend_are_found_all_the_same()
    {
        var symbols = Few();
        symbols.Reverse();
        var opened = new KallsymsImage(symbols, AddressMode.BaseRelative).Open(new Gaps())!;
        Assert.Equal(symbols, opened.All);
        Assert.Equal("first+0x8/0x100", opened.Render(KallsymsImage.Text + 0x108, isReturnAddress: false));
        Assert.Equal("second_alias+0x0/0x100", opened.Render(KallsymsImage.Text + 0x200, isReturnAddress: false));
        Assert.Equal("first+0x100/0x100", opened.Render(KallsymsImage.Text + 0x200, isReturnAddress: true));
    }

    [Fact]
    public void Item8_outside_of_the_image_there_is_no_symbol()
    {
        var symbols = Few();
        symbols.Insert(0, new(0, 'A', "per_cpu_start", null));
        symbols.Insert(1, new(0x1000, 'A', "runqueues", null));
        var opened = new KallsymsImage(symbols, AddressMode.AbsolutePerCpu).Open(new Gaps())!;
        foreach (var address in (ulong[])[0, 0x28, 0x1000, 0x10_0000, KallsymsImage.Text - 1, KallsymsImage.End, ulong.MaxValue])
        {
            Assert.False(opened.TryResolve(address, out _));
            Assert.Equal($"0x{address:x}", opened.Render(address, isReturnAddress: false));
        }
        Assert.True(opened.TryFind("runqueues", out var percpu) && percpu == 0x1000);
        Assert.Equal("init_uts_ns+0x10/0x3dff000", opened.Render(KallsymsImage.Text + 0x1010, isReturnAddress: false));
        Assert.Equal("init_uts_ns+0x3dfefff/0x3dff000", opened.Render(KallsymsImage.End - 1, isReturnAddress: false));
    }

    [Fact]
    public void All_symbols_of_a_name_are_found_in_order()
    {
        var symbols = Few();
        for (var i = 0; i < 5; i++)
            symbols.Insert(3 + i, new(KallsymsImage.Text + 0x300 + (ulong)i, 't', "same", null));
        var opened = new KallsymsImage(symbols, AddressMode.PlaceRelative).Open(new Gaps())!;
        Assert.Equal(Enumerable.Range(0, 5).Select(i => KallsymsImage.Text + 0x300 + (ulong)i), opened.FindAll("same"));
        Assert.Empty(opened.FindAll("other"));
        Assert.Empty(opened.FindAll(""));
        Assert.False(opened.TryFind(new string('x', 5000), out _));
    }

    internal static List<KernelSymbol> Few() =>
    [
        new(KallsymsImage.Text, 'T', "_stext", null),
        new(KallsymsImage.Text, 'T', "_text", null),
        new(KallsymsImage.Text + 0x100, 't', "first", null),
        new(KallsymsImage.Text + 0x200, 'W', "second", null),
        new(KallsymsImage.Text + 0x200, 'T', "second_alias", null),
        new(KallsymsImage.Text + 0x300, 'T', "_etext", null),
        new(KallsymsImage.Text + 0x1000, 'D', "init_uts_ns", null),
        new(KallsymsImage.End, 'B', "_end", null),
    ];
}
