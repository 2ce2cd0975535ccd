namespace Netdump.Kernel.Incidents;

/// <summary>The table of titles. The rows of a head are tried in order on each of the report's lines.</summary>
internal static partial class TitleRows
{
    private const string BadAccess = "bad-access in {0}";

    /// <summary>The rows of a head.</summary>
    public static TitleRow[] Of(Head head) => head switch
    {
        Head.Bug => Bugs,
        Head.Warning => Warnings,
        Head.Info => Infos,
        Head.UnableToHandle => UnableToHandle,
        Head.GeneralProtection => [new([], (_, _, _) => new(IncidentKind.GeneralProtection, "general protection fault in {0}", FramePlans.Fault) { Other = BadAccess })],
        Head.StackSegment => [Trap(IncidentKind.Exception, "stack segment fault in {0}", FramePlans.Fault)],
        Head.KernelPanic => Panics,
        Head.RustPanic => RustPanics,
        Head.KernelBug => KernelBugs,
        Head.KernelBugText => [new([], (rest, _, _) => new(IncidentKind.Bug, $"kernel BUG {rest}"))],
        Head.ObjectFreed => [new(["Object already free"], (_, _, _) => new(IncidentKind.BadPage, "BUG: Object already free") { IsCorrupted = true })],
        Head.DivideError or Head.DivideErrorOld => [Trap(IncidentKind.Divide, "divide error in {0}", FramePlan.RegistersOnly)],
        Head.InvalidOpcode => [Trap(IncidentKind.InvalidOpcode, "invalid opcode in {0}", FramePlan.RegistersOnly)],
        Head.DoubleFault => [Trap(IncidentKind.DoubleFault, "PANIC: double fault in {0}", FramePlan.RegistersOnly)],
        Head.Int3 => [Trap(IncidentKind.Exception, "int3 in {0}", FramePlans.Fault)],
        Head.Ubsan => Ubsan,
        Head.InternalError => [Trap(IncidentKind.Exception, "Internal error in {0}", FramePlans.Fault)],
        Head.UnhandledFault => [Trap(IncidentKind.Exception, "Unhandled fault in {0}", FramePlans.Fault)],
        Head.AlignmentTrap => [Trap(IncidentKind.Exception, "Alignment trap in {0}", FramePlans.Fault)],
        Head.WaitingForDevice => [new([], WaitingForDevice)],
        Head.BusyInodes => [new([], (_, _, _) => new(IncidentKind.Filesystem, "VFS: Busy inodes after unmount (use-after-free)"))],
        Head.ClosedFile => [new([], (_, _, _) => new(IncidentKind.Filesystem, "VFS: Close: file count is zero (use-after-free)"))],
        Head.TrustyPanic => [new([], Trusty)],
        Head.HardLockup => [Trap(IncidentKind.HardLockup, "Watchdog detected hard LOCKUP in {0}", FramePlans.Fault)],
        Head.OomKiller => [new([], OutOfMemory)],
        Head.AllocationFailure => [Trap(IncidentKind.AllocationFailure, "page allocation failure in {0}", FramePlan.TraceOnly)],
        Head.Oops => [Trap(IncidentKind.Oops, "Oops in {0}", FramePlans.Fault)],
        _ => [],
    };

    /// <summary>The kind of a report that no row of its head fits.</summary>
    public static IncidentKind KindOf(Head head, ReadOnlySpan<char> line) => head switch
    {
        Head.Warning or Head.Info when Text.ContainsAny(line, ["locking", "lock order", "lock inversion", "RCU usage"]) => IncidentKind.Lockdep,
        Head.Warning => IncidentKind.Warning,
        Head.KernelPanic => IncidentKind.Panic,
        Head.KernelBug => IncidentKind.Bug,
        Head.UnableToHandle => IncidentKind.PageFault,
        Head.Ubsan => IncidentKind.Ubsan,
        _ => IncidentKind.Other,
    };

    private static TitleRow Trap(IncidentKind kind, string title, FramePlan plan) => new([], (_, _, _) => new(kind, title, plan));

    private static TitleDraft? WaitingForDevice(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        int end = rest.IndexOf(" to become free", StringComparison.Ordinal);
        return end < 0 ? null : new(IncidentKind.Network, $"unregister_netdevice: waiting for DEV to become free");
    }

    private static TitleDraft? Trusty(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        for (int i = line; i < lines.Count; i++)
        {
            ReadOnlySpan<char> assertion = Text.After(lines[i], "ASSERT FAILED");
            if (!assertion.IsEmpty)
                return new(IncidentKind.Panic, $"trusty: ASSERT FAILED:{Text.After(assertion, "):")}"); // "... at (FILE:LINE): TEXT"
        }
        return new(IncidentKind.Panic, $"trusty: panic{rest}") { IsCorrupted = true };
    }

    // "NAME invoked oom-killer: gfp_mask=..." to "Killed process N (NAME)"
    private static TitleDraft OutOfMemory(ReadOnlySpan<char> rest, IReadOnlyList<string> lines, int line)
    {
        for (int i = line; i < lines.Count; i++)
        {
            if (lines[i].Contains("Kernel panic - not syncing: ", StringComparison.Ordinal))
                return new(IncidentKind.OutOfMemory, $"kernel panic: {Text.After(lines[i], "not syncing: ")}");
            ReadOnlySpan<char> killed = Text.After(lines[i], "Killed process ");
            int open = killed.IndexOf('(');
            int close = killed.LastIndexOf("), UID:");
            if (close < 0)
                close = killed.LastIndexOf(") total-vm:");
            if (close < 0)
                close = killed.LastIndexOf(')');
            if (open >= 0 && close > open)
                return new(IncidentKind.OutOfMemory, $"OOM kill of {killed[(open + 1)..close]}");
        }
        return new(IncidentKind.OutOfMemory, "Out of memory");
    }
}
