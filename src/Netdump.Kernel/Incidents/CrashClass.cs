namespace Netdump.Kernel.Incidents;

/// <summary>The words a signature classes crashes by: part of algorithm version 1, so they never change. docs/signature.md explains each.</summary>
public static class CrashClass
{
    /// <summary>A crash asked for through sysrq.</summary>
    public const string Sysrq = "sysrq";

    /// <summary>An NMI that was asked for, from a button or a hypervisor.</summary>
    public const string Nmi = "nmi";

    /// <summary>A stack ran over its end.</summary>
    public const string StackOverflow = "stack-overflow";

    /// <summary>BUG().</summary>
    public const string Bug = "bug";

    /// <summary>WARN() with panic_on_warn.</summary>
    public const string Warn = "warn";

    /// <summary>A call through a NULL pointer.</summary>
    public const string NullJump = "null-jump";

    /// <summary>A NULL pointer, or a member of what it points to, was used.</summary>
    public const string NullDereference = "null-deref";

    /// <summary>A value that marks freed or unlinked memory was used as a pointer.</summary>
    public const string Poison = "poison";

    /// <summary>A general protection fault: an address that no memory can have.</summary>
    public const string GeneralProtection = "gpf";

    /// <summary>An error number was used as a pointer.</summary>
    public const string ErrorPointer = "error-pointer";

    /// <summary>Memory of a program was touched without permission.</summary>
    public const string UserPointer = "user-pointer";

    /// <summary>Read-only memory was written.</summary>
    public const string ReadOnlyWrite = "rodata-write";

    /// <summary>A page fault of no other class.</summary>
    public const string PageFault = "page-fault";

    /// <summary>Freed memory was used, as a memory checker says.</summary>
    public const string UseAfterFree = "use-after-free";

    /// <summary>Memory outside an object was used, or another finding of a memory checker.</summary>
    public const string MemoryCheck = "memory-check";

    /// <summary>Division by zero.</summary>
    public const string Divide = "divide";

    /// <summary>Double fault.</summary>
    public const string DoubleFault = "double-fault";

    /// <summary>An unknown instruction.</summary>
    public const string InvalidOpcode = "invalid-op";

    /// <summary>Another exception.</summary>
    public const string Exception = "exception";

    /// <summary>The stack's guard value was overwritten inside a function.</summary>
    public const string StackCorruption = "stack-corruption";

    /// <summary>A CPU did not schedule.</summary>
    public const string SoftLockup = "soft-lockup";

    /// <summary>A CPU took no interrupts.</summary>
    public const string HardLockup = "hard-lockup";

    /// <summary>RCU was held up.</summary>
    public const string RcuStall = "rcu-stall";

    /// <summary>Tasks waited too long.</summary>
    public const string HungTask = "hung-task";

    /// <summary>Memory ran out.</summary>
    public const string OutOfMemory = "oom";

    /// <summary>Hardware reported an error that cannot be corrected.</summary>
    public const string Hardware = "hardware";

    /// <summary>The first process ended.</summary>
    public const string InitDied = "init-died";

    /// <summary>No root file system.</summary>
    public const string NoRoot = "no-root";

    /// <summary>Lock rules were broken.</summary>
    public const string Deadlock = "deadlock";

    /// <summary>A panic of no other class.</summary>
    public const string Panic = "panic";

    /// <summary>No crash: an incident the kernel lived on after.</summary>
    public const string Incident = "incident";

    /// <summary>Whether the class is a hang: its frames begin with the first that does not wait.</summary>
    public static bool IsHang(string word) => word is SoftLockup or HardLockup or RcuStall or HungTask;

    /// <summary>Whether the crash was asked for.</summary>
    public static bool IsDeliberate(string word) => word is Sysrq or Nmi;

    /// <summary>The class in words, to put before "in FUNCTION".</summary>
    public static string Words(string word) => word switch
    {
        Sysrq => "sysrq-triggered crash",
        Nmi => "NMI asked for from outside",
        StackOverflow => "stack overflow",
        Bug => "kernel BUG",
        Warn => "kernel warning",
        NullJump => "jump to NULL",
        NullDereference => "NULL pointer dereference",
        Poison => "use of a poisoned pointer",
        GeneralProtection => "general protection fault",
        ErrorPointer => "use of an error number as a pointer",
        UserPointer => "user memory touched without permission",
        ReadOnlyWrite => "write to read-only memory",
        PageFault => "page fault",
        UseAfterFree => "use after free",
        MemoryCheck => "memory checker's report",
        Divide => "division by zero",
        DoubleFault => "double fault",
        InvalidOpcode => "invalid opcode",
        StackCorruption => "stack corruption",
        SoftLockup => "soft lockup",
        HardLockup => "hard lockup",
        RcuStall => "RCU stall",
        HungTask => "hung task",
        OutOfMemory => "out of memory",
        Hardware => "hardware error",
        InitDied => "death of init",
        NoRoot => "no root file system",
        Deadlock => "lock rule broken",
        Exception => "processor exception",
        Panic => "kernel panic",
        _ => word,
    };
}
