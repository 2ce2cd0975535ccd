using System.Text.Json;
using Netdump.Vmcore.Tests;
using static Netdump.Client.Tests.Commands.CapturedRun;

namespace Netdump.Client.Tests.Commands;

/// <summary><c>netdump bt</c> as an operator types it, on real dumps.</summary>
[Collection("console")] // its tests take the output of the process
public sealed class BtCommandTests
{
    private static readonly string Linux61 = SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");

    private static string Golden(string name) => File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", Path.Combine("golden", name)));

    [Fact]
    public void User5_without_a_task_it_is_the_one_that_panicked_with_the_right_offsets()
    {
        (int exit, string output, _) = Run("bt", Linux61);
        Assert.Equal(0, exit);
        Assert.StartsWith("""
            PID 1 init (R, on CPU 1, on the processor for 0.003 s)
            #0   __crash_kexec+0x11a
            #1   panic+0x13d
            #2   sysrq_handle_crash+0x16
            #3   __handle_sysrq.cold+0x44
            #4   write_sysrq_trigger+0x24
            #5   proc_reg_write+0x56
            #6   vfs_write+0xc7
            #7   ksys_write+0x6b
            #8   do_syscall_64+0x5d
            #9   entry_SYSCALL_64_after_hwframe+0x6e

            """, output, StringComparison.Ordinal);
    }

    [Fact]
    public void User16_all_processors_show_one_in_user_mode_and_one_in_the_crash()
    {
        string output = Run("bt", Linux61, "--all-cpus").Output;
        Assert.Contains("PID 130 yes (R, on CPU 0, on the processor for 0.308 s)\n     user mode at 0x401158\n", output, StringComparison.Ordinal);
        Assert.Contains("PID 1 init (R, on CPU 1, on the processor for 0.003 s)\n#0   __crash_kexec+0x11a\n", output, StringComparison.Ordinal);
        Assert.Equal(Run("bt", Linux61, "1").Output, Run("bt", Linux61, "-c", "1").Output);
    }

    [Fact]
    public void User16_processors_that_idled_share_a_line()
    {
        string output = Run("bt", SharedData.FullCore, "-a").Output;
        Assert.Contains("PID 1 init (R, on CPU 0", output, StringComparison.Ordinal);
        Assert.DoesNotContain("idle:", output, StringComparison.Ordinal); // its other processor ran a process
    }

