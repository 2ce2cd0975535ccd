using Netdump.Vmcore;

namespace Netdump.Kernel.Tasks;

/// <summary>What each processor ran when the kernel died.</summary>
internal sealed class ProcessorTasks
{
    private readonly TaskSource _source;
    private readonly Dictionary<int, RunQueue> _queues = [];
    private readonly Dictionary<int, ulong> _current = [];
    private readonly HashSet<ulong> _currentTasks = [];
    private readonly HashSet<ulong> _queueCurrentTasks = [];

    public ProcessorTasks(TaskSource source)
    {
        _source = source;
        Layout = new RunQueueLayout(source.Types);
        if (source.Symbols is not { } symbols)
            return;
        // arm64's stop of the other processors takes them out of the online mask: what they ran is in memory all the same.
        var processors = source.Machine == Machines.Arm64 ? symbols.Present : symbols.Online;
        var pcpuHot = Field.Of(source.Types, "pcpu_hot", "current_task");
        var missing = 0;
        foreach (var processor in processors)
        {
            Processors.Add(processor);
            if (RunQueue.Read(source, Layout, processor) is { } queue)
            {
                _queues[processor] = queue;
                if (queue.CurrentAddress != 0)
                    _queueCurrentTasks.Add(queue.CurrentAddress);
            }
            else
            {
                missing++;
            }
            var at = symbols.OnProcessor("current_task", processor)
                ?? (pcpuHot.Exists && symbols.OnProcessor("pcpu_hot", processor) is { } hot ? pcpuHot.At(hot) : (ulong?)null)
                ?? symbols.OnProcessor("__entry_task", processor);
            var current = at is { } address && source.Memory.TryReadUInt64(address, out var task) && task != 0
                ? task
                : _queues.TryGetValue(processor, out var known) ? known.CurrentAddress : 0;
            if (current == 0)
                continue;
            _current[processor] = current;
            _currentTasks.Add(current);
        }
        if (missing > 0)
            source.Gaps.Add("run queues", $"those of {missing} of {Processors.Count} processors cannot be read");
    }

    /// <summary>The processors that ran, in order.</summary>
    public List<int> Processors { get; } = [];

    public RunQueueLayout Layout { get; }

    public RunQueue? QueueOf(int processor) => _queues.GetValueOrDefault(processor);

    /// <summary>Clock of a processor's run queue in nanoseconds; a processor that was off still has one.</summary>
    public ulong? ClockOf(int processor)
    {
        if (_queues.TryGetValue(processor, out var queue))
            return queue.Clock > 0 ? queue.Clock : null;
        if (processor < 0 || !Layout.Clock.Exists || _source.Symbols is not { } symbols || !symbols.Possible.Contains(processor))
            return null;
        return RunQueue.Read(_source, Layout, processor) is { Clock: > 0 } off ? off.Clock : null;
    }

    /// <summary>Address of the task a processor was executing.</summary>
    public ulong? CurrentOf(int processor) => _current.TryGetValue(processor, out var task) ? task : null;

    public bool IsCurrent(ulong task) => _currentTasks.Contains(task);

    public bool IsRunQueueCurrent(ulong task) => _queueCurrentTasks.Contains(task);
}
