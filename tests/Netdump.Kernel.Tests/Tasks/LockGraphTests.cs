using Netdump.Kernel.Tasks;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tests.Tasks;

/// <summary>Locks of a real kernel with their owners changed.</summary>
public sealed class LockGraphTests : IDisposable
{
    private readonly VmcoreFile _dump = VmcoreFile.Open(Crashes.Linux73);
    private readonly CrashedKernel _whole;

    public LockGraphTests() => _whole = new CrashedKernel(_dump);

    [Fact]
    public void Item37_User38_Two_tasks_that_wait_for_each_others_lock_are_a_cycle()
    {
        // lab_mutex1 (257) waits for lab_mutex, lab_obj1 (265) for the other one: each is made to hold what the other waits for.
        CrashedKernel kernel = new ChangedMemory(_dump).Write(OwnerOf(257), Word(265)).Write(OwnerOf(265), Word(257)).Open();
        LockCycle cycle = Assert.Single(kernel.Tasks.Waits.Cycles);
        Assert.Equal([257, 265], cycle.Waits.Select(w => w.Task.Pid).Order());
        Assert.True(cycle.IsCertain);
        Assert.Equal(cycle.Waits[0].WaitsFor, cycle.Waits[1].Task);
        Assert.Equal(cycle.Waits[1].WaitsFor, cycle.Waits[0].Task);
        // The others in line for lab_mutex wait for the cycle: they end at no root.
        Assert.DoesNotContain(kernel.Tasks.Waits.Chains.SelectMany(c => c.Waiting), w => w.Task.Pid is 257 or 261 or 263 or 265);
    }

    [Fact]
    public void Item37_A_task_that_waits_for_its_own_lock_is_a_cycle_of_one()
    {
        CrashedKernel kernel = new ChangedMemory(_dump).Write(OwnerOf(265), Word(265)).Open();
        Assert.Equal([265], Assert.Single(kernel.Tasks.Waits.Cycles).Waits.Select(w => w.Task.Pid));
    }

    [Fact]
    public void Item37_A_chain_of_two_locks_ends_at_the_second_ones_holder()
    {
        CrashedKernel kernel = new ChangedMemory(_dump).Write(OwnerOf(257), Word(265)).Open();
        LockChain chain = kernel.Tasks.Waits.Chains[0];
        Assert.Equal((255, 2, 9), (chain.Root.Pid, chain.Depth, chain.Waiting.Count));
        Assert.Empty(kernel.Tasks.Waits.Cycles);
    }

    [Fact]
    public void User36_A_mutex_without_owner_that_tasks_wait_for_is_said_to_be_so()
    {
        CrashedKernel kernel = new ChangedMemory(_dump).Write(OwnerOf(257), 1).Open();
        TaskWait wait = kernel.Tasks.Waits.Of(kernel.Tasks.Find(257)!)!;
        Assert.Equal((LockHold.Nobody, "no owner, waiters present"), (wait.Lock!.Hold, wait.Lock.Holder));
        Assert.Null(wait.WaitsFor);
        Assert.Equal([257, 261, 263], wait.Lock.Waiters.Select(w => w.Task.Pid));
    }

    [Fact]
    public void User37_Readers_are_one_of_the_readers_and_never_the_holder()
    {
        TaskWait wait = _whole.Tasks.Waits.Of(_whole.Tasks.Find(274)!)!;
        Assert.Equal("waits to write-lock rwsem lab_rwsem2 [labload], held by readers; one of the readers is or was lab_rholder:256", wait.Words);
        Assert.False(wait.IsCertain);
    }

    [Theory]
    [InlineData(0xdead000000000100)]
    [InlineData(0x4141414141414141)]
    [InlineData(0xffffffffffffffff)]
    public void Wild_pointers_in_a_queue_claim_no_lock_and_end(ulong wild)
    {
        var record = _whole.Tasks.Waits.Of(_whole.Tasks.Find(261)!)!.Record;
        ChangedMemory changed = new(_dump);
        CrashedKernel kernel = changed.Write(record, wild).Open();
        TaskWait wait = kernel.Tasks.Waits.Of(kernel.Tasks.Find(261)!)!;
        Assert.Equal(WaitKind.Mutex, wait.Kind);
        Assert.Null(wait.WaitsFor is { Pid: not 255 } ? wait : null);
        Assert.All(kernel.Tasks.Waits.Locks, l => Assert.InRange(l.Waiters.Count, 0, 3));
    }

    [Fact]
    public void Without_the_tasks_own_word_for_it_the_lock_is_found_on_the_stack()
    {
        ChangedMemory changed = new(_dump);
        foreach (TaskWait wait in _whole.Tasks.Waits.Blocked)
            foreach (var member in (string[])["blocked_on", "blocker"])
                changed.Write(wait.Task.Address + (ulong)_whole.Types!.OffsetOf("task_struct", member)!.Value, 0);
        CrashedKernel kernel = changed.Open();
        Assert.Equal(
            _whole.Tasks.Waits.Locks.Select(l => (l.Kind, l.Address, l.Waiters.Count)), kernel.Tasks.Waits.Locks.Select(l => (l.Kind, l.Address, l.Waiters.Count)));
    }

    public void Dispose() => _dump.Dispose();

    private ulong OwnerOf(int waiter) => _whole.Tasks.Waits.Of(_whole.Tasks.Find(waiter)!)!.Lock!.Address + (ulong)_whole.Types!.OffsetOf("mutex", "owner")!.Value;

    private ulong Word(int pid) => _whole.Tasks.Find(pid)!.Address | 1;
}