    [Fact]
    public void User17_the_process_own_registers_follow_its_stack()
    {
        string output = Run("bt", Linux61, "1").Output;
        Assert.Contains("     user mode at 0x47b7a0\n    RIP: 000000000047b7a0  RSP: 00007ffc95975848  RFLAGS: 00000202\n", output, StringComparison.Ordinal);
        Assert.EndsWith("    ORIG_RAX: 0000000000000001  CS: 0033  SS: 002b\n", output, StringComparison.Ordinal);
        Assert.DoesNotContain("user mode", Run("bt", Linux61, "2").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void User18_equal_stacks_are_one_block_with_their_number_and_the_oldest_wait()
    {
        string output = Run("bt", Linux61, "--state", "I", "--group").Output;
        Assert.Matches("^2\\d tasks, oldest 7\\.[0-9]{3} s: 3 rcu_gp, 4 rcu_par_gp, .* more\n#0   __schedule\\+0x34d\n#1   schedule\\+0x5a\n#2   rescuer_thread\\+", output);
        JsonElement groups = JsonDocument.Parse(Run("bt", Linux61, "--group", "--json").Output).RootElement;
        Assert.Equal(61, groups.EnumerateArray().Sum(g => g.GetProperty("count").GetInt32()));
        Assert.All(groups.EnumerateArray(), g => Assert.Equal(g.GetProperty("count").GetInt32(), g.GetProperty("pids").GetArrayLength()));
    }

    [Fact]
    public void User19_frames_that_the_tables_give_have_no_question_mark() =>
        Assert.DoesNotContain("?", Run("bt", Linux61, "--all-tasks").Output, StringComparison.Ordinal);

    [Fact]
    public void Item19_sleeping_tasks_are_byte_for_byte_as_crash_prints_them_and_running_ones_from_the_registers_on()
    {
        string[] theirs = Golden("foreach_bt.txt").TrimEnd('\n').Split("\n\n");
        string[] ours = Run("bt", Linux61, "--all-tasks", "--format", "crash").Output.TrimEnd('\n').Split("\n\n");
        Assert.Equal(61, theirs.Length);
        Assert.Equal(theirs.Length, ours.Length);
        int[] differ = [.. Enumerable.Range(0, ours.Length).Where(i => ours[i] != theirs[i])];
        Assert.Equal(2, differ.Length);
        Assert.StartsWith("PID: 1 ", ours[differ[0]], StringComparison.Ordinal);
        Assert.StartsWith("PID: 130 ", ours[differ[1]], StringComparison.Ordinal);
        // crash starts two frames deeper, inside of the crash itself; the others are the same.
        Assert.Equal(Frames(theirs[differ[0]]).Skip(2), Frames(ours[differ[0]]));
        Assert.Equal(theirs[differ[1]].Split('\n')[^7..], ours[differ[1]].Split('\n')[^7..]);

        static IEnumerable<string> Frames(string stack) => stack.Split('\n').Where(l => l.Contains(" at ", StringComparison.Ordinal)).Select(l => l[4..]);
    }

    [Fact]
    public void JSON_has_all_of_a_stack()
    {
        JsonElement task = JsonDocument.Parse(Run("bt", Linux61, "--json").Output).RootElement[0];
        Assert.Equal((1, "init", "R", 1), (task.GetProperty("pid").GetInt32(), task.GetProperty("comm").GetString(), task.GetProperty("state").GetString(), task.GetProperty("cpu").GetInt32()));
        JsonElement frames = task.GetProperty("frames");
        Assert.Equal(11, frames.GetArrayLength());
        Assert.Equal(("panic", "recovered"), (frames[1].GetProperty("symbol").GetString(), frames[1].GetProperty("kind").GetString()));
        Assert.Equal("0xffffffff813741ba", frames[0].GetProperty("registers").GetProperty("rip").GetString());
        Assert.Equal("user", frames[10].GetProperty("kind").GetString());
        Assert.Equal("0x1", frames[10].GetProperty("registers").GetProperty("orig_rax").GetString());
        Assert.False(task.TryGetProperty("stopped", out _));
    }

    [Fact]
    public void The_words_of_a_stack_have_the_symbols_they_point_to()
    {
        string output = Run("bt", Linux61, "2", "--raw").Output;
        Assert.Contains("    ffffd1d24001be50: ffffffff81c5271d  __schedule+0x34d\n", output, StringComparison.Ordinal);
        Assert.Contains("    ffffd1d24001bf50: ffffffff812032f2  ret_from_fork+0x22\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public void An_arm64_stack_shows_the_softirq_stack_and_the_interrupt()
    {
        string output = Run("bt", SharedData.UnpackedPath("linux-6.12-arm64-sysrq", "vmcore.elf.zst"), "-c", "0").Output;
        Assert.Contains("    <IRQ>\n#0   lab_spin_here+0x18 [labload]\n", output, StringComparison.Ordinal);
        Assert.Contains("    </IRQ>\n", output, StringComparison.Ordinal);
        Assert.Contains("     -- interrupt, at lab_work.constprop.0+0x20 [labload] --", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no task had the process id 99999", "99999")]
    [InlineData("no processor 7 ran", "--cpu", "7")]
    public void What_is_not_there_is_said_in_a_line(string complaint, params string[] args)
    {
        (int exit, _, string error) = Run(["bt", Linux61, .. args]);
        Assert.Equal(1, exit);
        Assert.Contains(complaint, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Forms_that_exclude_each_other_are_refused() => Assert.Equal(2, Run("bt", Linux61, "--format", "crash", "--json").Exit);
}
