using System.Text;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tasks;

/// <summary>A task of the dead kernel: a process's thread, a kernel thread, or the idle task of a processor.</summary>
/// <remarks>What a list shows of every task is read at once, the rest when it is asked for. A member that is not in the dump is null.</remarks>
public sealed class KernelTask
{
    /// <summary>Bytes of task_struct.comm (TASK_COMM_LEN), the NUL included.</summary>
    internal const int CommSize = 16;

    private readonly TaskSource _source;

    private KernelTask(TaskSource source, ulong address, int pid, ulong state, ulong exitState, ulong flags, string comm)
    {
        _source = source;
        Address = address;
        Pid = pid;
        StateBits = state;
        ExitState = exitState;
        Flags = flags;
        Comm = comm;
        Tgid = Int(Layout.Tgid) ?? pid;
        Processor = Int(Layout.Processor) ?? -1;
    }

    /// <summary>Address of its struct task_struct.</summary>
    public ulong Address { get; }

    /// <summary>The thread's id in the first PID namespace; 0 for idle tasks.</summary>
    public int Pid { get; }

    /// <summary>The process's id: that of the first thread.</summary>
    public int Tgid { get; }

    /// <summary>Id of the process that made it or took it over (real_parent.tgid).</summary>
    public int ParentPid => _source.Memory.TryReadUInt64(Layout.RealParent.At(Address), out var parent) ? (int?)Layout.Tgid.ReadSigned(_source.Memory, parent) ?? 0 : 0;

    /// <summary>Id of the task that is told of its end (parent.pid): its tracer while it is traced. crash shows this one.</summary>
    public int SignalledParentPid => Value(Layout.Parent) is { } parent ? (int?)Layout.Pid.ReadSigned(_source.Memory, parent) ?? 0 : 0;

    /// <summary>Address of the process's first thread.</summary>
    public ulong? GroupLeader => Value(Layout.GroupLeader);

    /// <summary>Whether it is its process's first thread.</summary>
    public bool IsLeader => Pid == Tgid;

    /// <summary>Its name of at most 15 bytes; those that are not UTF-8 are U+FFFD.</summary>
    public string Comm { get; }

    /// <summary>Its name in full: kernel threads have longer ones than <see cref="Comm"/> holds.</summary>
    public string Name => KthreadFacts.FullName(_source, this) ?? Comm;

    /// <summary>What a worker of a workqueue does; null for every other task.</summary>
    public WorkerFacts? Worker => (Flags & TaskFlags.WorkqueueWorker) != 0 ? KthreadFacts.WorkerOf(_source, this) : null;

    /// <summary>task_struct.__state.</summary>
    public ulong StateBits { get; }

    /// <summary>task_struct.exit_state: not 0 for a zombie or dead task, whose stack is gone.</summary>
    public ulong ExitState { get; }

    /// <summary>The kernel's own letter for its state: R, S, D, I, T, t, Z, X or P.</summary>
    public char State => TaskState.LetterOf(StateBits, ExitState);

    /// <summary>crash's two letters for its state.</summary>
    public string CrashState => TaskState.CrashWordOf(StateBits, ExitState);

    /// <summary>task_struct.flags: see <see cref="TaskFlags"/>.</summary>
    public ulong Flags { get; }

    /// <summary>Whether it is no process but a thread of the kernel.</summary>
    public bool IsKernelThread => (Flags & TaskFlags.KernelThread) != 0;

    /// <summary>Whether it is what a processor runs when there is nothing to do.</summary>
    public bool IsIdle => Pid == 0;

    /// <summary>Whether it has ended, so that it has no stack any more.</summary>
    public bool IsDead => ExitState != 0;

    /// <summary>The processor it runs on or ran on last; -1 when the dump does not say.</summary>
    public int Processor { get; }

    /// <summary>Whether a processor was executing it when the kernel died (it is that processor's <c>current</c>).</summary>
    public bool IsOnProcessor => _source.Processors.IsCurrent(Address);

    /// <summary>Whether it is the current task of a run queue, which during a switch is the next one already.</summary>
    public bool IsRunQueueCurrent => _source.Processors.IsRunQueueCurrent(Address);

    /// <summary>Low end of its kernel stack.</summary>
    public ulong? Stack => Value(Layout.Stack) is > 0 and var stack ? stack : null;

    /// <summary>Where its stack pointer was when it last gave up the processor; of no meaning while it runs.</summary>
    public ulong? StackPointer => Value(Layout.StackPointer) is > 0 and var pointer ? pointer : null;

    /// <summary>thread_info.flags, where task_struct holds it (x86_64 and arm64).</summary>
    public ulong? ThreadFlags => Value(Layout.ThreadFlags);

    /// <summary>Address of its struct mm_struct; null for kernel threads and for a process that has given it up.</summary>
    public ulong? Mm => Value(Layout.Mm) is > 0 and var mm ? mm : null;

    /// <summary>Address of the mm_struct whose page tables it used last, for kernel threads a borrowed one.</summary>
    public ulong? ActiveMm => Value(Layout.ActiveMm) is > 0 and var mm ? mm : null;

    /// <summary>Address of its struct files_struct; null for kernel threads without and for dead tasks.</summary>
    public ulong? Files => Value(Layout.Files) is > 0 and var files ? files : null;

