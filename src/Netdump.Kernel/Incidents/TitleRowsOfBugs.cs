namespace Netdump.Kernel.Incidents;

/// <content>Heads BUG:, kernel BUG, Unable to handle kernel.</content>
internal static partial class TitleRows
{
    private static readonly FramePlan KasanPlace = new(FramePart.Capture("BUG: KASAN: double-free or invalid-free in", "BUG: KASAN: double-free in",
        "BUG: KASAN: invalid-free in", " in "), FramePart.Trace, FramePart.Stack);

    private static readonly FramePlan LeakPlace = new(FramePart.Seek(" backtrace:", " backtrace (crc"), FramePart.Stack)
    {
        Skip = new NameWords("kmemleak mmap kmem slab alloc create_object idr_get list_lru_init pcpu_create strdup strndup memdup kasprintf kvasprintf"),
    };

    private static readonly FramePlan PageOwner = new(FramePart.Seek("page last allocated"), FramePart.Stack)
    {
        Skip = new NameWords("free_page put_page get_page update_page release_page free_unref ^folio truncate_inode_pages page_frag_free alloc vmap page_owner"),
        Second = FramePlan.TraceOnly,
    };

    private static readonly FramePlan StackEnd = FramePlans.Fault with { Choice = FrameChoice.Stall };

    private static readonly TitleRow[] Bugs =
    [
        new(["KASAN:"], Kasan),
        new(["KMSAN:"], Kmsan),
        new(["KCSAN:"], (rest, _, _) => new(IncidentKind.Kcsan, $"KCSAN:{Functions(Text.After(rest, "KCSAN:"))}")),
        new(["KFENCE:"], Kfence),
        new(["unable to handle kernel paging request", "unable to handle page fault for address", "Unable to handle kernel data access"],
            (_, _, _) => new(IncidentKind.PageFault, "BUG: unable to handle kernel paging request in {0}", FramePlans.Fault) { Other = BadAccess }),
        new(["kernel NULL pointer dereference", "Kernel NULL", "unable to handle kernel NULL pointer dereference"], NullDereference),
        new(["unable to handle kernel"], (_, _, _) => new(IncidentKind.PageFault, "BUG: unable to handle kernel") { IsCorrupted = true }),
        new(["spinlock", "rwlock"], Spinlock),
        new(["soft lockup"], (_, _, _) => new(IncidentKind.SoftLockup, "BUG: soft lockup in {0}", FramePlans.Fault with { Choice = FrameChoice.Stall })
            { Other = "stall in {0}" }),
        TitleRow.Fixed("still has locks held!", IncidentKind.Lockdep, "BUG: still has locks held in {0}", FramePlans.LockPlace),
        TitleRow.Fixed("held lock freed!", IncidentKind.Lockdep, "BUG: held lock freed in {0}", FramePlans.LockPlace),
        TitleRow.Fixed("bad unlock balance detected!", IncidentKind.Lockdep, "BUG: bad unlock balance in {0}", FramePlans.LockPlace),
        TitleRow.Fixed("lock held when returning to user space", IncidentKind.Lockdep, "BUG: lock held when returning to user space in {0}", FramePlans.LockPlace),
        TitleRow.Fixed("scheduling while atomic", IncidentKind.AtomicSleep, "BUG: scheduling while atomic in {0}", FramePlans.Trace("schedule")),
        TitleRow.Fixed(
            "sleeping function called from invalid context at", IncidentKind.AtomicSleep, "BUG: sleeping function called from invalid context in {0}",
            FramePlan.TraceOnly),
        new(["in preemptible"], Preemptible),
        TitleRow.Fixed("Bad page state", IncidentKind.BadPage, "BUG: Bad page state in {0}", PageOwner),
        TitleRow.Fixed("Bad page cache", IncidentKind.BadPage, "BUG: Bad page cache in {0}", PageOwner),
        TitleRow.Fixed("Bad page map", IncidentKind.BadPage, "BUG: Bad page map"),
        TitleRow.Fixed("Bad rss-counter state", IncidentKind.BadPage, "BUG: Bad rss-counter state"),
        TitleRow.Fixed("non-zero nr_ptes on freeing mm", IncidentKind.BadPage, "BUG: non-zero nr_ptes on freeing mm"),
        TitleRow.Fixed("non-zero nr_pmds on freeing mm", IncidentKind.BadPage, "BUG: non-zero nr_pmds on freeing mm"),
        TitleRow.Fixed("workqueue lockup", IncidentKind.WorkqueueStall, "BUG: workqueue lockup"),
        new(["still in use ("], Dentry),
        new(["workqueue leaked lock or atomic"], WorkqueueLeak),
        TitleRow.Fixed("memory leak", IncidentKind.MemoryLeak, "memory leak in {0}", LeakPlace),
        TitleRow.Fixed("stack guard page was hit at", IncidentKind.StackOverflow, "BUG: stack guard page was hit in {0}", StackEnd, "stack-overflow in {0}"),
        TitleRow.Fixed("Invalid wait context", IncidentKind.Lockdep, "WARNING: locking bug in {0}", FramePlan.TraceOnly),
    ];

