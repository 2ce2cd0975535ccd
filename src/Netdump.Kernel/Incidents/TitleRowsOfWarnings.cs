namespace Netdump.Kernel.Incidents;

/// <content>Heads WARNING: and INFO:.</content>
internal static partial class TitleRows
{
    private static readonly FramePlan Circular = new(FramePart.At, FramePart.At, FramePart.Stack, FramePart.Stack)
    {
        Skip = new NameWords("process_one_work flush_workqueue drain_workqueue destroy_workqueue"),
    };

    private static readonly FramePlan Recursive = new(FramePart.Seek("is trying to acquire lock"), FramePart.At) { IsUnskipped = true };
    private static readonly FramePlan Inversion = new(FramePart.Seek("just changed the state of lock"), FramePart.At) { IsUnskipped = true };
    private static readonly FramePlan UnsafeOrder = new(FramePart.Seek("which became "), FramePart.Stack) { Second = new FramePlan(FramePart.At) };

    private static readonly TitleRow[] LockdepRows =
    [
        Deadlock("possible circular locking dependency detected", Circular),
        Deadlock("possible irq lock inversion dependency detected", Inversion),
        Deadlock("possible recursive locking detected", Recursive),
        new(["-safe -> "], (rest, _, _) => rest.Contains("-unsafe lock order detected", StringComparison.Ordinal)
            ? new(IncidentKind.Lockdep, "possible deadlock in {0}", UnsafeOrder) : null),
        TitleRow.Fixed("inconsistent lock state", IncidentKind.Lockdep, "inconsistent lock state in {0}", FramePlan.TraceOnly),
    ];

    private static readonly TitleRow[] Warnings =
    [
        Odd("lib/debugobjects.c", "debug_print", "WARNING: ODEBUG bug in {0}", "debug_ rcu hrtimer_ timer_ work_ percpu_ vunmap vfree __free_ kobject_"),
        Odd("mm/usercopy.c", "", "WARNING: bad usercopy in {0}", "usercopy __check"),
        Odd("lib/kobject.c", "kobject_", "WARNING: kobject bug in {0}", "kobject_"),
        Odd("fs/proc/generic.c", "proc_register", "WARNING: proc registration bug in {0}", "proc_"),
        Odd("lib/refcount.c", "refcount_", "WARNING: refcount bug in {0}", "refcount"),
        Odd("kernel/locking/lockdep.c", "lock_", "WARNING: locking bug in {0}", "lock_"),
        Odd("mm/", " kmalloc", "WARNING: kmalloc bug in {0}", "kmalloc kcalloc krealloc slab kmem vmalloc"),
        Odd("mm/vmalloc.c", "__vmalloc_node", "WARNING: zero-size vmalloc in {0}", "vmalloc"),
        Odd("", "usb_submit_urb", "WARNING in {0}/usb_submit_urb", "usb_submit_urb usb_start_wait_urb usb_bulk_msg usb_interrupt_msg usb_control_msg"),
        .. LockdepRows,
        new(["suspicious RCU usage"], (_, lines, line) => !NamesSource(lines, line) ? null : new(IncidentKind.Lockdep, "WARNING: suspicious RCU usage in {0}", FramePlans.Trace("rcu kmem slab"))),
        TitleRow.Fixed("bad unlock balance", IncidentKind.Lockdep, "WARNING: bad unlock balance in {0}", FramePlans.LockPlace),
        TitleRow.Fixed("held lock freed", IncidentKind.Lockdep, "WARNING: held lock freed in {0}", FramePlans.LockPlace),
        TitleRow.Fixed("still has locks held", IncidentKind.Lockdep, "WARNING: still has locks held in {0}", FramePlans.LockPlace),
        TitleRow.Fixed("lock held when returning to user space", IncidentKind.Lockdep, "WARNING: lock held when returning to user space in {0}", FramePlans.LockPlace),
        TitleRow.Fixed("Nested lock was not taken", IncidentKind.Lockdep, "WARNING: Nested lock was not taken in {0}", FramePlan.TraceOnly),
        new(["kernel stack regs at"], StackRegisters),
        new(["kernel stack frame pointer at"], (_, _, _) => new(IncidentKind.Warning, "WARNING: kernel stack frame pointer has bad value")),
        new([" at "], (rest, _, _) => IsSourceLine(rest) ? new(IncidentKind.Warning, "WARNING in {0}", FramePlans.Warned()) : null),
    ];

