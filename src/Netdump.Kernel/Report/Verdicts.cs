using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Report;

/// <summary>A crash in three sentences: what crashed, where and in whose context, what class of fault that is.</summary>
internal static class Verdicts
{
    private const string Certain = "certain";
    private const string Likely = "likely";

    public static ReportVerdict Of(CrashFacts facts)
    {
        if (!facts.HasCrashed)
            return new("none", Deliberate: false, "The kernel had not panicked: this is the memory of a machine that was running.", Certain);
        return facts.Class switch
        {
            CrashClass.Sysrq => Deliberate(facts),
            CrashClass.Nmi => new(facts.Class, Deliberate: true,
                $"Crashed on purpose: an NMI was sent to the machine, by a button, a hypervisor or a management card. {Where(facts)} was only what it met there, and is innocent.{Blocked(facts)}", Certain),
            CrashClass.HungTask => Hung(facts),
            CrashClass.OutOfMemory => OutOfMemory(facts),
            CrashClass.SoftLockup or CrashClass.HardLockup => Lockup(facts),
            CrashClass.RcuStall => new(facts.Class, Deliberate: false,
                $"A CPU or a task held up RCU for too long{Blamed(facts, ", in ")}. The task that reported it{Context(facts)} may be innocent.", Likely, Frame(facts)),
            CrashClass.Hardware => new(facts.Class, Deliberate: false,
                $"The hardware reported an error that cannot be corrected{(facts.Incident is { } said ? $": {said.Head.Trim()}" : "")}. This is no fault of the software; {Where(facts)} was only what ran there.", Certain),
            CrashClass.InitDied => new(facts.Class, Deliberate: false,
                $"The first process ended, and the kernel cannot go on without it{Exit(facts)}. Look at what {facts.Task?.Comm ?? "init"} logged before.", Certain, facts.Task?.ToString()),
            CrashClass.NoRoot => new(facts.Class, Deliberate: false,
                "The kernel found no root file system to mount. Look at root= on the command line, and whether the driver of its disk was there.", Certain),
            _ => Fault(facts),
        };
    }

    private static ReportVerdict Deliberate(CrashFacts facts)
    {
        var how = facts.Syscall?.File is { } file && file.EndsWith("sysrq-trigger", StringComparison.Ordinal)
            ? $"{Task(facts)} wrote to {file}"
            : facts.Stack is not null && facts.Syscall is null ? "a SysRq key came by keyboard, serial line or hypervisor" : $"{Task(facts)} asked for it by SysRq";
        return new(facts.Class, Deliberate: true, $"Crashed on purpose: {how}. No fault in the kernel found.{Blocked(facts)}", Certain);
    }

    private static ReportVerdict Hung(CrashFacts facts)
    {
        var end = $" {Task(facts)} only noticed it, and is innocent.";
        if (facts.Chain is { } chain)
        {
            var nearest = chain.Waiting[0].Lock!;
            var holds = chain.IsCertain ? "holds" : "probably holds (the kernel does not record that for certain)";
            var sleeps = chain.RootWait is { } wait ? $", and itself waits: {wait.Words}" : chain.Root.IsOnProcessor ? ", and runs" : "";
            return new(facts.Class, Deliberate: false,
                $"Tasks waited too long: {chain.Root} {holds} the {nearest.Title} that {Plural(chain.Waiting.Count, "task")} wait{(chain.Waiting.Count == 1 ? "s" : "")} for{sleeps}.{end}",
                chain.IsCertain ? Certain : Likely, chain.Root.ToString());
        }
        var who = facts.Hung is { } hung ? $"{hung.Task} waited: {hung.Words}" : facts.Incident is { Comm: { } comm, Pid: { } pid } ? $"{comm}:{pid} waited" : "a task waited";
        return new(facts.Class, Deliberate: false, $"A task waited too long: {who}{Blamed(facts, ", in ")}.{end}", Likely, facts.Hung?.Task.ToString() ?? Frame(facts));
    }

    private static ReportVerdict OutOfMemory(CrashFacts facts)
    {
        var who = facts.Consumer is { } most ? $" Most of it is held by {most.Who}: {most.Bytes >> 20} MiB." : "";
        return new(facts.Class, Deliberate: false,
            $"Memory ran out, and the kernel was told to panic then (or had nothing left to kill).{who} {Task(facts)} only asked for the last page, and is innocent.",
            facts.Consumer is null ? Likely : Certain, facts.Consumer?.Who);
    }

    private static ReportVerdict Lockup(CrashFacts facts)
    {
        var what = facts.Class == CrashClass.SoftLockup ? "did not schedule" : "took no interrupts";
        return new(facts.Class, Deliberate: false,
            $"CPU {facts.Incident?.Cpu ?? facts.Cpu} {what} for too long{Blamed(facts, ": it was in ")}{Context(facts)}. "
            + "That code loops, waits with a lock held, or works on too much at once.",
            Certain, Frame(facts));
    }

