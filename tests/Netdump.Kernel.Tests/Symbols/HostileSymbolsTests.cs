using System.Diagnostics;
using CsCheck;
using Netdump.Kernel.Symbols;
using Netdump.Vmcore;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Symbols;

public class HostileSymbolsTests
{
    public static TheoryData<string, string> Real => new()
    {
        { "linux-6.1-sysrq", Crashes.Linux61 },
        { "linux-6.1-sysrq-4level", Crashes.Linux61FourLevel },
        { "linux-7.3-sysrq-full", Crashes.Linux73 },
        { "linux-6.12-arm64-sysrq", Crashes.Arm64 },
    };

    private static readonly Dictionary<string, (Action<PatchedMemory, KallsymsPlace> Damage, string Named)> AllDamages = new()
    {
        ["the token index ends"] = ((memory, place) => memory.Remove(place.TokenIndex), "kallsyms_token_index"),
        ["the token index goes back"] = ((memory, place) => memory.Write(place.TokenIndex + 64, [1, 0]), "does not ascend"),
        ["the token index runs off"] = ((memory, place) => memory.Write(place.TokenIndex + 510, [0xff, 0xff]), "kallsyms_token_table"),
        ["a token is in two"] = ((memory, place) => memory.Write(place.TokenTable + 2, [0]), "kallsyms_token_table"),
        ["2^32 - 1 symbols"] = ((memory, place) => memory.Write(place.Count, uint.MaxValue), "kallsyms_num_syms"),
        ["2,000,000 symbols"] = ((memory, place) => memory.Write(place.Count, 2_000_000), "kallsyms"),
        ["no symbols"] = ((memory, place) => memory.Write(place.Count, 0), "kallsyms_num_syms"),
        ["one symbol more"] = ((memory, place) => memory.Write(place.Count, 94_267), "kallsyms"),
        ["the names run off the dump"] = ((memory, place) => memory.Remove(place.Names + 0x80000), "kallsyms_names"),
        ["a length of 0"] = ((memory, place) => memory.Write(place.Names, [0]), "kallsyms_names: symbol 0"),
        ["no number"] = ((memory, place) => memory.Remove(place.Count), "not in the dump"),
        ["no offsets"] = ((memory, place) => memory.Remove(place.Offsets + 0x10000), "kallsyms_offsets"),
        ["another base"] = ((memory, place) => memory.Write(place.RelativeBase!.Value, [1]), "VMCOREINFO"),
    };

    public static TheoryData<string> Damages => [.. AllDamages.Keys];

    [Theory]
    [MemberData(nameof(Damages))]
    public void Item9_a_damaged_table_is_one_clear_gap_at_once(string what)
    {
        using var dump = VmcoreFile.Open(Crashes.Linux61FourLevel);
        var memory = new PatchedMemory(dump);
        var (damage, named) = AllDamages[what];
        damage(memory, KallsymsPlace.From(dump.RequireInfo())!.Value);
        var gaps = new Gaps();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Null(KernelSymbols.Open(memory.Memory, dump.RequireInfo(), dump.Machine, gaps));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 64 << 20, what);
        Assert.Contains(named, Assert.Single(gaps.All).Value, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Real))]
    public void Item5_without_the_lines_of_vmcoreinfo_the_same_tables_are_found(string crash, string path)
    {
        using var dump = VmcoreFile.Open(path);
        var text = File.ReadLines(SharedData.File(crash, "vmcoreinfo.txt")).Where(line => !line.Contains("kallsyms", StringComparison.Ordinal));
        var info = VmcoreInfo.Parse(System.Text.Encoding.ASCII.GetBytes(string.Join('\n', text) + '\n'));
        Assert.Null(KallsymsPlace.From(info));
        var gaps = new Gaps();
        var watch = Stopwatch.StartNew();
        var found = KernelSymbols.Open(dump.OpenKernelMemory(), info, dump.Machine, gaps);
        TestContext.Current.TestOutputHelper?.WriteLine($"{watch.Elapsed}");
        Assert.Empty(gaps.All);
        Assert.Equal(KallsymsPlace.From(dump.RequireInfo()), found!.Place);
    }

    [Theory]
    [MemberData(nameof(Real))]
    public void Item2_a_mode_that_is_not_the_kernels_is_refused(string crash, string path)
    {
        using var dump = VmcoreFile.Open(path);
        var right = KernelSymbols.Open(dump.OpenKernelMemory(), dump.RequireInfo(), dump.Machine, new Gaps())!.Mode;
        Assert.Equal(crash switch { "linux-7.3-sysrq-full" => AddressMode.PlaceRelative, "linux-6.12-arm64-sysrq" => AddressMode.BaseRelative, _ => AddressMode.AbsolutePerCpu }, right);
        foreach (var mode in Enum.GetValues<AddressMode>().Where(mode => mode != right))
            Assert.Null(KernelSymbols.Open(dump.OpenKernelMemory(), dump.RequireInfo(), new Gaps(), mode));
    }

    [Fact]
    public void Item60_bytes_turned_over_in_the_tables_never_throw()
    {
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 4000], Gen.Byte).Array[1, 6].Sample(
            changes =>
            {
                var image = new KallsymsImage(SyntheticSymbolsTests.Few(), AddressMode.AbsolutePerCpu);
                foreach (var (table, offset, value) in changes)
                {
                    var place = image.Place;
                    ulong[] starts = [place.Count, place.Names, place.TokenTable, place.TokenIndex, place.Offsets, place.RelativeBase!.Value];
                    var start = starts[table];
                    image.Write(start + (ulong)(offset % 64), value);
                }
                var gaps = new Gaps();
                if (image.Open(gaps) is not { } symbols)
                {
                    Assert.Single(gaps.All);
                    return;
                }
                foreach (var symbol in symbols.All)
                {
                    symbols.TryFind(symbol.Name, out _);
                    symbols.Render(symbol.Address, isReturnAddress: true);
                }
            },
            iter: 2000);
    }

    [Fact]
    public void A_search_through_memory_full_of_beginnings_ends()
    {
        var info = VmcoreInfo.Parse(System.Text.Encoding.ASCII.GetBytes(
            $"PAGESIZE=4096\nNUMBER(phys_base)=0\nSYMBOL(swapper_pg_dir)={KallsymsImage.Start + 0x10_0000:x}\nSYMBOL(_stext)={KallsymsImage.Text:x}\n"));
        var pattern = "0\01\02\03\04\05\06\07\08\09\0"u8.ToArray();
        var memory = new Vmcore.Memory.KernelMemory(
            (address, destination) =>
            {
                if (address < KallsymsImage.Text - KallsymsImage.Start)
                    return 0;
                for (var i = 0; i < destination.Length; i++)
                    destination[i] = pattern[(int)((address + (ulong)i) % (ulong)pattern.Length)];
                return destination.Length;
            },
            info);
        var gaps = new Gaps();
        Assert.Null(KernelSymbols.Open(memory, info, Vmcore.Machines.X64, gaps));
        Assert.Contains("was not found", Assert.Single(gaps.All).Value, StringComparison.Ordinal);
    }
}
