namespace Netdump.Kernel.Tasks;

/// <summary>Bits of task_struct.flags that the analysis uses (include/linux/sched.h, the same values from 5.10 to 7.3).</summary>
public static class TaskFlags
{
    /// <summary>The idle task of a processor.</summary>
    public const ulong Idle = 0x2;

    /// <summary>It is on its way out.</summary>
    public const ulong Exiting = 0x4;

    /// <summary>A worker of a workqueue.</summary>
    public const ulong WorkqueueWorker = 0x20;

    /// <summary>It may use the last memory there is, since it frees more.</summary>
    public const ulong MemoryAllocator = 0x800;

    /// <summary>A worker that belongs to a process (io_uring; 6.4 and later).</summary>
    public const ulong UserWorker = 0x4000;

    /// <summary>The thread that frees memory.</summary>
    public const ulong Kswapd = 0x20000;

    /// <summary>A kernel thread: no process.</summary>
    public const ulong KernelThread = 0x200000;
}
