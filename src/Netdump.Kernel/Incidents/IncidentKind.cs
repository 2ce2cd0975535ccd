namespace Netdump.Kernel.Incidents;

/// <summary>What sort of incident a log tells of. docs/incidents.md has the lines each is known by.</summary>
public enum IncidentKind
{
    /// <summary>A kernel report that fits no other kind.</summary>
    Other,

    /// <summary>A panic of its own: no other incident stands behind it.</summary>
    Panic,

    /// <summary>A panic asked for through sysrq.</summary>
    Sysrq,

    /// <summary>A page fault in the kernel.</summary>
    PageFault,

    /// <summary>A page fault in the first page: a NULL pointer was used.</summary>
    NullDereference,

    /// <summary>A general protection fault.</summary>
    GeneralProtection,

    /// <summary>A double fault.</summary>
    DoubleFault,

    /// <summary>A stack that ran over its end.</summary>
    StackOverflow,

    /// <summary>A stack whose guard word was overwritten.</summary>
    StackCorruption,

    /// <summary>A division by zero.</summary>
    Divide,

    /// <summary>An instruction the processor does not know.</summary>
    InvalidOpcode,

    /// <summary>Another processor exception.</summary>
    Exception,

    /// <summary>An oops whose first lines are lost.</summary>
    Oops,

    /// <summary>BUG() or BUG_ON().</summary>
    Bug,

    /// <summary>WARN().</summary>
    Warning,

    /// <summary>A report of KASAN.</summary>
    Kasan,

    /// <summary>A report of KMSAN.</summary>
    Kmsan,

    /// <summary>A report of KCSAN.</summary>
    Kcsan,

    /// <summary>A report of KFENCE.</summary>
    Kfence,

    /// <summary>A report of UBSAN.</summary>
    Ubsan,

    /// <summary>A report of the lock checker, or of the spin locks' own checks.</summary>
    Lockdep,

    /// <summary>Sleeping where that is not allowed.</summary>
    AtomicSleep,

    /// <summary>A CPU that did not schedule.</summary>
    SoftLockup,

    /// <summary>A CPU that took no interrupts.</summary>
    HardLockup,

    /// <summary>A task that waited too long.</summary>
    HungTask,

    /// <summary>A CPU or task that held up RCU.</summary>
    RcuStall,

    /// <summary>A work queue that did not get on.</summary>
    WorkqueueStall,

    /// <summary>Memory ran out.</summary>
    OutOfMemory,

    /// <summary>An allocation failed.</summary>
    AllocationFailure,

    /// <summary>A page or table in a state it must not be in.</summary>
    BadPage,

    /// <summary>Memory that nothing points to.</summary>
    MemoryLeak,

    /// <summary>A processor, memory or bus reported an error.</summary>
    Hardware,

    /// <summary>A disk or its controller failed.</summary>
    Storage,

    /// <summary>A file system found an error.</summary>
    Filesystem,

    /// <summary>A network card stopped.</summary>
    Network,
}

/// <summary>How grave an incident is.</summary>
public enum IncidentSeverity
{
    /// <summary>Worth a line.</summary>
    Notice,

    /// <summary>The kernel went on.</summary>
    Warning,

    /// <summary>Something stopped working, or hardware failed.</summary>
    Error,

    /// <summary>An oops or a panic.</summary>
    Crash,
}

/// <summary>The stack a frame of a log's call trace stood on.</summary>
public enum TraceSection
{
    /// <summary>The log does not say.</summary>
    Plain,

    /// <summary>The task's stack.</summary>
    Task,

    /// <summary>The interrupt stack.</summary>
    Interrupt,

    /// <summary>The NMI stack.</summary>
    NonMaskable,

    /// <summary>Another of the processor's stacks (double fault, debug, entry).</summary>
    Other,
}

/// <summary>A frame of a call trace as a log prints it.</summary>
/// <param name="Name">The function, with the compiler's suffixes; empty for a place without a name.</param>
/// <param name="Offset">Bytes from the function's start.</param>
/// <param name="Size">The function's size in bytes, 0 when the log does not say.</param>
/// <param name="Module">The module, or null.</param>
/// <param name="IsReliable">False for a frame with a question mark: an address that lay on the stack.</param>
/// <param name="Section">The stack.</param>
/// <param name="IsRegisters">Whether this is where an exception or interrupt came: a line <c>RIP:</c> or <c>pc :</c>.</param>
public readonly record struct LogFrame(string Name, ulong Offset, ulong Size, string? Module, bool IsReliable, TraceSection Section, bool IsRegisters)
{
    /// <summary>As the kernel writes it.</summary>
    public override string ToString() =>
        $"{(IsReliable ? "" : "? ")}{Name}+0x{Offset:x}/0x{Size:x}{(Module is null ? "" : $" [{Module}]")}";
}
