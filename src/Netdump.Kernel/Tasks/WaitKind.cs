namespace Netdump.Kernel.Tasks;

/// <summary>What kind of thing a task waits for.</summary>
public enum WaitKind
{
    /// <summary>Nothing that has a record: a plain sleep, or something this program does not know.</summary>
    Sleep,

    /// <summary>A mutex.</summary>
    Mutex,

    /// <summary>A mutex with priority inheritance.</summary>
    RealTimeMutex,

    /// <summary>A reader-writer semaphore, to read.</summary>
    ReadSemaphore,

    /// <summary>A reader-writer semaphore, to write.</summary>
    WriteSemaphore,

    /// <summary>A counting semaphore.</summary>
    Semaphore,

    /// <summary>A completion: something that another task or an interrupt has to finish.</summary>
    Completion,

    /// <summary>A queue of tasks that wait for an event.</summary>
    WaitQueue,

    /// <summary>A page that is locked, mostly while it is read.</summary>
    PageLock,

    /// <summary>A page that is being written.</summary>
    PageWriteback,
}

/// <summary>Who holds a lock.</summary>
public enum LockHold
{
    /// <summary>Such a thing has no holder, or nothing tells.</summary>
    NotKnown,

    /// <summary>Nobody, though tasks wait: a wake-up was lost, or the lock was just being handed over.</summary>
    Nobody,

    /// <summary>One task.</summary>
    Owner,

    /// <summary>A number of readers; the kernel notes one of them at most, not reliably.</summary>
    Readers,

    /// <summary>The task that took a counting semaphore last: with a count of one it is the holder.</summary>
    LastHolder,
}
