using System.Text.Json;
using Netdump.Vmcore.Tests;
using static Netdump.Client.Tests.Commands.CapturedRun;

namespace Netdump.Client.Tests.Commands;

/// <summary><c>netdump ps</c> and <c>netdump runq</c>; the judge of the crash forms is crash 9.0.2.</summary>
[Collection("console")] // its tests take the output of the process
public sealed class TaskCommandTests
{
    private static string FourLevel => SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");

    [Theory]
    [InlineData("ps.txt", "ps")]
    [InlineData("ps_-m.txt", "ps", "--age")]
    [InlineData("ps_-A.txt", "ps", "--on-cpu")]
    [InlineData("ps_-S.txt", "ps", "--states")]
    [InlineData("ps_-t.txt", "ps", "--times")]
    [InlineData("runq.txt", "runq")]
    public void User13_User14_User24_The_crash_forms_equal_crash_byte_for_byte(string golden, params string[] command)
    {
        (int exit, string output, string error) = Run([command[0], FourLevel, .. command[1..], "--format", "crash"]);
        Assert.Equal((0, ""), (exit, error));
        Assert.Equal(File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", Path.Combine("golden", golden))), output);
    }

    [Fact]
    public void User34_Ps_names_the_lock_its_holder_and_each_waiter()
    {
        string[] lines = Lines(Run("ps", SharedData.FullCore, "--state", "D").Output);
        Assert.Equal(15, lines.Length);
        Assert.Contains(lines, l => l.EndsWith("[lab_mutex1]  waits for mutex lab_mutex [labload], held by lab_holder:255, in lab_do_mutex", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.EndsWith("[lab_event1]  waits for an event at the wait queue lab_wq [labload], in lab_do_event", StringComparison.Ordinal));
        Assert.EndsWith("waits for a child process to end, in do_wait", Lines(Run("ps", FourLevel, "128").Output)[1], StringComparison.Ordinal);
        JsonElement json = JsonDocument.Parse(Run("ps", SharedData.FullCore, "--state", "D", "--json").Output).RootElement;
        Assert.Equal(9, json.EnumerateArray().Count(t => t.GetProperty("lock_owner").ValueKind == JsonValueKind.Number && t.GetProperty("lock_owner").GetInt32() == 255));
    }

    [Fact]
    public void Ps_files_lists_what_crash_lists()
    {
        // crash: descriptor, file, dentry, inode, kind, path.
        string[] golden = Lines(File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", Path.Combine("golden", "files.txt"))))[3..];
        Assert.Equal(
            golden.Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(f => $"{f[0]} {f[1]} {f[4]} {f[5]}"),
            Lines(Run("ps", FourLevel, "1", "--files").Output)[2..].Select(l => string.Join(' ', l.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
    }

    private static string[] Lines(string text) => text.TrimEnd('\n').Split('\n');
}
