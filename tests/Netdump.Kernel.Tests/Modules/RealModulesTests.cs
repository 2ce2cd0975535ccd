using System.Globalization;
using System.Text;
using Netdump.Kernel.Facts;
using Netdump.Kernel.Modules;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Modules;

public class RealModulesTests
{
    public static TheoryData<string, string> Living => Symbols.RealSymbolsTests.Living;

    [Theory]
    [MemberData(nameof(Living))]
    public void Item43_modules_equal_proc_modules_of_the_living_guest(string crash, string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var actual = kernel.Modules.Select(Line).ToList();
        Assert.Equal(File.ReadAllLines(SharedData.File(crash, "truth/modules.txt")), actual);
        Assert.True(kernel.Modules.IsWhole);
        Assert.Empty(kernel.Gaps.All);
    }

    [Theory]
    [MemberData(nameof(Living))]
    public void Item7_symbols_of_modules_equal_kallsyms_of_the_living_guest(string crash, string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var truth = File.ReadLines(SharedData.UnpackedPath(crash, "truth/kallsyms.txt.zst")).Where(line => line.EndsWith(']'))
            .GroupBy(line => line[(line.LastIndexOf('[') + 1)..^1]).ToDictionary(group => group.Key, group => group.ToList());
        foreach (var module in kernel.Modules)
        {
            var actual = module.Symbols.Select(symbol => $"{symbol.Address:x16} {symbol.Letter} {symbol.Name}\t[{symbol.Module}]").ToList();
            Assert.Equal(truth[module.Name], actual);
            Assert.Equal(module.SymbolCount, actual.Count);
            foreach (var symbol in module.Symbols.Where(symbol => symbol.Name is not (['$', ..] or ['.', 'L', ..] or ['L', '0', ..])))
            {
                if (!module.Contains(symbol.Address))
                    continue; // at the very end of a part
                Assert.True(kernel.Symbols!.TryResolve(symbol.Address, out var match), symbol.Name);
                Assert.Equal((symbol.Address, module.Name), (match.Start, match.Module));
                Assert.Contains(symbol.Address, kernel.Symbols.FindAll(symbol.Name));
            }
        }
        Assert.Equal(truth.Count, kernel.Modules.Count);
    }

    [Fact]
    public void Item47_text_of_modules_is_code_and_their_data_is_not()
    {
        var kernel = Crashes.Open(Crashes.Linux73);
        using var dump = kernel.Dump;
        var symbols = kernel.Symbols!;
        Assert.True(symbols.TryFind("lab_do_done", out var code) && symbols.IsText(code));
        Assert.True(symbols.TryFind("lab_done", out var data) && !symbols.IsText(data));
        Assert.Equal("lab_do_done+0x4/", symbols.Render(code + 4, isReturnAddress: false)[..16]);
        Assert.EndsWith(" [labload]", symbols.Render(code + 4, isReturnAddress: false));
        Assert.False(symbols.TryFind("no_such_symbol_at_all", out _));
        var labload = kernel.Modules.Find("labload")!;
        Assert.True(labload.OrcCount > 0 && labload.OrcAddresses != 0 && labload.OrcEntries != 0);
        Assert.Equal("OE", Taint.LettersOf(labload.Taints));
        Assert.Contains(kernel.Modules, module => module.SourceVersion is { Length: > 20 });
    }

    // The line of /proc/modules (kernel/module/procfs.c).
    private static string Line(KernelModule module)
    {
        var line = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"{module.Name} {module.Size} {module.References} "));
        foreach (var user in module.UsedBy)
            line.Append(user).Append(',');
        if (module.IsPermanent)
            line.Append("[permanent],");
        line.Append(module.UsedBy.Count == 0 && !module.IsPermanent ? "-" : "").Append(CultureInfo.InvariantCulture, $" {module.State} 0x{module.Base:x16}");
        if (module.Taints != 0)
            line.Append(CultureInfo.InvariantCulture, $" ({Taint.LettersOf(module.Taints)})");
        return line.ToString();
    }
}
