using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Report;

/// <summary>The class of a crash by the functions of its stack alone: for a dump whose log says nothing.</summary>
internal static class TraceClass
{
    private static readonly (string Function, string Class)[] Signs =
    [
        ("sysrq_handle_crash", CrashClass.Sysrq), ("watchdog_timer_fn", CrashClass.SoftLockup), ("watchdog_overflow_callback", CrashClass.HardLockup),
        ("watchdog_hardlockup_check", CrashClass.HardLockup), ("check_hung_uninterruptible_tasks", CrashClass.HungTask), ("out_of_memory", CrashClass.OutOfMemory),
        ("mce_panic", CrashClass.Hardware), ("unknown_nmi_error", CrashClass.Nmi), ("handle_stack_overflow", CrashClass.StackOverflow),
        ("rcu_sched_clock_irq", CrashClass.RcuStall), ("__warn", CrashClass.Warn), ("exc_divide_error", CrashClass.Divide), ("exc_double_fault", CrashClass.DoubleFault),
        ("page_fault_oops", CrashClass.PageFault), ("exc_general_protection", CrashClass.GeneralProtection), ("handle_bug", CrashClass.Bug),
    ];

    public static string Of(IReadOnlyList<SignatureFrame> trace)
    {
        foreach (SignatureFrame frame in trace)
            foreach (var (function, word) in Signs)
                if (frame.Module is null && SignatureNames.Normalise(frame.Name) == function)
                    return word;
        return CrashClass.Panic;
    }
}
