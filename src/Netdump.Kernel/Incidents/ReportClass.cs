namespace Netdump.Kernel.Incidents;

/// <summary>The class and the severity of a report in a log.</summary>
internal static class ReportClass
{
    public static string Of(IncidentKind kind, ReportFacts facts, IReadOnlyList<string> lines)
    {
        if (facts.Trace.Any(f => f.IsReliable && f.Name.StartsWith("sysrq_handle_crash", StringComparison.Ordinal)))
            return CrashClass.Sysrq;
        string word = OfKind(kind, facts);
        if (word is CrashClass.Panic or CrashClass.Incident or CrashClass.Exception && facts.PanicText is { } text)
            return OfPanic(text);
        if (word == CrashClass.MemoryCheck && lines.Any(l => l.Contains("use-after-free", StringComparison.Ordinal)))
            return CrashClass.UseAfterFree;
        return word;
    }

    private static string OfKind(IncidentKind kind, ReportFacts facts) => kind switch
    {
        IncidentKind.Sysrq => CrashClass.Sysrq,
        IncidentKind.PageFault or IncidentKind.NullDereference or IncidentKind.GeneralProtection or IncidentKind.Oops => FaultClass.Of(
            new(kind, facts.FaultAddress, facts.IsArm64 ? null : facts.ErrorCode, facts.InstructionPointer, facts.Registers) { IsArm64 = facts.IsArm64 }),
        IncidentKind.DoubleFault => CrashClass.DoubleFault,
        IncidentKind.StackOverflow => CrashClass.StackOverflow,
        IncidentKind.StackCorruption => CrashClass.StackCorruption,
        IncidentKind.Divide => CrashClass.Divide,
        IncidentKind.InvalidOpcode => CrashClass.InvalidOpcode,
        IncidentKind.Exception => CrashClass.Exception,
        IncidentKind.Bug => CrashClass.Bug,
        IncidentKind.Warning or IncidentKind.Ubsan => CrashClass.Warn,
        IncidentKind.Kasan or IncidentKind.Kmsan or IncidentKind.Kcsan or IncidentKind.Kfence => CrashClass.MemoryCheck,
        IncidentKind.Lockdep or IncidentKind.AtomicSleep => CrashClass.Deadlock,
        IncidentKind.SoftLockup => CrashClass.SoftLockup,
        IncidentKind.HardLockup => CrashClass.HardLockup,
        IncidentKind.HungTask => CrashClass.HungTask,
        IncidentKind.RcuStall => CrashClass.RcuStall,
        IncidentKind.OutOfMemory => CrashClass.OutOfMemory,
        IncidentKind.Hardware => CrashClass.Hardware,
        IncidentKind.Panic => CrashClass.Panic,
        _ => CrashClass.Incident,
    };

    /// <summary>The class that a panic's text alone tells.</summary>
    public static string OfPanic(string text)
    {
        foreach ((string words, string word) in PanicTexts)
        {
            if (text.Contains(words, StringComparison.OrdinalIgnoreCase))
                return word;
        }
        return CrashClass.Panic;
    }

    private static readonly (string Words, string Class)[] PanicTexts =
    [
        ("sysrq triggered crash", CrashClass.Sysrq),
        ("NMI: Not continuing", CrashClass.Nmi),
        ("panic_on_unrecovered_nmi", CrashClass.Nmi),
        ("softlockup: hung tasks", CrashClass.SoftLockup),
        ("Hard LOCKUP", CrashClass.HardLockup),
        ("hung_task: blocked tasks", CrashClass.HungTask),
        ("RCU Stall", CrashClass.RcuStall),
        ("panic_on_oom is enabled", CrashClass.OutOfMemory),
        ("deadlocked on memory", CrashClass.OutOfMemory),
        ("Out of memory", CrashClass.OutOfMemory),
        ("Machine check", CrashClass.Hardware),
        ("Fatal hardware error", CrashClass.Hardware),
        ("Uncorrected hardware", CrashClass.Hardware),
        ("Asynchronous SError", CrashClass.Hardware),
        ("IOCK error", CrashClass.Hardware),
        ("PCI system error", CrashClass.Hardware),
        ("Memory parity", CrashClass.Hardware),
        ("Attempted to kill init", CrashClass.InitDied),
        ("Unable to mount root fs", CrashClass.NoRoot),
        ("No working init found", CrashClass.NoRoot),
        ("Requested init", CrashClass.NoRoot),
        ("stack-protector", CrashClass.StackCorruption),
        ("corrupted stack end", CrashClass.StackOverflow),
        ("kernel stack overflow", CrashClass.StackOverflow),
        ("panic_on_warn", CrashClass.Warn),
    ];

    public static IncidentSeverity SeverityOf(IncidentKind kind, ReportFacts facts)
    {
        if (facts.PanicText is not null)
            return IncidentSeverity.Crash;
        return kind switch
        {
            IncidentKind.PageFault or IncidentKind.NullDereference or IncidentKind.GeneralProtection or IncidentKind.Oops or IncidentKind.DoubleFault
                or IncidentKind.StackOverflow or IncidentKind.StackCorruption or IncidentKind.Divide or IncidentKind.InvalidOpcode or IncidentKind.Exception
                or IncidentKind.Bug or IncidentKind.Panic or IncidentKind.Sysrq or IncidentKind.HardLockup => IncidentSeverity.Crash,
            IncidentKind.Warning or IncidentKind.Ubsan or IncidentKind.AllocationFailure or IncidentKind.MemoryLeak or IncidentKind.Lockdep
                or IncidentKind.AtomicSleep or IncidentKind.Kcsan => IncidentSeverity.Warning,
            _ => IncidentSeverity.Error,
        };
    }
}
