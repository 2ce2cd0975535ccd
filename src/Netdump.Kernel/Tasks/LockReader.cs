using Netdump.Kernel.Symbols;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tasks;

/// <summary>Reads locks and their queues, each once.</summary>
internal sealed class LockReader(TaskSource source, TaskList tasks, WaiterLayout layout)
{
    private const int LongestQueue = 1 << 16;
    private const ulong OwnerFlags = 7;
    private const long WriterLocked = 1; // rw_semaphore.count: bit 0 a writer, bit 1 waiters, bit 2 hand-off, readers from bit 8 on
    private const long ReaderUnit = 1 << 8;

    private readonly Dictionary<(WaitKind Kind, ulong Address), KernelLock> _locks = [];

    /// <summary>The lock at an address.</summary>
    /// <returns>Null when it is not in the dump or cannot be one of that kind.</returns>
    public KernelLock? Read(WaitKind kind, ulong address)
    {
        var family = kind is WaitKind.ReadSemaphore ? WaitKind.WriteSemaphore : kind;
        if (_locks.TryGetValue((family, address), out KernelLock? known))
            return known;
        if (layout.Of(kind) is not { IsKnown: true } queue || HoldOf(family, queue, address) is not { } hold)
            return null;
        var found = new KernelLock(
            family, address, NameOf(address), hold.Hold, hold.Owner, hold.Word, queue.Count.ReadSigned(source.Memory, address) ?? 0, WaitersOf(kind, queue, address));
        _locks.Add((family, address), found);
        return found;
    }

    /// <summary>A page or folio, with the one waiter that led to it: its queue is shared with other pages.</summary>
    public KernelLock Page(WaitKind kind, ulong page, LockWaiter waiter)
    {
        if (_locks.TryGetValue((kind, page), out KernelLock? known))
        {
            if (!known.Waiters.Contains(waiter))
                _locks[(kind, page)] = known = known with { Waiters = [.. known.Waiters, waiter] };
            return known;
        }
        return _locks[(kind, page)] = new KernelLock(kind, page, null, LockHold.NotKnown, null, 0, 0, [waiter]);
    }

    /// <summary>A mutex with priority inheritance: its queue is a tree, so that only the waiter that led to it is told.</summary>
    public KernelLock RealTime(ulong address, LockWaiter waiter)
    {
        if (!_locks.TryGetValue((WaitKind.RealTimeMutex, address), out KernelLock? known))
        {
            var word = layout.RealTimeOwner.Read(source.Memory, address) ?? 0;
            known = new KernelLock(
                WaitKind.RealTimeMutex, address, NameOf(address), (word & ~1UL) == 0 ? LockHold.Nobody : LockHold.Owner, tasks.FindAt(word & ~1UL), word, 0, []);
        }
        if (!known.Waiters.Contains(waiter))
            known = known with { Waiters = [.. known.Waiters, waiter] };
        return _locks[(WaitKind.RealTimeMutex, address)] = known;
    }

    /// <summary>What a waiter of a reader-writer semaphore wants, by its record; the kind asked for when the record does not tell.</summary>
    public WaitKind WantOf(WaitKind kind, ulong record)
    {
        if (kind is not (WaitKind.ReadSemaphore or WaitKind.WriteSemaphore) || layout.ReaderWriterType.ReadSigned(source.Memory, record) is not { } type)
            return kind;
        return type == layout.TypeOfWriter ? WaitKind.WriteSemaphore : WaitKind.ReadSemaphore;
    }

    private (LockHold Hold, KernelTask? Owner, ulong Word)? HoldOf(WaitKind kind, QueueLayout queue, ulong address)
    {
        if (kind is WaitKind.Completion or WaitKind.WaitQueue)
            return source.Memory.TryReadUInt64(queue.ListHead.At(address), out _) ? (LockHold.NotKnown, null, 0) : null;
        if (kind == WaitKind.Semaphore)
        {
            if (queue.Count.Read(source.Memory, address) is null)
                return null;
            var last = queue.Owner.Read(source.Memory, address) ?? 0;
            return tasks.FindAt(last) is { } holder ? (LockHold.LastHolder, holder, last) : (LockHold.NotKnown, null, last);
        }
        if (queue.Owner.Read(source.Memory, address) is not { } word)
            return null;
        KernelTask? owner = tasks.FindAt(word & ~OwnerFlags);
        if (kind == WaitKind.Mutex)
            return (word & ~OwnerFlags) == 0 ? (LockHold.Nobody, null, word) : (LockHold.Owner, owner, word);
        if (queue.Count.ReadSigned(source.Memory, address) is not { } count)
            return null;
        // The owner word is not cleared by readers that leave: without a reader in the count it says nothing.
        return (count & WriterLocked) != 0 ? (LockHold.Owner, owner, word)
            : count is >= ReaderUnit or < 0 ? (LockHold.Readers, owner, word)
            : (LockHold.Nobody, null, word);
    }

    private List<LockWaiter> WaitersOf(WaitKind kind, QueueLayout queue, ulong address)
    {
        List<LockWaiter> waiters = [];
        KernelMemory memory = source.Memory;
        if (queue.IsHeadless)
        {
            if (queue.First.Read(memory, address) is not (> 0 and var first) || !Add(first))
                return waiters;
            var rest = memory.WalkList(unchecked(first + (ulong)queue.Node.Offset), LongestQueue);
            while (rest.MoveNext() && Add(unchecked(rest.Current - (ulong)queue.Node.Offset)))
                continue;
            return waiters;
        }
        var walk = memory.WalkList(queue.ListHead.At(address), LongestQueue);
        while (walk.MoveNext())
            // A wait queue has entries that wake no task but call a function: those of epoll and poll.
            if (!Add(unchecked(walk.Current - (ulong)queue.Node.Offset)) && kind != WaitKind.WaitQueue)
                break;
        if (walk.End is not (ListEnd.Head or ListEnd.None))
            source.Gaps.Add($"the queue of the lock at 0x{address:x}", "its list is broken");
        return waiters;

        bool Add(ulong record)
        {
            if (queue.Task.Read(memory, record) is not { } pointer || tasks.FindAt(pointer) is not { } task)
                return false;
            waiters.Add(new LockWaiter(task, record, WantOf(kind, record)));
            return true;
        }
    }

    /// <summary>Symbol at or around an address of data; null for allocated memory.</summary>
    private string? NameOf(ulong address)
    {
        if (source.Symbols is null || !source.Symbols.TryResolve(address, out SymbolMatch match) || source.Symbols.IsText(address) || address - match.Start >= match.Size)
            return null;
        var name = address == match.Start ? match.Name : $"{match.Name}+0x{address - match.Start:x}";
        return match.Module is { } module ? $"{name} [{module}]" : name;
    }
}
