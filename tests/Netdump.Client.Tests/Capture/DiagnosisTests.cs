using Netdump.Client.Capture;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Capture;

/// <summary>What the capture kernel says of the crash: on a real dump, and on what is none. Nothing of it may end the sender.</summary>
public sealed class DiagnosisTests
{
    private static readonly string Dump = SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");
    private readonly List<string> _said = [];

    [Fact]
    public void Title_and_signature_are_said_and_the_state_is_each_task()
    {
        Diagnosis diagnosis = Diagnosis.Make(Dump, mapped: false, _said.Add, TimeSpan.FromMinutes(2));
        Assert.Equal(["crash: kernel panic: sysrq triggered crash (c387c617f6670a05)"], _said);
        List<string> state = [.. diagnosis.State()];
        Assert.StartsWith("netdump: crash: kernel panic: sysrq triggered crash (c387c617f6670a05)\n", state[0], StringComparison.Ordinal);
        Assert.Equal(59, string.Concat(state).Split('\n').Count(line => line.StartsWith("task:", StringComparison.Ordinal)));
        Assert.All(state, piece => Assert.EndsWith("\n", piece, StringComparison.Ordinal));
    }

    /// <summary>As in a capture kernel, where the dump is mapped: what is in one piece there is not copied.</summary>
    [Fact]
    public void A_mapped_dump_says_the_same()
    {
        string core = SharedData.UnpackedPath("linux-7.3-sysrq-full", "vmcore.elf.zst");
        Diagnosis read = Diagnosis.Make(core, mapped: false, _said.Add, TimeSpan.FromMinutes(2)), mapped = Diagnosis.Make(core, mapped: true, _said.Add, TimeSpan.FromMinutes(2));
        Assert.Equal(_said[0], _said[1]);
        Assert.Equal(read.State(), mapped.State());
    }

    [Fact]
    public void Of_very_many_tasks_the_state_is_the_first_ones_and_says_so()
    {
        Diagnosis diagnosis = Diagnosis.Make(Dump, mapped: false, _said.Add, TimeSpan.FromMinutes(2));
        List<string> all = [.. diagnosis.State()], some = [.. diagnosis.State(most: 10_000)];
        Assert.Equal(all[..(some.Count - 1)], some[..^1]);
        Assert.InRange(some.Sum(piece => piece.Length), 8_000, 10_500);
        Assert.StartsWith("netdump: the list of tasks ends here", some[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_dump_costs_one_line()
    {
        _ = Diagnosis.Make(SharedData.File("linux-6.1-sysrq-4level", "dmesg.txt"), mapped: false, _said.Add, TimeSpan.FromMinutes(2));
        Assert.StartsWith("what crashed cannot be found out here: ", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_takes_too_long_is_not_waited_for()
    {
        _ = Diagnosis.Make(Dump, mapped: false, _said.Add, TimeSpan.Zero);
        Assert.Equal(["what crashed is not found out yet: the dump goes out without"], _said);
    }
}
