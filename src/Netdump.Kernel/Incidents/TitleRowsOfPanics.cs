namespace Netdump.Kernel.Incidents;

/// <content>Heads Kernel panic, UBSAN:, rust_kernel: panicked.</content>
internal static partial class TitleRows
{
    private const string NotSyncing = " - not syncing: ";

    private static readonly TitleRow[] Panics =
    [
        new(["stack-protector:"], (_, _, _) => new(IncidentKind.StackCorruption, "kernel panic: stack is corrupted in {0}",
            new FramePlan(FramePart.Capture("corrupted in: ")) { Skip = new("stack_chk"), Second = FramePlan.TraceOnly }) { Other = "stack-overflow in {0}" }),
        new(["corrupted stack end"], (_, _, _) => new(IncidentKind.StackOverflow, "kernel panic: corrupted stack end in {0}",
            FramePlan.TraceOnly with { Choice = FrameChoice.Stall }) { Other = "stack-overflow in {0}" }),
        new(["kernel stack overflow"], (_, _, _) => new(IncidentKind.StackOverflow, "kernel stack overflow in {0}", StackEnd) { Other = "stack-overflow in {0}" }),
        new(["Attempted to kill init!"], (_, _, _) => new(IncidentKind.Panic, "kernel panic: Attempted to kill init!")),
        new(["sysrq triggered crash"], (_, _, _) => new(IncidentKind.Sysrq, "kernel panic: sysrq triggered crash")),
        new(["Fatal exception"], (_, _, _) => new(IncidentKind.Panic, "kernel panic: Fatal exception") { IsCorrupted = true }),
        new(["panic_on_warn set", "hung_task: blocked tasks"],
            (rest, _, _) => new(IncidentKind.Panic, $"kernel panic: {Text.After(rest, NotSyncing)}") { IsCorrupted = true }),
        new([NotSyncing], (rest, _, _) => new(IncidentKind.Panic, $"kernel panic: {Text.After(rest, NotSyncing)}")),
    ];

    private static readonly FramePlan Undefined = FramePlans.Trace("ubsan overflow");

    private static readonly TitleRow[] Ubsan =
    [
        TitleRow.Fixed("Undefined behaviour in", IncidentKind.Ubsan, "UBSAN: undefined-behaviour in {0}", Undefined),
        new([" in "], (rest, _, _) => new(IncidentKind.Ubsan, $"UBSAN: {Text.Before(rest, " in ").Trim(' ')} in {{0}}", Undefined)),
    ];

    private static readonly TitleRow[] RustPanics =
    [
        new([], (_, lines, line) => line + 1 < lines.Count
            ? new(IncidentKind.Bug, $"{lines[line + 1]} in {{0}}", FramePlans.Trace("rust_helper_ rust_begin_unwind panicking"))
            : null),
    ];
}
