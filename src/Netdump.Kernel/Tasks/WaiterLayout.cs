using Netdump.Kernel.Types;

namespace Netdump.Kernel.Tasks;

/// <summary>How the queue of one kind of lock is built.</summary>
/// <param name="Task">The waiter's task, in its record.</param>
/// <param name="Node">The record's list_head.</param>
/// <param name="ListHead">The lock's list_head; absent where the lock points to the first record.</param>
/// <param name="First">The lock's pointer to the first record, from 7.1 on; absent before.</param>
/// <param name="Owner">The word that names the owner.</param>
/// <param name="Count">The lock's count.</param>
internal sealed record QueueLayout(Field Task, Field Node, Field ListHead, Field First, Field Owner, Field Count)
{
    /// <summary>Whether records can be told at all.</summary>
    public bool IsKnown => Task.Exists && Node.Exists && (ListHead.Exists || First.Exists);

    /// <summary>Whether the ring of records has no head in the lock (7.1 and later).</summary>
    public bool IsHeadless => First.Exists;
}

/// <summary>Where the members of all records of waiting tasks lie.</summary>
internal sealed class WaiterLayout(KernelTypes? types)
{
    public QueueLayout Mutex { get; } = new(
        Field.Of(types, "mutex_waiter", "task"), Field.Of(types, "mutex_waiter", "list"), Field.Of(types, "mutex", "wait_list"),
        Field.Of(types, "mutex", "first_waiter"), Field.Of(types, "mutex", "owner.counter", "owner"), Field.Absent);

    public QueueLayout ReaderWriter { get; } = new(
        Field.Of(types, "rwsem_waiter", "task"), Field.Of(types, "rwsem_waiter", "list"), Field.Of(types, "rw_semaphore", "wait_list"),
        Field.Of(types, "rw_semaphore", "first_waiter"), Field.Of(types, "rw_semaphore", "owner.counter", "owner"),
        Field.Of(types, "rw_semaphore", "count.counter", "count"));

    public QueueLayout Semaphore { get; } = new(
        Field.Of(types, "semaphore_waiter", "task"), Field.Of(types, "semaphore_waiter", "list"), Field.Of(types, "semaphore", "wait_list"),
        Field.Of(types, "semaphore", "first_waiter"), Field.Of(types, "semaphore", "last_holder"), Field.Of(types, "semaphore", "count"));

    public QueueLayout Completion { get; } = new(
        Field.Of(types, "swait_queue", "task"), Field.Of(types, "swait_queue", "task_list"), Field.Of(types, "completion", "wait.task_list"),
        Field.Absent, Field.Absent, Field.Of(types, "completion", "done"));

    public QueueLayout WaitQueue { get; } = new(
        Field.Of(types, "wait_queue_entry", "private"), Field.Of(types, "wait_queue_entry", "entry"), Field.Of(types, "wait_queue_head", "head"),
        Field.Absent, Field.Absent, Field.Absent);

    /// <summary>What a reader-writer semaphore's waiter wants (enum rwsem_waiter_type: 0 to write, 1 to read).</summary>
    public Field ReaderWriterType { get; } = Field.Of(types, "rwsem_waiter", "type");

    public long TypeOfWriter { get; } = types?.EnumValue("rwsem_waiter_type", "RWSEM_WAITING_FOR_WRITE") ?? 0;

    public Field WakeFunction { get; } = Field.Of(types, "wait_queue_entry", "func");

    /// <summary>The wait_queue_entry within the record of a task that waits for a page.</summary>
    public Field PageEntry { get; } = Field.Of(types, "wait_page_queue", "wait");

    public Field Page { get; } = Field.Of(types, "wait_page_queue", "folio", "page");

    public Field PageBit { get; } = Field.Of(types, "wait_page_queue", "bit_nr");

    public long? WritebackBit { get; } = types?.EnumValue("pageflags", "PG_writeback");

    public Field RealTimeBlocked { get; } = Field.Of(types, "task_struct", "pi_blocked_on");

    public Field RealTimeLock { get; } = Field.Of(types, "rt_mutex_waiter", "lock");

    public Field RealTimeTask { get; } = Field.Of(types, "rt_mutex_waiter", "task");

    public Field RealTimeOwner { get; } = Field.Of(types, "rt_mutex_base", "owner") is { Exists: true } plain ? plain : Field.Of(types, "rt_mutex", "owner");

    public QueueLayout? Of(WaitKind kind) => kind switch
    {
        WaitKind.Mutex => Mutex,
        WaitKind.ReadSemaphore or WaitKind.WriteSemaphore => ReaderWriter,
        WaitKind.Semaphore => Semaphore,
        WaitKind.Completion => Completion,
        WaitKind.WaitQueue or WaitKind.PageLock or WaitKind.PageWriteback => WaitQueue,
        _ => null,
    };
}
