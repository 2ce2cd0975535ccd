using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tasks;

/// <summary>Finds the record by which a sleeping task stands in a lock's queue: it lies on the task's own stack and holds the task's address.</summary>
/// <remarks>
/// Up to 7.0 a queue is a ring with its head in the lock: the one element that is on no task's stack. From 7.1 on mutexes and semaphores point to the
/// first record and the ring has no head: the lock is named by task.blocked_on or task.blocker, or is the word on the stack that points back into the ring.
/// </remarks>
internal sealed class WaitSearch(TaskSource source, TaskList tasks, TaskStacks stacks, WaiterLayout layout)
{
    private const int LongestQueue = 1 << 16;
    private const ulong BlockerKind = 3; // low bits of task.blocker: 0 mutex, 1 semaphore, 2 rwsem to read, 3 rwsem to write

    /// <summary>Finds record and lock.</summary>
    /// <param name="task">The sleeper.</param>
    /// <param name="kind">What its stack says it waits for.</param>
    /// <returns>The record's address, 0 when only the task itself names the lock, and the lock's; null when neither is there.</returns>
    public (ulong Record, ulong Lock)? Find(KernelTask task, WaitKind kind)
    {
        if (layout.Of(kind) is not { IsKnown: true } queue)
            return null;
        var words = stacks.WordsOf(task, out var start);
        for (var i = 0; i < words.Length; i++)
        {
            if (words[i] != task.Address)
                continue;
            var record = unchecked(start + (ulong)i * 8 - (ulong)queue.Task.Offset);
            var node = unchecked(record + (ulong)queue.Node.Offset);
            if (record < start || !IsLinked(node))
                continue;
            if (queue.IsHeadless)
            {
                if (HeadlessLock(task, queue, node, words) is { } found)
                    return (record, found);
            }
            else if (HeadOf(queue, node) is { } head)
            {
                var at = unchecked(head - (ulong)queue.ListHead.Offset);
                if (IsPlausible(kind, queue, at, record))
                    return (record, at);
            }
        }
        // The stack is not in the dump: the task may name the lock all the same.
        return queue.IsHeadless && Named(task) is { } named && queue.First.Read(source.Memory, named) is > 0 ? (0, named) : null;
    }

    /// <summary>The lock that the task itself names (7.x, and earlier kernels with the debugging option); null when it names none.</summary>
    /// <param name="task">The sleeper.</param>
    public ulong? Named(KernelTask task)
    {
        if (source.Layout.Blocker.Exists && task.Value(source.Layout.Blocker) is > 0 and var blocker)
            return blocker & ~BlockerKind;
        // Before 7.x a kernel with lock debugging keeps a mutex_waiter there.
        return layout.Mutex.IsHeadless && source.Layout.BlockedOn.Exists && task.Value(source.Layout.BlockedOn) is > 0 and var mutex ? mutex : null;
    }

    private bool IsLinked(ulong node) =>
        source.Memory.TryReadUInt64(node, out var next) && source.Memory.TryReadUInt64(unchecked(node + 8), out var previous)
        && source.Memory.TryReadUInt64(unchecked(next + 8), out var back) && back == node
        && source.Memory.TryReadUInt64(previous, out var forth) && forth == node;

    private ulong? HeadOf(QueueLayout queue, ulong node)
    {
        ListWalk walk = source.Memory.WalkList(node, LongestQueue);
        while (walk.MoveNext())
        {
            var record = unchecked(walk.Current - (ulong)queue.Node.Offset);
            if (queue.Task.Read(source.Memory, record) is not { } pointer || tasks.FindAt(pointer) is not { } other || !stacks.Contains(other, record))
            {
                // Entries of a wait queue that belong to no sleeping task are no heads either: they have a function to call.
                if (queue == layout.WaitQueue && layout.WakeFunction.Read(source.Memory, record) is { } function && source.Symbols?.IsText(function) == true)
                    continue;
                return walk.Current;
            }
        }
        return null;
    }

    private bool IsPlausible(WaitKind kind, QueueLayout queue, ulong at, ulong record)
    {
        if (kind == WaitKind.Mutex)
            return queue.Owner.Read(source.Memory, at) is { } word && ((word & ~7UL) == 0 || tasks.FindAt(word & ~7UL) is not null);
        if (queue == layout.WaitQueue)
            return layout.WakeFunction.Read(source.Memory, record) is { } function && source.Symbols?.IsText(function) == true;
        return kind is not (WaitKind.ReadSemaphore or WaitKind.WriteSemaphore) || queue.Count.Read(source.Memory, at) is { } count && (count & 2) != 0;
    }

    private ulong? HeadlessLock(KernelTask task, QueueLayout queue, ulong node, ulong[] words)
    {
        HashSet<ulong> ring = [node];
        ListWalk walk = source.Memory.WalkList(node, LongestQueue);
        while (walk.MoveNext())
            ring.Add(walk.Current);
        if (Named(task) is { } named && LeadsToRing(named))
            return named;
        foreach (var word in words)
            if (word >> 56 == 0xff && word % 8 == 0 && !stacks.Contains(task, word) && LeadsToRing(word))
                return word;
        return null;

        bool LeadsToRing(ulong candidate) =>
            queue.First.Read(source.Memory, candidate) is { } first && ring.Contains(unchecked(first + (ulong)queue.Node.Offset));
    }
}
