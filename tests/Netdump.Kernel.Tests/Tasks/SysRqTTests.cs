using System.Text.RegularExpressions;
using Netdump.Kernel.Tasks;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Tasks;

/// <summary>Tasks as SysRq-t prints them; the judge of the stacks is what the living guest said in /proc/PID/stack.</summary>
public sealed class SysRqTTests
{
    [Theory]
    [InlineData("linux-6.1-sysrq-4level", @"^task:sleep           state:S stack:0     pid:126   ppid:1      flags:0x[0-9a-f]{8}$")]
    [InlineData("linux-7.3-sysrq-full", @"^task:sleep           state:S stack:0     pid:233   tgid:233   ppid:1      task_flags:0x[0-9a-f]{4,} flags:0x[0-9a-f]{8}$")]
    [InlineData("linux-6.12-arm64-sysrq", @"^task:sleep           state:S stack:0     pid:185   tgid:185   ppid:1      flags:0x[0-9a-f]{8}$")]
    public void The_line_of_a_task_has_the_form_of_its_own_kernel(string folder, string expected)
    {
        CrashedKernel kernel = Open(folder);
        using var dump = kernel.Dump;
        Assert.Matches(new Regex(expected), TextOf(kernel, t => t.Comm == "sleep").Split('\n')[0]);
    }

    [Theory]
    [InlineData("linux-6.1-sysrq-4level", 50)]
    [InlineData("linux-7.3-sysrq-full", 100)]
    [InlineData("linux-6.12-arm64-sysrq", 70)]
    public void Stacks_without_their_question_marks_end_as_the_living_kernel_showed_them(string folder, int least)
    {
        CrashedKernel kernel = Open(folder);
        using var dump = kernel.Dump;
        Dictionary<int, List<string>> truth = [];
        var pid = 0;
        foreach (var line in File.ReadLines(SharedData.File(folder, Path.Combine("truth", "stacks.txt"))))
            if (line.StartsWith("== ", StringComparison.Ordinal))
                truth[pid = int.Parse(line[3..].Split([' ', '/'])[0], System.Globalization.CultureInfo.InvariantCulture)] = [];
            else if (line.StartsWith("[<0>] ", StringComparison.Ordinal))
                truth[pid].Add(line[6..]);
        var (equal, compared) = (0, 0);
        SysRqT writer = new(kernel);
        foreach (KernelTask task in kernel.Tasks.All.Where(t => !t.IsOnProcessor && truth.GetValueOrDefault(t.Pid) is { Count: > 0 }))
        {
            using StringWriter text = new();
            writer.Write(task, text);
            List<string> frames = [.. text.ToString().Split('\n').Where(l => l.StartsWith(' ') && !l.StartsWith(" ?", StringComparison.Ordinal) && !l.StartsWith(" <", StringComparison.Ordinal)).Select(l => l[1..])];
            compared++;
            if (frames.Count >= truth[task.Pid].Count && frames[^truth[task.Pid].Count..].SequenceEqual(truth[task.Pid]))
                equal++;
        }
        Assert.InRange(compared, least, int.MaxValue);
        // A task that was running or woken up in the second before the crash has moved on.
        Assert.InRange(compared - equal, 0, 3);
    }

    [Fact]
    public void A_process_ends_with_its_user_registers_as_the_kernel_prints_them()
    {
        CrashedKernel kernel = Open("linux-6.1-sysrq-4level");
        using var dump = kernel.Dump;
        string[] lines = TextOf(kernel, t => t.Pid == 126).TrimEnd('\n').Split('\n');
        Assert.Equal("Call Trace:", lines[1]);
        Assert.Equal(" <TASK>", lines[2]);
        Assert.StartsWith(" __schedule+0x34d/", lines[3], StringComparison.Ordinal);
        Assert.Equal(" </TASK>", lines[^1]);
        Assert.Matches("^RIP: 0033:0x[0-9a-f]+$", lines[^8]);
        Assert.Matches("^RSP: 002b:[0-9a-f]{16} EFLAGS: [0-9a-f]{8} ORIG_RAX: 00000000000000e6$", lines[^7]); // clock_nanosleep
        Assert.Matches("^RAX: [0-9a-f]{16} RBX: [0-9a-f]{16} RCX: [0-9a-f]{16}$", lines[^6]);
        Assert.Matches("^ entry_SYSCALL_64_after_hwframe", lines[^9]);
    }

    [Fact]
    public void Workers_and_stoppers_say_what_they_work_for()
    {
        CrashedKernel kernel = Open("linux-6.1-sysrq-4level");
        using var dump = kernel.Dump;
        Assert.Contains("\nWorkqueue:  0x0 (events)\n", TextOf(kernel, t => t.Pid == 116), StringComparison.Ordinal);
        Assert.Matches(@"\nStopper: \S+ <- \S+\n", TextOf(kernel, t => t.Comm == "migration/0"));
        Assert.DoesNotContain("Stopper", TextOf(kernel, t => t.Comm == "cpuhp/0"), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_task_but_the_dead_is_written_in_the_kernels_order_and_only_the_blocked_when_asked()
    {
        CrashedKernel kernel = Open("linux-7.3-sysrq-full");
        using var dump = kernel.Dump;
        SysRqT writer = new(kernel);
        using StringWriter all = new();
        Assert.Equal(115, writer.Write(all)); // 116 tasks, one a zombie
        using StringWriter blocked = new();
        Assert.Equal(14, writer.Write(blocked, onlyBlocked: true));
        Assert.Contains("task:lab_mutex1      state:D", blocked.ToString(), StringComparison.Ordinal);
        Assert.Equal(all.ToString(), string.Concat(writer.Texts()));
        Assert.Contains("state:R  running task     stack:", all.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(" stack:%5lu pid:%5d ppid:%6d flags:0x%08lx", " stack:    0 pid:   42 ppid:     1 flags:0x00000abc")]
    [InlineData(" stack:%-5lu pid:%-5d other:%-3d", " stack:0     pid:42    other:7  ")]
    [InlineData(" stack:%", " stack:0")]
    [InlineData("%99999999999x:%-", "                                                               0:0")]
    public void Any_format_is_printed_within_bounds(string format, string expected)
    {
        using StringWriter text = new();
        new SysRqFormat(format).Write(n => n switch { "pid" => 42, "ppid" => 1, "flags" => 0xabc, "other" => 7, _ => 0 }, text);
        Assert.Equal(expected, text.ToString());
    }

    private static CrashedKernel Open(string folder) => Crashes.Open(folder switch
    {
        "linux-7.3-sysrq-full" => Crashes.Linux73,
        "linux-6.12-arm64-sysrq" => Crashes.Arm64,
        _ => Crashes.Linux61FourLevel,
    });

    private static string TextOf(CrashedKernel kernel, Func<KernelTask, bool> chosen)
    {
        using StringWriter text = new();
        new SysRqT(kernel).Write(kernel.Tasks.All.First(chosen), text);
        return text.ToString();
    }
}