    private static readonly FramePlan StallPlace = new(FramePart.Seek("apic_timer_interrupt"), FramePart.Registers, FramePart.Stack)
    {
        Skip = new NameWords("apic_timer_interrupt rcu"),
        Choice = FrameChoice.Stall,
        Second = new FramePlan(FramePart.Seek("apic_timer_interrupt", "Exception stack", "el1h_64_irq"), FramePart.Stack),
    };

    private static readonly TitleRow[] Infos =
    [
        new(["stall", "Stall"], (rest, _, _) => rest.Contains("rcu_", StringComparison.Ordinal) && rest.Contains("detected", StringComparison.Ordinal)
            ? new(IncidentKind.RcuStall, "INFO: rcu detected stall in {0}", StallPlace) { Other = "stall in {0}" } : null),
        new([" blocked for more than ", " blocked in I/O wait for more than "], (_, _, _) => new(
            IncidentKind.HungTask, "INFO: task hung in {0}", FramePlan.TraceOnly with { Choice = FrameChoice.Hung }) { Other = "hang in {0}" }),
        new(["can't die for more than"], (_, _, _) => new(IncidentKind.HungTask, "INFO: task can't die in {0}", FramePlans.Trace("schedule")) { Other = "hang in {0}" }),
        TitleRow.Fixed("trying to register non-static key", IncidentKind.Lockdep, "INFO: trying to register non-static key in {0}", FramePlans.Trace("stack lock IRQ")),
        .. LockdepRows,
        new(["suspicious RCU usage"], (_, lines, line) => !NamesSource(lines, line) ? null : new(IncidentKind.Lockdep, "INFO: suspicious RCU usage in {0}", FramePlans.Trace("rcu kmem slab"))),
    ];

    private static TitleRow Deadlock(string words, FramePlan plan) =>
        new([words], (_, lines, line) => Holds(lines, line, " at: ", " at:\n", "which became ") ? new(IncidentKind.Lockdep, "possible deadlock in {0}", plan) : null);

    private static bool Holds(IReadOnlyList<string> lines, int from, params string[] words)
    {
        for (int i = from; i < lines.Count; i++)
        {
            if (Text.ContainsAny(lines[i], words))
                return true;
        }
        return false;
    }

    // The line that says where: "net/tipc/bearer.c:177 suspicious rcu_dereference_protected() usage!"
    private static bool NamesSource(IReadOnlyList<string> lines, int from)
    {
        for (int i = from; i < lines.Count; i++)
        {
            if (IsSourceLine(lines[i]))
                return true;
        }
        return false;
    }

    // A warning of a subsystem that others use: the one to name is its user.
    private static TitleRow Odd(string file, string function, string title, string skip)
    {
        FramePlan plan = FramePlans.Warned(skip);
        // From 7.x on a warning with arguments traps in one place for all, and its line names none: the file must do.
        return new([], (rest, _, _) => rest.Contains(file, StringComparison.Ordinal) && IsSourceLine(rest)
            && (rest.Contains(function, StringComparison.Ordinal) || (file is [.., 'c'] && rest.Contains(" at 0x", StringComparison.Ordinal)))
            ? new(IncidentKind.Warning, title, plan) : null);
    }

    // "CPU: 1 PID: 2 at kernel/file.c:123 f+0x1/0x2" and "kernel/file.c:123 at f+0x1/0x2, CPU#1: name/2"
    private static bool IsSourceLine(ReadOnlySpan<char> rest)
    {
        for (int colon = rest.IndexOf(':'); colon >= 0;)
        {
            if (colon + 1 < rest.Length && char.IsAsciiDigit(rest[colon + 1]) && rest[..colon].LastIndexOf('.') is > 0 and var dot
                && rest[dot..colon] is ".c" or ".h" or ".S" or ".rs")
                return true;
            int next = rest[(colon + 1)..].IndexOf(':');
            colon = next < 0 ? -1 : colon + 1 + next;
        }
        return Text.After(rest, " at 0x").Length > 0;
    }

    private static TitleDraft StackRegisters(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        ReadOnlySpan<char> register = Text.After(rest, "has bad '");
        int quote = register.IndexOf('\'');
        return new(IncidentKind.Warning, quote > 0
            ? $"WARNING: kernel stack regs has bad '{register[..quote]}' value" : "WARNING: kernel stack regs has bad value");
    }
}
