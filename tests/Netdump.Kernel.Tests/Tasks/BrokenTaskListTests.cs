using Netdump.Kernel.Tasks;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tests.Tasks;

/// <summary>Real memory with the kernel's list of tasks broken.</summary>
public sealed class BrokenTaskListTests : IDisposable
{
    private readonly VmcoreFile _dump = VmcoreFile.Open(Crashes.Linux61FourLevel);
    private readonly CrashedKernel _whole;

    public BrokenTaskListTests() => _whole = new CrashedKernel(_dump);

    [Theory]
    [InlineData(0xdead000000000100)]
    [InlineData(0x1)]
    [InlineData(0x0)]
    [InlineData(0xffffffffffffffff)]
    public void Item34_A_wild_pointer_in_the_list_costs_no_task_while_the_table_of_ids_is_whole(ulong wild)
    {
        KernelTask before = _whole.Tasks.Find(28)!;
        CrashedKernel kernel = new ChangedMemory(_dump).Write(NextOf(before), wild).Open();
        Assert.Equal(_whole.Tasks.All.Select(t => t.Address), kernel.Tasks.All.Select(t => t.Address));
        Assert.Equal(NextOf(before), kernel.Tasks.BrokenAt);
        Assert.Equal(_whole.Tasks.All.Count(t => t.Pid > 28), kernel.Tasks.Rescued);
        Assert.Contains(kernel.Gaps.All, g => g.Key == "task list" && g.Value.Contains($"0x{NextOf(before):x}", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(28, 5)]
    [InlineData(28, 28)]
    [InlineData(1, 1)]
    public void Item34_A_list_that_runs_in_a_circle_ends(int from, int to)
    {
        CrashedKernel kernel = new ChangedMemory(_dump).Write(NextOf(_whole.Tasks.Find(from)!), NextOf(_whole.Tasks.Find(to)!)).Open();
        Assert.Equal(_whole.Tasks.All.Select(t => t.Address), kernel.Tasks.All.Select(t => t.Address));
        Assert.NotNull(kernel.Tasks.BrokenAt);
    }

    [Fact]
    public void Item34_Without_the_table_of_ids_what_comes_before_the_break_is_kept()
    {
        Assert.True(_whole.Symbols!.TryFind("init_pid_ns", out var space));
        var tree = space + (ulong)_whole.Types!.OffsetOf("pid_namespace", "idr.idr_rt.xa_head")!.Value;
        CrashedKernel kernel = new ChangedMemory(_dump).Write(NextOf(_whole.Tasks.Find(28)!), 0).Write(tree, 0).Open();
        Assert.Equal(_whole.Tasks.All.Where(t => t.Pid <= 28).Select(t => t.Pid), kernel.Tasks.All.Select(t => t.Pid));
        Assert.Equal(0, kernel.Tasks.Rescued);
        Assert.Contains(kernel.Gaps.All, g => g.Key == "task list");
    }

    [Fact]
    public void Item34_A_broken_ring_of_threads_costs_none_of_the_other_processes()
    {
        KernelTask task = _whole.Tasks.Find(130)!;
        var node = task.Address + (ulong)_whole.Types!.OffsetOf("task_struct", "thread_node")!.Value;
        CrashedKernel kernel = new ChangedMemory(_dump).Write(node, 0x4141414141414141).Open();
        Assert.Equal(_whole.Tasks.All.Select(t => t.Address), kernel.Tasks.All.Select(t => t.Address));
        Assert.NotNull(kernel.Tasks.BrokenAt);
    }

    [Fact]
    public void A_list_that_leaves_tasks_out_without_being_broken_is_completed()
    {
        // As a rootkit hides a process: its neighbours point past it.
        KernelTask before = _whole.Tasks.Find(129)!;
        KernelTask behind = _whole.Tasks.Find(135)!;
        CrashedKernel kernel = new ChangedMemory(_dump).Write(NextOf(before), NextOf(behind)).Open();
        Assert.NotNull(kernel.Tasks.Find(130));
        Assert.Equal(1, kernel.Tasks.Rescued);
        Assert.Null(kernel.Tasks.BrokenAt);
        Assert.Contains(kernel.Gaps.All, g => g.Key == "task list");
    }

    public void Dispose() => _dump.Dispose();

    private ulong NextOf(KernelTask task) => task.Address + (ulong)_whole.Types!.OffsetOf("task_struct", "tasks")!.Value;
}
