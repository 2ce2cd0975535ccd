using System.Diagnostics;
using System.Globalization;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Symbols;

public class RealSymbolsTests
{
    public static TheoryData<string, string> Living => new()
    {
        { "linux-6.1-sysrq-4level", Crashes.Linux61FourLevel },
        { "linux-7.3-sysrq-full", Crashes.Linux73 },
        { "linux-6.12-arm64-sysrq", Crashes.Arm64 },
    };

    public static TheoryData<string> Dumps => CrashedKernelTests.Dumps;

    [Theory]
    [MemberData(nameof(Living))]
    public void Item1_every_line_of_the_living_guests_kallsyms_comes_out_in_order(string crash, string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        Assert.NotNull(kernel.Symbols);
        var expected = File.ReadLines(SharedData.UnpackedPath(crash, "truth/kallsyms.txt.zst")).Where(line => !line.EndsWith(']')).ToList();
        var actual = kernel.Symbols.All.Select(symbol => $"{symbol.Address:x16} {symbol.Letter} {symbol.Name}").ToList();
        Assert.Equal(expected, actual);
    }

    [Theory]
    [MemberData(nameof(Living))]
    public void User27_each_name_and_each_address_of_the_living_guest_is_found(string crash, string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var symbols = kernel.Symbols!;
        var firstByName = new Dictionary<string, ulong>();
        var firstByAddress = new Dictionary<ulong, string>();
        foreach (var line in File.ReadLines(SharedData.UnpackedPath(crash, "truth/kallsyms.txt.zst")).Where(line => !line.EndsWith(']')))
        {
            firstByName.TryAdd(line[19..], ulong.Parse(line[..16], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            firstByAddress.TryAdd(ulong.Parse(line[..16], NumberStyles.HexNumber, CultureInfo.InvariantCulture), line[19..]);
        }
        foreach (var (name, address) in firstByName)
            Assert.True(symbols.TryFind(name, out var found) && found == address, name);
        foreach (var (address, name) in firstByAddress.Where(pair => pair.Key >= firstByName["_stext"] && pair.Key < firstByName["_end"]))
            Assert.True(symbols.TryResolve(address, out var match) && match.Name == name && match.Start == address, name);
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Symbols_open_at_once_and_say_what_is_code(string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var watch = Stopwatch.StartNew();
        var symbols = kernel.Symbols!;
        TestContext.Current.TestOutputHelper?.WriteLine($"{watch.Elapsed}, {symbols.Count} symbols, {symbols.Mode}");
        Assert.Empty(kernel.Gaps.All);
        Assert.True(symbols.TryFind("schedule", out var schedule) && symbols.IsText(schedule));
        Assert.True(symbols.TryFind("init_task", out var data) && !symbols.IsText(data));
        Assert.Equal([0, 1], symbols.Possible);
        Assert.Contains(1, symbols.Online);
        Assert.NotNull(symbols.OnProcessor("runqueues", 1));
        Assert.Null(symbols.OnProcessor("runqueues", 99));
    }
}
