using Netdump.Kernel.Modules;

namespace Netdump.Kernel.Tests.Modules;

public class BugTableTests
{
    public static TheoryData<string> Dumps => CrashedKernelTests.Dumps;

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item53_every_entry_leads_to_a_file_and_from_its_code_back_to_the_entry(string path)
    {
        var kernel = Crashes.Open(path);
        using var dump = kernel.Dump;
        var bugs = kernel.Bugs!;
        var all = bugs.All.ToList();
        Assert.Equal(bugs.Count, all.Count);
        Assert.All(all, entry => Assert.Matches(@"^[\w./+-]+\.[chS]$|^[\w./+-]+\.rs$", entry.File));
        Assert.Contains(all, entry => entry.IsWarning);
        Assert.Contains(all, entry => !entry.IsWarning);
        foreach (var entry in all.Where((_, i) => i % 97 == 0))
        {
            Assert.True(kernel.Symbols!.IsText(entry.Address) || kernel.Symbols.IsInitText(entry.Address));
            Assert.True(bugs.TryFind(entry.Address, out var found));
            Assert.Equal((entry.Address, entry.File), (found.Address, entry.File));
        }
        Assert.False(bugs.TryFind(all[0].Address + 1, out _));
    }

    [Fact]
    public void Item53_one_in_ud2_has_the_instruction_there_and_one_with_arguments_is_found_by_the_first_argument()
    {
        var kernel = Crashes.Open(Crashes.Linux73);
        using var dump = kernel.Dump;
        var bugs = kernel.Bugs!;
        var all = bugs.All.ToList();
        Assert.Equal(11_222, all.Count);
        Assert.Equal(1_618, all.Count(entry => entry.HasArguments));
        Assert.Equal(560, all.Count(entry => !kernel.Symbols!.IsText(entry.Address))); // in init and exit text, which is gone
        Assert.Contains(all, entry => entry.Format is { Length: > 3 });
        Assert.True(kernel.Symbols!.TryFind("__WARN_trap", out var trap));
        Span<byte> code = stackalloc byte[2];
        foreach (var entry in all.Where(entry => kernel.Symbols.IsText(entry.Address)))
        {
            Assert.True(kernel.Memory.TryRead(entry.Address, code));
            Assert.Equal(!entry.HasArguments, code is [0x0f, 0x0b]);
        }
        var warning = all.First(entry => entry.HasArguments);
        Assert.True(bugs.TryFind(trap, warning.Entry, out var found));
        Assert.Equal(warning, found);
        Assert.False(bugs.TryFind(trap, warning.Entry + 4, out _));
        Assert.False(bugs.TryFind(trap, 0xffff_8880_0000_0000, out _));
        Assert.True(bugs.TryFind(all[3].Address, warning.Entry, out found) && found.Entry == all[3].Entry);
    }

    [Fact]
    public void Item53_6_1_has_7743_entries_and_those_of_modules_name_the_module()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        Assert.Equal(7_743, kernel.Bugs!.Count);
        Assert.Contains(kernel.Bugs.All, entry => entry.File == "init/main.c");
        var module = kernel.Modules.First(module => module.BugCount > 0);
        var entry = FirstOf(kernel, module);
        Assert.Equal(module.Name, entry.Module);
        Assert.EndsWith(".c", entry.File, StringComparison.Ordinal);
    }

    private static BugEntry FirstOf(CrashedKernel kernel, KernelModule module)
    {
        Assert.True(kernel.Memory.TryReadInt32(module.BugTable, out var distance));
        Assert.True(kernel.Bugs!.TryFind(unchecked(module.BugTable + (ulong)(long)distance), out var entry));
        return entry;
    }
}
