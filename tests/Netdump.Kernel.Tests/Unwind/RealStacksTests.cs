using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tests.Unwind;

/// <summary>Stacks of real crashes against those that drgn finds with full debugging information.</summary>
public class RealStacksTests
{
    /// <summary>Folder, stacks, those that must be equal, program counters, those that must be equal.</summary>
    public static TheoryData<string, int, int, int, int> Dumps => new()
    {
        // The one stack that differs is a zombie's: its stack is freed, and what drgn shows of it is no code.
        { "linux-6.1-sysrq", 63, 62, 335, 334 },
        { "linux-6.1-sysrq-4level", 61, 61, 343, 343 },
        { "linux-7.3-sysrq-full", 118, 117, 818, 816 },
        { "linux-6.12-arm64-sysrq", 84, 84, 663, 663 },
    };

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Item18_every_living_task_has_the_stack_that_debugging_information_gives(string folder, int stacks, int equalStacks, int pcs, int equalPcs)
    {
        var kernel = Crashes.Open(PathOf(folder));
        using var dump = kernel.Dump;
        var tasks = GoldenTask.Read(folder);
        Assert.Equal(stacks, tasks.Count);
        Assert.Equal(pcs, tasks.Sum(t => t.Pcs.Count));
        var (equal, found) = (0, 0);
        foreach (var task in tasks)
        {
            var stack = kernel.Unwinder!.Of(task.Address);
            if (task.State == "Z")
            {
                Assert.Empty(stack.Frames);
                Assert.Equal("the task has exited: its stack is freed", stack.Stopped);
                if (task.Pcs.Count > 0)
                    continue;
            }
            else
            {
                Assert.Null(stack.Stopped);
                Assert.Equal(task.Pcs, Pcs(stack, dump));
            }
            equal++;
            found += task.Pcs.Count;
        }
        Assert.Equal(equalStacks, equal);
        Assert.Equal(equalPcs, found);
        Assert.Empty(kernel.Gaps.All);
    }

    private static string PathOf(string folder) => folder switch
    {
        "linux-6.1-sysrq" => Crashes.Linux61,
        "linux-6.1-sysrq-4level" => Crashes.Linux61FourLevel,
        "linux-7.3-sysrq-full" => Crashes.Linux73,
        _ => Crashes.Arm64,
    };

    // drgn shows no user frame on arm64; and an inlined function's frame repeats its caller's program counter.
    private static List<ulong> Pcs(KernelStack stack, VmcoreFile dump)
    {
        var pcs = new List<ulong>();
        foreach (var frame in stack.Frames)
        {
            Assert.True(frame.IsReliable);
            if ((frame.Kind != FrameKind.User || dump.Machine == Machines.X64) && (pcs.Count == 0 || pcs[^1] != frame.Pc))
                pcs.Add(frame.Pc);
        }
        return pcs;
    }
}
