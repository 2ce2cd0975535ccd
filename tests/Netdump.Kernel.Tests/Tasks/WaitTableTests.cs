using System.Globalization;
using System.Text.Json;
using Netdump.Kernel.Tasks;
using Netdump.Vmcore.Tests;

namespace Netdump.Kernel.Tests.Tasks;

public class WaitTableTests
{
    /// <summary>The judge is drgn, from the test module's own variables.</summary>
    [Fact]
    public void Item35_Locks_have_the_owner_queue_order_and_name_that_a_debugger_sees()
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Linux73);
        using var dump = kernel.Dump;
        using var truth = JsonDocument.Parse(File.ReadAllBytes(SharedData.File("linux-7.3-sysrq-full", "locks.json")));
        foreach (JsonElement expected in truth.RootElement.EnumerateArray())
        {
            var address = Hex(expected.GetProperty("address"));
            KernelLock found = Assert.Single(kernel.Tasks.Waits.Locks, l => l.Address == address);
            Assert.Equal(expected.GetProperty("kind").GetString(), found.KindName);
            Assert.Equal(expected.GetProperty("name").GetString() is { } name ? $"{name} [labload]" : null, found.Name);
            if (expected.TryGetProperty("owner_word", out JsonElement word))
                Assert.Equal(Hex(word), found.OwnerWord);
            if (expected.TryGetProperty("owner", out JsonElement owner) || expected.TryGetProperty("last_holder_task", out owner))
                Assert.Equal(owner.GetProperty("pid").GetInt32(), found.Owner?.Pid);
            else
                Assert.Null(found.Owner);
            Assert.Equal(
                expected.TryGetProperty("owner_is", out JsonElement by) && by.GetString() == "a reader" ? LockHold.Readers
                    : found.Kind == WaitKind.Semaphore ? LockHold.LastHolder : found.Owner is null ? LockHold.NotKnown : LockHold.Owner,
                found.Hold);
            if (expected.TryGetProperty("count", out JsonElement count))
                Assert.Equal(count.ValueKind == JsonValueKind.String ? (long)Hex(count) : count.GetInt64(), found.Count);
            Assert.Equal(
                expected.GetProperty("waiters").EnumerateArray().Select(w => (w.GetProperty("pid").GetInt32(), Hex(w.GetProperty("waiter")))),
                found.Waiters.Select(w => (w.Task.Pid, w.Record)));
            foreach (JsonElement waiter in expected.GetProperty("waiters").EnumerateArray())
            {
                KernelTask task = kernel.Tasks.Find(waiter.GetProperty("pid").GetInt32())!;
                TaskWait wait = kernel.Tasks.Waits.Of(task)!;
                Assert.Same(found, wait.Lock);
                Assert.Equal(Hex(waiter.GetProperty("waiter")), wait.Record);
                Assert.Equal('D', task.State);
                if (waiter.TryGetProperty("wants", out JsonElement wants))
                    Assert.Equal(wants.GetString() == "read" ? WaitKind.ReadSemaphore : WaitKind.WriteSemaphore, wait.Kind);
            }
        }
        Assert.Empty(kernel.Gaps.All);
    }

    [Fact]
    public void Item35_Locks_of_arm64_have_their_owner_queue_and_name()
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Arm64);
        using var dump = kernel.Dump;
        WaitTable waits = kernel.Tasks.Waits;
        KernelLock mutex = Assert.Single(waits.Locks, l => l.Kind == WaitKind.Mutex);
        Assert.Equal(("mutex lab_mutex [labload]", "held by lab_holder:198"), (mutex.Title, mutex.Holder));
        Assert.Equal(["lab_waiter1", "lab_waiter2"], mutex.Waiters.Select(w => w.Task.Comm));
        KernelLock semaphore = Assert.Single(waits.Locks, l => l.Kind == WaitKind.WriteSemaphore);
        Assert.Equal(("rwsem lab_rwsem [labload]", "held by readers; one of the readers is or was lab_reader:201"), (semaphore.Title, semaphore.Holder));
        Assert.Equal(["lab_writer"], semaphore.Waiters.Select(w => w.Task.Comm));
        KernelLock completion = Assert.Single(waits.Locks, l => l.Kind == WaitKind.Completion && l.Name is not null);
        Assert.Equal("completion lab_never [labload]", completion.Title);
        Assert.Equal(["lab_holder", "lab_reader"], completion.Waiters.Select(w => w.Task.Comm));
        Assert.Equal(5, waits.Blocked.Count);
    }

    [Fact]
    public void User6_Chains_of_locks_end_at_the_task_that_keeps_all_waiting()
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Linux73);
        using var dump = kernel.Dump;
        Assert.Equal([(255, 9, 1), (256, 1, 1)], kernel.Tasks.Waits.Chains.Select(c => (c.Root.Pid, c.Waiting.Count, c.Depth)));
        Assert.Empty(kernel.Tasks.Waits.Cycles);
        Assert.All(kernel.Tasks.Waits.Chains, c => Assert.False(c.IsCertain));
        Assert.Equal("lab_sleep_holding", kernel.Tasks.Waits.Chains[0].RootWait!.Function);
    }

    [Fact]
    public void Item36_User35_A_blocked_task_has_one_record_of_the_type_its_stack_says_and_no_owner_when_it_waits_for_no_lock()
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Linux73);
        using var dump = kernel.Dump;
        IReadOnlyList<TaskWait> blocked = kernel.Tasks.Waits.Blocked;
        Assert.Equal(14, blocked.Count); // 13 of the test module, and the parent of a vfork
        Assert.Equal(
            [(WaitKind.Mutex, 4), (WaitKind.ReadSemaphore, 2), (WaitKind.WriteSemaphore, 2), (WaitKind.Semaphore, 2), (WaitKind.Completion, 3), (WaitKind.WaitQueue, 1)],
            blocked.GroupBy(w => w.Kind).Select(g => (g.Key, g.Count())).OrderBy(g => g.Key));
        Assert.All(blocked.Where(w => w.Kind is WaitKind.Completion or WaitKind.WaitQueue), w => Assert.Null(w.WaitsFor));
        TaskWait vfork = kernel.Tasks.Waits.Of(kernel.Tasks.Find(249)!)!;
        Assert.Equal("kernel_clone", vfork.Function);
        Assert.Equal([vfork.Task], vfork.Lock!.Waiters.Select(w => w.Task));
    }

    [Theory]
    [InlineData(126, "hrtimer_nanosleep", "sleeps for a time")]
    [InlineData(128, "do_wait", "waits for a child process to end")]
    [InlineData(129, "inet_csk_accept", "waits for a connection")]
    [InlineData(3, "rescuer_thread", "a workqueue's rescuer without work")]
    [InlineData(7, "worker_thread", "a workqueue's worker without work")]
    [InlineData(2, "kthreadd", "waits for threads to create")]
    public void Plain_sleeps_are_named_with_their_wait_channel(int pid, string channel, string words)
    {
        CrashedKernel kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        TaskWait wait = kernel.Tasks.Waits.Of(kernel.Tasks.Find(pid)!)!;
        Assert.Equal((channel, words), (wait.Function, wait.Words));
        Assert.Equal(channel, kernel.Tasks.Waits.WaitFunctionOf(wait.Task));
        Assert.Null(wait.WaitsFor);
    }

    private static ulong Hex(JsonElement text) => ulong.Parse(text.GetString().AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
