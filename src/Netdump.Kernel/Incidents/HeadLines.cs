using System.Buffers;

namespace Netdump.Kernel.Incidents;

/// <summary>The words that make a line the head of a kernel's report, in the order in which they are looked for.</summary>
internal enum Head
{
    None = -1,
    Bug,
    Warning,
    Info,
    UnableToHandle,
    GeneralProtection,
    StackSegment,
    KernelPanic,
    RustPanic,
    KernelBug,
    KernelBugText,
    ObjectFreed,
    DivideError,
    DivideErrorOld,
    InvalidOpcode,
    DoubleFault,
    Ubsan,
    Int3,
    InternalError,
    UnhandledFault,
    AlignmentTrap,
    WaitingForDevice,
    BusyInodes,
    ClosedFile,
    TrustyPanic,
    HardLockup,
    OomKiller,
    AllocationFailure,
    Oops,
}

/// <summary>Finds the head of a report in a line.</summary>
internal static class HeadLines
{
    private static readonly (Head Head, string Word, string[] False)[] Table =
    [
        (Head.Bug, "BUG:", ["ODEBUG:", "DEBUG:", "xlog_status:"]),
        (Head.Warning, "WARNING:",
        [
            "/etc/ssh/moduli", "workqueue cpumask: online intersect", "the mand mount option", "Unprivileged eBPF is enabled with eIBRS",
            "fbcon: Driver", "for mitigation options", "kernel not compiled with CPU_SRSO", "EXT4-fs", "XFS (", "uses deprecated v2 capabilities",
            "uses wireless extensions", "Unsupported flag value(s) of 0x",
        ]),
        (Head.Info,
         "INFO:", ["lockdep is turned off", "Stall ended before state dump start", "NMI handler (", "recovery required on readonly filesystem", "_INFO:", " is blocked on a"]),
        (Head.UnableToHandle, "Unable to handle kernel", []),
        (Head.GeneralProtection, "general protection fault", ["traps:", "] general protection"]),
        (Head.StackSegment, "stack segment: ", []),
        (Head.KernelPanic, "Kernel panic", []),
        (Head.RustPanic, "rust_kernel: panicked", []),
        (Head.KernelBug, "kernel BUG", []),
        (Head.KernelBugText, "Kernel BUG", []),
        (Head.ObjectFreed, "BUG kmalloc-", []),
        (Head.DivideError, "divide error:", []),
        (Head.DivideErrorOld, "divide_error:", []),
        (Head.InvalidOpcode, "invalid opcode:", []),
        (Head.DoubleFault, "PANIC: double fault", []),
        (Head.Ubsan, "UBSAN:", []),
        (Head.Int3, "int3: ", []),
        (Head.InternalError, "Internal error:", []),
        (Head.UnhandledFault, "Unhandled fault:", []),
        (Head.AlignmentTrap, "Alignment trap:", []),
        (Head.WaitingForDevice, "unregister_netdevice: waiting for", []),
        (Head.BusyInodes, "VFS: Busy inodes after unmount", []),
        (Head.ClosedFile, "VFS: Close: file count is 0", []),
        (Head.TrustyPanic, "trusty: panic", []),
        (Head.HardLockup, "hard LOCKUP on cpu", []),
        (Head.OomKiller, " invoked oom-killer: ", []),
        (Head.AllocationFailure, "page allocation failure: order:", []),
        (Head.Oops, "Oops: ", ["Fatal exception"]),
    ];

    private static readonly SearchValues<string> Words = SearchValues.Create([.. Table.Select(t => t.Word)], StringComparison.Ordinal);

    // Lines that belong to the report they stand in, whatever words they hold.
    private static readonly SearchValues<string> NoSecondReport = SearchValues.Create(
        ["invalid opcode: 0000", "Kernel panic - not syncing", "unregister_netdevice: waiting for", "PANIC: double fault", "Internal error:"],
        StringComparison.Ordinal);

    private static readonly SearchValues<string> OtherReports = SearchValues.Create(
        ["vmalloc: allocation failure:", "FAULT_INJECTION: forcing a failure", "FAULT_FLAG_ALLOW_RETRY missing"], StringComparison.Ordinal);

    /// <summary>The word that makes the line a head.</summary>
    public static string WordOf(Head head) => Table[(int)head].Word;

    /// <summary>The first head of the table that the line holds.</summary>
    public static Head Find(ReadOnlySpan<char> line)
    {
        if (!line.ContainsAny(Words))
            return Head.None;
        foreach ((Head head, string word, string[] lies) in Table)
        {
            if (line.Contains(word, StringComparison.Ordinal) && !Lies(line, lies))
                return head;
        }
        return Head.None;
    }

    // Whatever the case: some consoles change it.
    private static bool Lies(ReadOnlySpan<char> line, string[] lies)
    {
        foreach (string lie in lies)
        {
            if (line.Contains(lie, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    /// <summary>Whether the head is one that may stand inside the report of a crash without ending it.</summary>
    public static bool IsSecondary(Head head) => head is Head.HardLockup or Head.OomKiller or Head.AllocationFailure or Head.Oops;

    /// <summary>Whether a line inside a report begins a second one.</summary>
    public static bool BeginsSecondReport(ReadOnlySpan<char> line, Head head) =>
        head is not Head.None and not Head.Oops ? !line.ContainsAny(NoSecondReport) : line.ContainsAny(OtherReports);
}
