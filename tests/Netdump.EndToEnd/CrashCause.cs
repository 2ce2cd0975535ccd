namespace Netdump.EndToEnd;

/// <summary>A cause that the guest's module (tests/guest/causes) or its init brings about, and what the dead kernel says of it.</summary>
/// <param name="Series">The kernel.</param>
/// <param name="Name">The word that the guest is given.</param>
/// <param name="Says">Text of one line of the log, and of no other.</param>
/// <param name="Function">The function at fault, which the log names.</param>
/// <param name="Class">The crash's class (docs/signature.md).</param>
/// <param name="Title">The crash's title.</param>
public sealed record CrashCause(string Series, string Name, string Says, string Function, string Class, string Title)
{
    /// <summary>Who is to blame; null: the function.</summary>
    public string? Culprit { get; init; }

    /// <summary>More for the kernel's command line.</summary>
    public string Arguments { get; init; } = "";

    /// <summary>Which kinds of pages the dump leaves out.</summary>
    public int Level { get; init; } = 31;

    /// <summary>The same again, in another boot of the guest.</summary>
    public int Boot { get; init; } = 1;

    /// <summary>Every cause on one kernel, the one that comes most often on all three.</summary>
    public static IReadOnlyList<CrashCause> All { get; } =
    [
        Null("6.1"), Null("6.12"), Null("newest"),
        new("6.12", "bug", "kernel BUG at", "netdump_lab_bug", "bug", "kernel BUG in netdump_lab_bug"),
        new("6.12", "warn", "netdump_lab: a warning with a number, 42", "netdump_lab_warn", "warn", "WARNING in netdump_lab_warn"),
        new("6.12", "divide", "divide error: 0000", "netdump_lab_divide", "divide", "divide error in netdump_lab_divide"),
        // A title of a hang or an overflow names what was called from outside, since the innermost function differs from time to time.
        new("6.12", "overflow", "stack guard page was hit at", "netdump_lab_recurse", "stack-overflow", "BUG: stack guard page was hit in proc_reg_write"),
        new("6.12", "page", "general protection fault, probably for non-canonical address 0xaaaaaaaaaaaaaab2", "netdump_lab_use_page",
            "poison", "general protection fault in netdump_lab_use_page") { Arguments = "page_poison=1" },
        new("6.12", "object", "general protection fault, probably for non-canonical address 0x6b6b6b6b6b6b6b73", "netdump_lab_use_object",
            "poison", "general protection fault in netdump_lab_use_object"),
        new("6.12", "list", "list_del corruption", "netdump_lab_unlink", "bug", "BUG: corrupted list in netdump_lab_unlink"),
        new("6.12", "softlockup", "watchdog: BUG: soft lockup - CPU#", "netdump_lab_spin", "soft-lockup", "BUG: soft lockup in proc_reg_write"),
        new("6.12", "mutex", "INFO: task lab_middle:", "netdump_lab_middle_mutex", "hung-task", "INFO: task hung in netdump_lab_middle_mutex") { Culprit = "lab_holder" },
        new("6.12", "rwsem", "INFO: task lab_middle:", "netdump_lab_middle_shared", "hung-task", "INFO: task hung in netdump_lab_middle_shared") { Culprit = "lab_holder" },
        new("6.12", "oom", "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled", "out_of_memory", "oom",
            "kernel panic: Out of memory: system-wide panic_on_oom is enabled")
            { Culprit = "dd" },
        new("6.12", "panic", "Kernel panic - not syncing: netdump_lab: node 3 lost its quorum", "netdump_lab_panic",
            "panic", "kernel panic: netdump_lab: node NUM lost its quorum"),
    ];

    /// <summary>The cause of that name.</summary>
    public static CrashCause Of(string series, string name) => All.First(cause => cause.Series == series && cause.Name == name);

    public override string ToString() => $"{Name}{(Boot > 1 ? $"-{Boot}" : "")}";

    // Whole dumps: what a filtered one tells is compared with them.
    private static CrashCause Null(string series) =>
        new(series, "null", "BUG: kernel NULL pointer dereference, address: 0000000000000000", "netdump_lab_dereference",
            "null-deref", "BUG: unable to handle kernel NULL pointer dereference in netdump_lab_dereference")
        { Level = 0 };
}
