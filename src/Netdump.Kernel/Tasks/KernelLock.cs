namespace Netdump.Kernel.Tasks;

/// <summary>One task in a lock's queue.</summary>
/// <param name="Task">The task.</param>
/// <param name="Record">Address of its record in the queue, on the task's own stack.</param>
/// <param name="Kind">What it wants of the lock.</param>
public readonly record struct LockWaiter(KernelTask Task, ulong Record, WaitKind Kind);

/// <summary>A thing that tasks wait for, as the dump has it.</summary>
/// <param name="Kind">What it is; a reader-writer semaphore is <see cref="WaitKind.WriteSemaphore"/>, whatever its waiters want.</param>
/// <param name="Address">Its address; of a page that of its struct page or folio.</param>
/// <param name="Name">The symbol at or around its address; null for one in allocated memory.</param>
/// <param name="Hold">How much is known of its holder.</param>
/// <param name="Owner">The holder, or what <paramref name="Hold"/> says of the task; null when there is none or it is no task of the list.</param>
/// <param name="OwnerWord">The word that names the owner, low bits included; 0 for things without.</param>
/// <param name="Count">Count of a semaphore or a reader-writer semaphore, <c>done</c> of a completion.</param>
/// <param name="Waiters">Who waits, first in line first.</param>
public sealed record KernelLock(
    WaitKind Kind, ulong Address, string? Name, LockHold Hold, KernelTask? Owner, ulong OwnerWord, long Count, IReadOnlyList<LockWaiter> Waiters)
{
    /// <summary>Its kind in words.</summary>
    public string KindName => Kind switch
    {
        WaitKind.Mutex => "mutex",
        WaitKind.RealTimeMutex => "rt_mutex",
        WaitKind.ReadSemaphore or WaitKind.WriteSemaphore => "rwsem",
        WaitKind.Semaphore => "semaphore",
        WaitKind.Completion => "completion",
        WaitKind.PageLock or WaitKind.PageWriteback => "page",
        _ => "wait queue",
    };

    /// <summary>Kind and name, or the address when it has none.</summary>
    public string Title => Name is { } name ? $"{KindName} {name}" : $"{KindName} at 0x{Address:x}";

    /// <summary>What is known of its holder, in words.</summary>
    public string Holder => Hold switch
    {
        LockHold.Owner when Owner is { } owner => $"held by {owner}",
        LockHold.Owner => $"held by a task at 0x{OwnerWord & ~7UL:x} that is not in the list",
        LockHold.Nobody => "no owner, waiters present",
        LockHold.Readers when Owner is { } owner => $"held by readers; one of the readers is or was {owner}",
        LockHold.Readers => "held by readers",
        LockHold.LastHolder when Owner is { } owner => $"last taken by {owner}",
        _ => Kind is WaitKind.Completion ? "not completed" : "holder not known",
    };
}

/// <summary>What one task waits for.</summary>
/// <param name="Task">The task.</param>
/// <param name="Kind">What kind of thing it is.</param>
/// <param name="Words">The same for a person: the lock with its holder, or what kind of sleep it is.</param>
/// <param name="Lock">The lock with its whole queue; null for plain sleeps and when the record was not found.</param>
/// <param name="Record">Address of the task's record in the lock's queue, 0 without one.</param>
/// <param name="Function">Name of the function the task waits in; null when its stack cannot be read.</param>
public sealed record TaskWait(KernelTask Task, WaitKind Kind, string Words, KernelLock? Lock, ulong Record, string? Function)
{
    /// <summary>The task that has to go on first, as far as the dump tells; null for none. A task can wait for a lock that it holds itself.</summary>
    public KernelTask? WaitsFor => Lock switch
    {
        { Hold: LockHold.Owner } held => held.Owner,
        { Hold: LockHold.LastHolder or LockHold.Readers } held when held.Owner != Task => held.Owner,
        _ => null,
    };

    /// <summary>Whether it is certain that <see cref="WaitsFor"/> holds the lock: not for readers and counting semaphores.</summary>
    public bool IsCertain => Lock is { Hold: LockHold.Owner };
}