    private static ReportVerdict Fault(CrashFacts facts)
    {
        var what = facts.Class switch
        {
            CrashClass.NullDereference => "The kernel used a null pointer",
            CrashClass.NullJump => "The kernel called a function through a null pointer",
            CrashClass.Poison => "The kernel used a pointer out of freed or unlinked memory",
            CrashClass.UseAfterFree => "The kernel used memory after it was freed",
            CrashClass.GeneralProtection => "The kernel used an address that no memory can have",
            CrashClass.ErrorPointer => "The kernel used an error number as a pointer",
            CrashClass.UserPointer => "The kernel touched memory of a program without permission",
            CrashClass.ReadOnlyWrite => "The kernel wrote to memory that is read-only",
            CrashClass.StackOverflow => "A kernel stack ran over its end",
            CrashClass.StackCorruption => "A kernel stack was overwritten",
            CrashClass.Bug => $"A check of the kernel's own failed{(facts.Incident?.SourceLine is { } line ? $" at {line}" : "")} (BUG)",
            CrashClass.Warn => $"A warning was made a panic by panic_on_warn{(facts.Incident?.SourceLine is { } place ? $", at {place}" : "")}",
            CrashClass.Divide => "The kernel divided by zero",
            CrashClass.MemoryCheck => "A memory checker found a wrong access",
            CrashClass.Deadlock => "The kernel's lock checker found a broken rule",
            CrashClass.PageFault => "The kernel used an address where nothing is mapped",
            CrashClass.Panic => $"The kernel panicked{(facts.Incident?.PanicText is { } text ? $": {text}" : "")}",
            _ => $"The kernel crashed: {CrashClass.Words(facts.Class)}",
        };
        var address = facts is { FaultAddress: { } at, Address: { } meaning } ? $" The address, 0x{at:x}, is {meaning.Words}."
            : facts.FaultAddress is { } plain ? $" The address is 0x{plain:x}." : "";
        var likely = facts.Class is CrashClass.NullDereference or CrashClass.Poison or CrashClass.Bug or CrashClass.Divide or CrashClass.Warn or CrashClass.StackOverflow;
        return new(facts.Class, Deliberate: false, $"{what}{Blamed(facts, " in ")}{Context(facts)}.{address}", likely ? Certain : Likely, Frame(facts));
    }

    private static string Blamed(CrashFacts facts, string before) => Frame(facts) is { } frame ? before + frame : "";

    private static string? Frame(CrashFacts facts)
    {
        if (facts.Signature.Frames is not [var frame, ..])
            return null;
        return frame.IndexOf('!') is >= 0 and var mark ? $"{frame[(mark + 1)..]} [{frame[..mark]}]" : frame;
    }

    // What an interrupt does is nothing of the task that it came upon.
    private static string Context(CrashFacts facts) => InInterrupt(facts)
        ? $", in an interrupt that came while {Where(facts)} ran, which has nothing to do with it"
        : facts.Task is { } task
        ? $", in the context of {(task.IsIdle ? "an idle CPU" : $"{task.Comm} (PID {task.Pid})")}{(facts.Syscall?.Name is { } call ? $", system call {call}" : "")}"
        : facts.Incident is { Comm: { } comm, Pid: { } pid } ? $", in the context of {comm} (PID {pid})" : "";

    private static bool InInterrupt(CrashFacts facts) => facts.Stack is { } stack && facts.BlamedFrame < stack.Frames.Count
        ? stack.Frames[facts.BlamedFrame].Stack is "IRQ" or "NMI"
        // The line RIP: stands before the marks of the stacks.
        : facts.Incident?.Trace.FirstOrDefault(f => !f.IsRegisters) is { Section: TraceSection.Interrupt or TraceSection.NonMaskable };

    private static string Where(CrashFacts facts) => facts.Task is { IsIdle: false } task ? $"{task.Comm} (PID {task.Pid})"
        : facts.Incident is { Comm: { } comm, Pid: > 0 and var pid } ? $"{comm} (PID {pid})" : "what ran on that CPU";

    private static string Task(CrashFacts facts) => facts.Task is { } task ? $"{task.Comm} (PID {task.Pid})"
        : facts.Incident is { Comm: { } comm, Pid: { } pid } ? $"{comm} (PID {pid})" : "the task that panicked";

    private static string Exit(CrashFacts facts)
    {
        const string Word = "exitcode=0x";
        var text = facts.Incident?.PanicText ?? "";
        var at = text.IndexOf(Word, StringComparison.Ordinal);
        if (at < 0 || !uint.TryParse(text.AsSpan(at + Word.Length).Trim(), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var code))
            return "";
        return (code & 0x7f) != 0 ? $": signal {code & 0x7f} ended it" : $": it exited with status {(code >> 8) & 0xff}";
    }

    private static string Blocked(CrashFacts facts) => facts.Blocked == 0 ? ""
        : $" {Plural(facts.Blocked, "task")} {(facts.Blocked == 1 ? "was" : "were")} in uninterruptible sleep then: it may have been done because of a hang.";

    private static string Plural(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}
