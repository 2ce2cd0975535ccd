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

    private static ulong Hex(JsonElement text) => ulong.Parse(text.GetString().AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
