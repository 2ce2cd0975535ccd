using System.Text.Json;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Commands;

[Collection("console")] // its tests take the output of the process
public class PsCommandTests
{
    private const string Folder = "linux-6.1-sysrq-4level";
    private static readonly string Dump = SharedData.File(Folder, "vmcore.kdump");

    private static string Succeed(params string[] args)
    {
        var (exit, output, error) = CapturedRun.Run(args);
        Assert.True(exit == 0, error);
        return output;
    }

    private static string Golden(string name) => File.ReadAllText(SharedData.File(Folder, $"golden/{name}"));

    [Fact]
    public void User13_ps_in_crashs_form_is_byte_equal() => Assert.Equal(Golden("ps.txt"), Succeed("ps", Dump, "--format", "crash"));

    [Fact]
    public void User14_ages_in_crashs_form_are_byte_equal() => Assert.Equal(Golden("ps_-m.txt"), Succeed("ps", Dump, "--age", "--format", "crash"));

    [Fact]
    public void User15_on_a_processor_were_exactly_1_and_130()
    {
        using var json = JsonDocument.Parse(Succeed("ps", Dump, "--on-cpu", "--json"));
        Assert.Equal([1, 130], json.RootElement.EnumerateArray().Select(t => t.GetProperty("pid").GetInt32()).Order());
    }

    [Fact]
    public void User24_runq_in_crashs_form_is_byte_equal_and_ours_names_who_waits()
    {
        Assert.Equal(Golden("runq.txt"), Succeed("runq", Dump, "--format", "crash"));
        string ours = Succeed("runq", Dump);
        Assert.Contains("ksoftirqd/1 (PID 21)", ours, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(Succeed("runq", Dump, "--json"));
        Assert.Equal(130, json.RootElement[0].GetProperty("current").GetInt32());
    }

    [Fact]
    public void User06_counts_by_state()
    {
        using var json = JsonDocument.Parse(Succeed("ps", Dump, "--states", "--json"));
        Assert.Equal((5, 19, 37), (json.RootElement.GetProperty("R").GetInt32(), json.RootElement.GetProperty("S").GetInt32(), json.RootElement.GetProperty("I").GetInt32()));
        Assert.Contains("37  I", Succeed("ps", Dump, "--states"), StringComparison.Ordinal);
    }

    [Fact]
    public void Trees_files_programs_and_times_are_shown()
    {
        string[] tree = Succeed("ps", Dump, "--tree", "1").TrimEnd('\n').Split('\n');
        Assert.EndsWith("  init", tree[1], StringComparison.Ordinal);
        Assert.All(tree[2..], line => Assert.Contains("    ", line, StringComparison.Ordinal));
        Assert.Contains("/proc/sysrq-trigger", Succeed("ps", Dump, "1", "--files"), StringComparison.Ordinal);
        Assert.Contains("busybox", Succeed("ps", Dump, "1", "--exe"), StringComparison.Ordinal);
        Assert.Contains("SWITCHES", Succeed("ps", Dump, "--times"), StringComparison.Ordinal);
        string[] sorted = Succeed("ps", Dump, "--sort", "rss").Split('\n');
        Assert.EndsWith("  init", sorted[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Words_of_crash_select_states_and_nonsense_is_a_wrong_word()
    {
        Assert.Equal(20, Succeed("ps", Dump, "--state", "S").TrimEnd('\n').Split('\n').Length);
        Assert.Equal(Succeed("ps", Dump, "--state", "S"), Succeed("ps", Dump, "--state", "IN"));
        Assert.Equal(2, CapturedRun.Run("ps", Dump, "--state", "Q").Exit);
        Assert.Equal(1, CapturedRun.Run("ps", Dump, "99999").Exit);
    }

    [Fact]
    public void User31_words_are_shown_by_their_symbols_and_memory_is_searched()
    {
        string task = "ffff8e9b011f8000";
        string found = Succeed("read", Dump, "--search", task);
        Assert.Contains("physical", found, StringComparison.Ordinal);
        Assert.Equal(1, CapturedRun.Run("read", Dump, "--search", "123456789abcdef1").Exit);
        Assert.Contains("ksys_write+0x6b", Succeed("read", Dump, "ffffd1d240013a00", "0x600", "-s"), StringComparison.Ordinal);
        Assert.Equal(2, CapturedRun.Run("read", Dump, "0", "--search", "0").Exit);
    }
}
