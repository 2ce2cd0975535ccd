using System.Text.Json;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Commands;

/// <summary><c>netdump ps</c> and <c>netdump runq</c>; the judge of the crash forms is crash 9.0.2.</summary>
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

    [Fact]
    public void User15_on_a_processor_were_exactly_1_and_130()
    {
        using var json = JsonDocument.Parse(Succeed("ps", Dump, "--on-cpu", "--json"));
        Assert.Equal([1, 130], json.RootElement.EnumerateArray().Select(t => t.GetProperty("pid").GetInt32()).Order());
    }

    [Fact]
    public void User24_runq_names_who_waits()
    {
        Assert.Contains("ksoftirqd/1 (PID 21)", Succeed("runq", Dump), StringComparison.Ordinal);
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

    [Theory]
    [InlineData("ps.txt", "ps")]
    [InlineData("ps_-m.txt", "ps", "--age")]
    [InlineData("ps_-A.txt", "ps", "--on-cpu")]
    [InlineData("ps_-S.txt", "ps", "--states")]
    [InlineData("ps_-t.txt", "ps", "--times")]
    [InlineData("runq.txt", "runq")]
    public void User13_User14_User24_The_crash_forms_equal_crash_byte_for_byte(string golden, params string[] command)
    {
        (int exit, string output, string error) = CapturedRun.Run([command[0], Dump, .. command[1..], "--format", "crash"]);
        Assert.Equal((0, ""), (exit, error));
        Assert.Equal(File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", Path.Combine("golden", golden))), output);
    }

    [Fact]
    public void User34_Ps_names_the_lock_its_holder_and_each_waiter()
    {
        string[] lines = Lines(CapturedRun.Run("ps", SharedData.FullCore, "--state", "D").Output);
        Assert.Equal(15, lines.Length);
        Assert.Contains(lines, l => l.EndsWith("[lab_mutex1]  waits for mutex lab_mutex [labload], held by lab_holder:255, in lab_do_mutex", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.EndsWith("[lab_event1]  waits for an event at the wait queue lab_wq [labload], in lab_do_event", StringComparison.Ordinal));
        Assert.EndsWith("waits for a child process to end, in do_wait", Lines(CapturedRun.Run("ps", Dump, "128").Output)[1], StringComparison.Ordinal);
        JsonElement json = JsonDocument.Parse(CapturedRun.Run("ps", SharedData.FullCore, "--state", "D", "--json").Output).RootElement;
        Assert.Equal(9, json.EnumerateArray().Count(t => t.GetProperty("lock_owner").ValueKind == JsonValueKind.Number && t.GetProperty("lock_owner").GetInt32() == 255));
    }

    [Fact]
    public void Ps_files_lists_what_crash_lists()
    {
        // crash: descriptor, file, dentry, inode, kind, path.
        string[] golden = Lines(File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", Path.Combine("golden", "files.txt"))))[3..];
        Assert.Equal(
            golden.Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(f => $"{f[0]} {f[1]} {f[4]} {f[5]}"),
            Lines(CapturedRun.Run("ps", Dump, "1", "--files").Output)[2..].Select(l => string.Join(' ', l.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
    }

    private static string[] Lines(string text) => text.TrimEnd('\n').Split('\n');
}