    /// <summary>Its memory; null without a <see cref="Mm"/>.</summary>
    public TaskMemory? Memory => Mm is { } mm ? _source.MemoryOf(this, mm) : null;

    /// <summary>Processor time it spent in user mode.</summary>
    public TimeSpan? UserTime => Time(Layout.UserTime);

    /// <summary>Processor time it spent in the kernel.</summary>
    public TimeSpan? SystemTime => Time(Layout.SystemTime);

    /// <summary>Processor time in all, finer than the sum of the two.</summary>
    public TimeSpan? RunTime => Time(Layout.RunTime);

    /// <summary>When it began, in nanoseconds of the monotonic clock (from the boot on, without suspend).</summary>
    public ulong? StartTime => Value(Layout.StartTime);

    /// <summary>When it began, in nanoseconds since the boot, suspend included.</summary>
    public ulong? StartBootTime => Value(Layout.StartBootTime);

    /// <summary>When it was last given a processor, in nanoseconds of its run queue's clock; 0 = it never ran; null = the kernel does not record it.</summary>
    public ulong? LastArrival => Value(Layout.LastArrival);

    /// <summary>How often it was given a processor.</summary>
    public ulong? RunCount => Value(Layout.RunCount);

    /// <summary>How long it waited in a run queue, in all.</summary>
    public TimeSpan? RunDelay => Time(Layout.RunDelay);

    /// <summary>How often it gave the processor up by itself.</summary>
    public ulong? VoluntarySwitches => Value(Layout.VoluntarySwitches);

    /// <summary>How often the processor was taken from it.</summary>
    public ulong? InvoluntarySwitches => Value(Layout.InvoluntarySwitches);

    /// <summary>Whether it waits for input or output, by its own account.</summary>
    public bool IsInIoWait => Value(Layout.InIoWait) is > 0;

    /// <summary>The scheduler's priority: 0 to 99 real-time, 100 to 139 ordinary (120 is nice 0).</summary>
    public int? Priority => Int(Layout.Priority);

    /// <summary>The scheduling policy: 0 ordinary, 1 FIFO, 2 round robin, 3 batch, 5 idle, 6 deadline.</summary>
    public int? Policy => Int(Layout.Policy);

    /// <summary>The user it belongs to.</summary>
    public uint? UserId => Credential(Layout.UserId);

    /// <summary>The user whose rights it has.</summary>
    public uint? EffectiveUserId => Credential(Layout.EffectiveUserId);

    /// <summary>The group it belongs to.</summary>
    public uint? GroupId => Credential(Layout.GroupId);

    /// <summary>Time since it was last given a processor: for one that runs, since when it has not left it. Null when it never ran or nothing tells.</summary>
    public TimeSpan? SinceLastRun =>
        (Layout.LastArrival.Exists ? LastArrival : Value(Layout.ExecutionStart)) is > 0 and var last && _source.Processors.ClockOf(Processor) is { } clock
            ? Nanoseconds(clock > last ? clock - last : 0)
            : null;

    /// <summary>PID and name.</summary>
    public override string ToString() => $"{Comm}:{Pid}";

    internal TaskLayout Layout => _source.Layout;

    internal TaskSource Source => _source;

    /// <summary>Reads a task.</summary>
    /// <returns>Null when the address holds no task that can be read.</returns>
    internal static KernelTask? Read(TaskSource source, ulong address)
    {
        KernelMemory memory = source.Memory;
        TaskLayout layout = source.Layout;
        Span<byte> comm = stackalloc byte[CommSize];
        if (address == 0 || layout.Pid.ReadSigned(memory, address) is not { } pid || pid is < 0 or > 1 << 22 || !memory.TryRead(layout.Comm.At(address), comm)
            || layout.State.Read(memory, address) is not { } state || layout.ExitState.Read(memory, address) is not { } exitState
            || layout.Flags.Read(memory, address) is not { } flags)
            return null;
        var end = comm.IndexOf((byte)0);
        return new KernelTask(source, address, (int)pid, state, exitState, flags, TextOf(comm[..(end < 0 ? CommSize : end)]));
    }

    /// <summary>Bytes of a name as text without control characters: a name is any bytes its owner likes.</summary>
    internal static string TextOf(ReadOnlySpan<byte> bytes)
    {
        var text = Encoding.UTF8.GetString(bytes);
        return text.AsSpan().IndexOfAnyInRange('\0', '\x1f') < 0 && !text.Contains('\x7f', StringComparison.Ordinal)
            ? text
            : string.Concat(text.Select(c => c < ' ' || c == '\x7f' ? '\ufffd' : c));
    }

    internal ulong? Value(Field field) => field.Read(_source.Memory, Address);

    internal static TimeSpan Nanoseconds(ulong value) => TimeSpan.FromTicks((long)(value / 100));

    private int? Int(Field field) => (int?)field.ReadSigned(_source.Memory, Address);

    private TimeSpan? Time(Field field) => Value(field) is { } value ? Nanoseconds(value) : null;

    private uint? Credential(Field field) => Value(Layout.Credentials) is { } credentials ? (uint?)field.Read(_source.Memory, credentials) : null;
}
