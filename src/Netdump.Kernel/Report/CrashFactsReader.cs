using Netdump.Kernel.Facts;
using Netdump.Kernel.Incidents;
using Netdump.Kernel.Tasks;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Report;

/// <summary>Puts log and memory together: memory says where the kernel was, the log what it complained of.</summary>
internal static class CrashFactsReader
{
    public static CrashFacts Read(CrashedKernel? kernel, LogAnalysis log, TaskReport? tasks)
    {
        Crash crash = new(kernel, log);
        var (cpu, stack, trace, word) = (crash.Cpu, crash.Stack, crash.Trace, crash.Word);
        KernelTask? task = cpu is { } on ? tasks?.List?.CurrentOf(on) : null;
        CrashSignature signature = SignatureOf(kernel, log, crash, pid => tasks?.List?.Find(pid));
        var fault = log.Cause?.FaultAddress;
        LockChain? chain = ChainOf(log, tasks?.List, word);
        KernelTask? hung = word == CrashClass.HungTask && log.Cause?.Pid is { } pid ? tasks?.List?.Find(pid) : null;
        return new CrashFacts
        {
            Signature = signature,
            HasCrashed = crash.HasHappened,
            Incident = log.Cause,
            Cpu = cpu,
            Task = task,
            Stack = stack,
            BlamedFrame = Blamed(trace, signature),
            CulpritStack = (chain?.Root ?? hung) is { } culprit ? tasks!.StackOf(culprit) : null,
            FaultAddress = fault,
            Access = fault is null ? null : AccessOf(log.Cause!, kernel?.Machine),
            Address = fault is { } address ? BadAddress.Of(address, kernel?.Info.FiveLevelPaging == true ? 57 : 48) : null,
            Syscall = kernel is null || task is null ? null : Syscalls.Of(kernel, task),
            Chain = chain,
            Hung = hung is null ? null : tasks!.List!.Waits.Of(hung),
            Consumer = word == CrashClass.OutOfMemory ? Consumers.Greatest(kernel, tasks?.List) : null,
            Blocked = tasks?.List?.All.Count(t => t.State == 'D') ?? 0,
        };
    }

    /// <summary>Title and signature alone, without a list of the tasks: there may be very many.</summary>
    public static CrashSignature Identify(CrashedKernel? kernel, LogAnalysis log) => SignatureOf(
        kernel, log, new Crash(kernel, log), pid => kernel is null ? null : new TaskWalk(new TaskSource(kernel)).Enumerate().FirstOrDefault(task => task.Pid == pid));

    // The frames as memory has them, when the walk came through; else as the log printed them.
    private static CrashSignature SignatureOf(CrashedKernel? kernel, LogAnalysis log, Crash crash, Func<int, KernelTask?> find)
    {
        var (word, trace) = (crash.Word, crash.Trace);
        // What hung is asleep: its stack is its own, not the watchdog's.
        if (word == CrashClass.HungTask && kernel?.Unwinder is { } unwinder)
            trace = log.Cause?.Pid is { } pid && find(pid) is { } hung ? SignatureTrace.Of(kernel, unwinder.Of(hung.Address)) : [];
        IReadOnlyList<string> frames = trace.Count == 0 ? [] : SignatureFrames.Of(word, trace);
        if (frames.Count == 0 && log.Signature is { } logged)
            return logged;
        return CrashSignature.Of(word, frames, log.Cause?.PanicText ?? log.Cause?.Head, log.Title);
    }

    // From the signature's first frame outwards; without one, from where the last exception came.
    private static int Blamed(IReadOnlyList<SignatureFrame> trace, CrashSignature signature)
    {
        if (signature.Frames is [var first, ..])
            for (var i = 0; i < trace.Count; i++)
            {
                var name = SignatureNames.Normalise(trace[i].Name);
                if (first == (trace[i].Module is { } module ? $"{module}!{name}" : name))
                    return i;
            }
        for (var i = 1; i < trace.Count; i++)
            if (trace[i].IsRegisters)
                return i;
        return 0;
    }

    // arm64's ESR: class in bits 31:26, WnR bit 6.
    private static string? AccessOf(Incident incident, ushort? machine)
    {
        if (incident.ErrorCode is not { } code)
            return null;
        return machine == Machines.Arm64
            ? (code >> 26 & 0x3f) is 0x20 or 0x21 ? "execute" : (code & 1 << 6) != 0 ? "write" : "read"
            : PageFaultError.Access(code);
    }

    // The chain with the task that the kernel complained of in it, else the one with most tasks behind it.
    private static LockChain? ChainOf(LogAnalysis log, TaskList? tasks, string word)
    {
        if (word != CrashClass.HungTask || tasks is null)
            return null;
        var pid = log.Cause?.Pid;
        return tasks.Waits.Chains.FirstOrDefault(c => c.Root.Pid == pid || c.Waiting.Any(w => w.Task.Pid == pid)) ?? (tasks.Waits.Chains is [var most, ..] ? most : null);
    }

    /// <summary>Where it crashed, and of which class.</summary>
    private sealed class Crash
    {
        public Crash(CrashedKernel? kernel, LogAnalysis log)
        {
            PanicState? state = kernel?.Facts.Panic;
            Cpu = state?.CrashingProcessor ?? state?.Processor ?? log.Cause?.Cpu;
            Stack = kernel is not null && Cpu is { } number ? kernel.Unwinder?.OfProcessor(number) : null;
            Trace = Stack is null ? [] : SignatureTrace.Of(kernel!, Stack);
            HasHappened = kernel is null || log.Cause is not null || state is null || state.Processor is not null || state.CrashingProcessor is not null;
            Word = !HasHappened ? "none" : log.Class ?? TraceClass.Of(Trace);
        }

        public int? Cpu { get; }

        public KernelStack? Stack { get; }

        public IReadOnlyList<SignatureFrame> Trace { get; }

        public bool HasHappened { get; }

        public string Word { get; }
    }
}