    private static readonly TitleRow[] UnableToHandle =
    [
        TitleRow.Fixed("paging request", IncidentKind.PageFault, "BUG: unable to handle kernel paging request in {0}", FramePlans.Fault, BadAccess),
        TitleRow.Fixed("NULL pointer dereference", IncidentKind.NullDereference, "BUG: unable to handle kernel NULL pointer dereference in {0}", FramePlans.Fault, BadAccess),
        TitleRow.Fixed("access to user memory", IncidentKind.PageFault, "BUG: unable to handle kernel access to user memory in {0}", FramePlans.Fault, BadAccess),
        TitleRow.Fixed("", IncidentKind.PageFault, "BUG: unable to handle kernel paging request in {0}", FramePlans.Fault, BadAccess),
    ];

    private static readonly TitleRow[] KernelBugs =
    [
        new(["at mm/usercopy.c"], (_, _, _) => new(IncidentKind.Bug, "BUG: bad usercopy in {0}", FramePlan.TraceOnly with { Skip = new("usercopy __check") })),
        new(["at lib/list_debug.c"], (_, _, _) => new(IncidentKind.Bug, "BUG: corrupted list in {0}", FramePlan.TraceOnly)),
        new(["at "], (_, _, _) => new(IncidentKind.Bug, "kernel BUG in {0}", FramePlans.Fault with { Skip = new("^skb_") })),
    ];

    private static TitleDraft NullDereference(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line) =>
        new(IncidentKind.NullDereference, "BUG: unable to handle kernel NULL pointer dereference in {0}", FramePlans.Fault) { Other = BadAccess };

    private static TitleDraft Kasan(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        ReadOnlySpan<char> report = Text.After(rest, "KASAN: ");
        ReadOnlySpan<char> kind = Text.Word(report);
        if (report.StartsWith("double-free") || report.StartsWith("invalid-free"))
        {
            return new(IncidentKind.Kasan, "KASAN: invalid-free in {0}", KasanPlace with { Skip = new("slab_ kfree vunmap vfree") })
            {
                Other = "invalid-free in {0}",
            };
        }
        int place = report.IndexOf(" in ", StringComparison.Ordinal);
        bool named = place == kind.Length && !Text.Function(report[(place + 4)..].TrimStart(' ')).IsEmpty;
        for (int i = line + 1; i < lines.Count && (named || report[kind.Length..].StartsWith(" on address")); i++)
        {
            if (!TryAccess(lines[i], out string? access, out int size))
                continue;
            return named
                ? new(IncidentKind.Kasan, $"KASAN: {kind} {access} in {{0}}", KasanPlace) { Other = BadAccess }
                : new(IncidentKind.Kasan, $"KASAN: {kind} {access}") { IsCorrupted = true };
        }
        return new(IncidentKind.Kasan, $"KASAN: {report}") { IsCorrupted = true };
    }

