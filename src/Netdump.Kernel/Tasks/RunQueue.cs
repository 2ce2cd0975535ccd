namespace Netdump.Kernel.Tasks;

/// <summary>The run queue of one processor (struct rq).</summary>
/// <param name="Processor">The processor.</param>
/// <param name="Address">Address of the struct rq.</param>
/// <param name="CurrentAddress">Address of the task the scheduler chose last.</param>
/// <param name="IdleAddress">Address of the processor's idle task.</param>
/// <param name="Running">How many tasks want this processor, the one that has it included.</param>
/// <param name="RealTimeRunning">How many of them are real-time.</param>
/// <param name="Uninterruptible">The processor's share of the count of tasks in state D: only the sum over all processors means anything.</param>
/// <param name="IoWaiting">Tasks that went to sleep here for input or output.</param>
/// <param name="Switches">Switches between tasks since the boot.</param>
/// <param name="Clock">The queue's clock, in nanoseconds since about the boot; it stands still while the processor takes no timer interrupts.</param>
/// <param name="RealTimeArray">Address of the array of real-time queues.</param>
/// <param name="FairTree">Address of the tree of ordinary tasks.</param>
public sealed record RunQueue(
    int Processor, ulong Address, ulong CurrentAddress, ulong IdleAddress, uint Running, uint RealTimeRunning, int Uninterruptible, int IoWaiting,
    ulong Switches, ulong Clock, ulong RealTimeArray, ulong FairTree)
{
    private const int LongestQueue = 1 << 20;
    private const int RealTimePriorities = 100;

    /// <summary>Real-time tasks that wait for the processor, the most urgent first.</summary>
    public IReadOnlyList<KernelTask> RealTimeWaiting { get; private init; } = [];

    /// <summary>Ordinary tasks that wait for the processor, the one that came last first.</summary>
    public IReadOnlyList<KernelTask> FairWaiting { get; private init; } = [];

    /// <summary>The task the scheduler chose last.</summary>
    public KernelTask? Current { get; private init; }

    internal static RunQueue? Read(TaskSource source, RunQueueLayout layout, int processor)
    {
        if (source.Symbols?.OnProcessor("runqueues", processor) is not { } address || layout.Current.Read(source.Memory, address) is not { } current)
            return null;
        return new RunQueue(
            processor, address, current, layout.Idle.Read(source.Memory, address) ?? 0, (uint)(layout.Running.Read(source.Memory, address) ?? 0),
            (uint)(layout.RealTimeRunning.Read(source.Memory, address) ?? 0), unchecked((int)(layout.Uninterruptible.Read(source.Memory, address) ?? 0)),
            unchecked((int)(layout.IoWaiting.Read(source.Memory, address) ?? 0)), layout.Switches.Read(source.Memory, address) ?? 0,
            layout.Clock.Read(source.Memory, address) ?? 0, layout.RealTimeArray.At(address), layout.FairTree.At(address));
    }

    /// <summary>The queue with its tasks; those that cannot be read are left out and noted.</summary>
    internal RunQueue WithTasks(TaskSource source, RunQueueLayout layout, Func<ulong, KernelTask?> find)
    {
        List<KernelTask> fair = [];
        if (layout.FairTasks.Exists && source.Layout.GroupNode.Exists)
            Collect(source, layout.FairTasks.At(Address), source.Layout.GroupNode, find, fair, "ordinary tasks");
        List<KernelTask> realTime = [];
        if (RealTimeRunning > 0 && layout.RealTimeQueues.Exists && source.Layout.RtRunList.Exists)
            for (var priority = 0; priority < RealTimePriorities; priority++)
                Collect(source, layout.RealTimeQueues.At(Address) + (ulong)priority * 16, source.Layout.RtRunList, find, realTime, "real-time tasks");
        return this with { FairWaiting = fair, RealTimeWaiting = realTime, Current = find(CurrentAddress) };
    }

    private void Collect(TaskSource source, ulong head, Field node, Func<ulong, KernelTask?> find, List<KernelTask> into, string what)
    {
        var walk = source.Memory.WalkList(head, LongestQueue);
        while (walk.MoveNext())
        {
            var task = unchecked(walk.Current - (ulong)node.Offset);
            // The task that has the processor is in the list of ordinary tasks as well.
            if (task == CurrentAddress)
                continue;
            // A group of real-time tasks has an entry of its own, in no task_struct.
            if (find(task) is { } found)
                into.Add(found);
        }
        if (walk.End != Vmcore.Memory.ListEnd.Head)
            source.Gaps.Add($"run queue of processor {Processor}", $"the list of {what} at 0x{head:x} is broken");
    }
}

/// <summary>Where the members of struct rq lie.</summary>
internal sealed class RunQueueLayout(Types.KernelTypes? types)
{
    private const string Queue = "rq";

    public Field Current { get; } = Field.Of(types, Queue, "curr");
    public Field Idle { get; } = Field.Of(types, Queue, "idle");
    public Field Running { get; } = Field.Of(types, Queue, "nr_running");
    public Field RealTimeRunning { get; } = Field.Of(types, Queue, "rt.rt_nr_running");
    public Field Uninterruptible { get; } = Field.Of(types, Queue, "nr_uninterruptible");
    public Field IoWaiting { get; } = Field.Of(types, Queue, "nr_iowait");
    public Field Switches { get; } = Field.Of(types, Queue, "nr_switches");
    public Field Clock { get; } = Field.Of(types, Queue, "clock");
    public Field RealTimeArray { get; } = Field.Of(types, Queue, "rt.active");
    public Field RealTimeQueues { get; } = Field.Of(types, Queue, "rt.active.queue");
    public Field FairTasks { get; } = Field.Of(types, Queue, "cfs_tasks");
    public Field FairTree { get; } = Field.Of(types, Queue, "cfs.tasks_timeline");
}