    // "Read of size 4 at addr ffff..." and "Write at addr f7ff..."
    private static bool TryAccess(ReadOnlySpan<char> line, out string? access, out int size)
    {
        access = null;
        size = 0;
        foreach (string word in (ReadOnlySpan<string>)["Read", "Write"])
        {
            ReadOnlySpan<char> rest = Text.After(line, word);
            if (!rest.StartsWith(" of size ") && !rest.StartsWith(" at addr "))
                continue;
            access = word;
            size = FrameText.Number(rest, " of size ") ?? 0;
            return true;
        }
        return false;
    }

    private static readonly FramePlan UninitialisedPlace = new(
        FramePart.Capture(" in "), FramePart.Stack, FramePart.Seek("created at:"), FramePart.Seek("created at:"))
    {
        Skip = new NameWords(
            "alloc_skb netlink_ack netlink_rcv_skb _encrypt$ crypto_ cipher_ drbg_ rng_"),
    };

    private static TitleDraft? Kmsan(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        ReadOnlySpan<char> report = Text.After(rest, "KMSAN: ");
        int place = report.IndexOf(" in ", StringComparison.Ordinal);
        if (place <= 0)
            return null;
        ReadOnlySpan<char> kind = report[..place];
        return new(IncidentKind.Kmsan, $"KMSAN: {kind} in {{0}}", kind is "kernel-usb-infoleak"
            ? UninitialisedPlace with { Skip = new("alloc_skb usb_submit_urb usb_start_wait_urb usb_bulk_msg usb_interrupt_msg usb_control_msg") }
            : UninitialisedPlace)
        { Other = kind is "uninit-value" ? BadAccess : null };
    }

    private static TitleDraft? Kfence(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        ReadOnlySpan<char> report = Text.After(rest, "KFENCE: ");
        int place = report.IndexOf(" in ", StringComparison.Ordinal);
        return place <= 0 ? null : new(
            IncidentKind.Kfence, $"KFENCE: {report[..place]} in {{0}}", new FramePlan(FramePart.Capture(" in "), FramePart.Stack))
        { Other = BadAccess };
    }

    private static TitleDraft? Spinlock(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        foreach (string what in (ReadOnlySpan<string>)["lockup suspected", "already unlocked", "recursion", "bad magic", "wrong owner", "wrong CPU"])
        {
            if (rest.Contains(what, StringComparison.Ordinal))
            {
                string cpu = what == "recursion" && rest.Contains("cpu recursion", StringComparison.Ordinal) ? "cpu " : "";
                return new(IncidentKind.Lockdep, $"BUG: {(rest.Contains("rwlock", StringComparison.Ordinal) ? "rwlock" : "spinlock")} {cpu}{what} in {{0}}",
                    FramePlans.Trace("spin_ _lock _unlock"));
            }
        }
        return rest.Contains("trylock failure on UP", StringComparison.Ordinal)
            ? new(IncidentKind.Lockdep, "BUG: spinlock trylock failure on UP in {0}", FramePlans.Trace("spin_ _lock _unlock")) : null;
    }

    private static TitleDraft? Preemptible(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        ReadOnlySpan<char> function = Text.Word(Text.After(rest, "using "));
        return function.IsEmpty ? null
            : new(IncidentKind.Lockdep, $"BUG: using {function} in preemptible code in {{0}}", FramePlans.Trace("preempt debug_ processor_id this_cpu"));
    }

    private static TitleDraft? Dentry(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line) =>
        rest.Contains("Dentry", StringComparison.Ordinal) && rest.Contains("[unmount of ", StringComparison.Ordinal)
            ? new(IncidentKind.Filesystem, "BUG: Dentry still in use in unmount") : null;

    private static TitleDraft? WorkqueueLeak(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        for (int i = line; i < lines.Count; i++)
        {
            ReadOnlySpan<char> function = Text.After(lines[i], "last function: ");
            if (!function.IsEmpty)
                return new(IncidentKind.Lockdep, $"BUG: workqueue leaked lock or atomic in {Text.Word(function)}");
        }
        return null;
    }

    // "data-race in f+0x1/0x2 / g+0x3/0x4" -> the name of the first alone
    private static string Functions(ReadOnlySpan<char> text)
    {
        int slash = text.IndexOf(" / ", StringComparison.Ordinal);
        return (slash < 0 ? text : text[..slash]).ToString();
    }
}
