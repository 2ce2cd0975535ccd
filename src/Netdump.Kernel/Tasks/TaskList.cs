using Netdump.Kernel.Facts;

namespace Netdump.Kernel.Tasks;

/// <summary>All tasks of the dead kernel, and what each processor ran.</summary>
public sealed class TaskList
{
    private readonly TaskSource _source;
    private readonly Dictionary<ulong, KernelTask> _byAddress = [];
    private readonly Dictionary<int, KernelTask> _byPid = [];
    private IReadOnlyList<RunQueue>? _runQueues;
    private ILookup<int, KernelTask>? _threads;
    private WaitTable? _waits;

    internal TaskList(TaskSource source)
    {
        _source = source;
        var walk = new TaskWalk(source);
        List<KernelTask> all = [];
        foreach (KernelTask task in walk.Enumerate())
        {
            all.Add(task);
            _byAddress.TryAdd(task.Address, task);
            _byPid.TryAdd(task.Pid, task);
        }
        all.Sort((a, b) => a.Pid.CompareTo(b.Pid));
        All = all;
        BrokenAt = walk.BrokenAt;
        Rescued = walk.Rescued;
        List<KernelTask> idle = [];
        foreach (var processor in source.Processors.Processors)
            if (source.Processors.QueueOf(processor) is { IdleAddress: > 0 and var address } && KernelTask.Read(source, address) is { } task
                && _byAddress.TryAdd(address, task))
                idle.Add(task);
        Idle = idle;
        source.ThreadsOf = task => (_threads ??= All.ToLookup(t => t.Tgid))[task.Tgid];
    }

    /// <summary>Every task but the idle ones, by process id.</summary>
    public IReadOnlyList<KernelTask> All { get; }

    /// <summary>The idle task of each processor that ran, in the processors' order.</summary>
    public IReadOnlyList<KernelTask> Idle { get; }

    /// <summary>Processors that ran when the kernel died, in order.</summary>
    public IReadOnlyList<int> Processors => _source.Processors.Processors;

    /// <summary>How many threads the kernel itself counted (nr_threads); null when it cannot be read.</summary>
    public int? Expected => _source.Symbols is { } symbols && symbols.TryFind("nr_threads", out var at) && _source.Memory.TryReadInt32(at, out var count) ? count : null;

    /// <summary>Where the kernel's list of tasks was broken: then some were found by their process ids only, and some may be missing.</summary>
    public ulong? BrokenAt { get; }

    /// <summary>Tasks that were found by their process ids only.</summary>
    public int Rescued { get; }

    /// <summary>The run queue of each processor that ran, with the tasks that wait in it.</summary>
    public IReadOnlyList<RunQueue> RunQueues =>
        _runQueues ??= [.. Processors.Select(_source.Processors.QueueOf).OfType<RunQueue>().Select(q => q.WithTasks(_source, _source.Processors.Layout, FindAt))];

    /// <summary>What blocked tasks wait for.</summary>
    public WaitTable Waits => _waits ??= new WaitTable(_source, this);

    /// <summary>Pages of memory that the machine had, which crash's shares are shares of; 0 when that cannot be read.</summary>
    public long PresentPages => (long)(_source.Kernel.Facts.Memory.PresentPages ?? 0);

    /// <summary>How RCU was doing; null when it cannot be told.</summary>
    public RcuFacts? Rcu => RcuFacts.Read(_source, this, _source.Kernel.Facts.Clock);

    /// <summary>What the workqueues were doing; null when it cannot be told.</summary>
    public WorkqueueFacts? Workqueues => WorkqueueFacts.Read(_source, this, _source.Kernel.Facts.Clock);

    /// <summary>What the watchdogs had noted, and who kept a processor; null when it cannot be told.</summary>
    public WatchdogFacts? Watchdogs => WatchdogFacts.Read(_source, this);

    /// <summary>The thread with a process id; null when there is none. 0 is the first processor's idle task.</summary>
    public KernelTask? Find(int pid) => pid == 0 ? (Idle.Count > 0 ? Idle[0] : null) : _byPid.GetValueOrDefault(pid);

    /// <summary>The task whose struct task_struct lies at an address; null when no listed one does.</summary>
    public KernelTask? FindAt(ulong address) => _byAddress.GetValueOrDefault(address);

    /// <summary>What a processor was executing when the kernel died; null when it cannot be told.</summary>
    public KernelTask? CurrentOf(int processor) =>
        _source.Processors.CurrentOf(processor) is { } address ? FindAt(address) ?? KernelTask.Read(_source, address) : null;

    /// <summary>All threads of a task's process, itself included.</summary>
    public IEnumerable<KernelTask> ThreadsOf(KernelTask task) => _source.ThreadsOf!(task);

    /// <summary>How many tasks are in each state, idle tasks included, the most frequent first.</summary>
    public IEnumerable<KeyValuePair<char, int>> CountStates() =>
        All.Concat(Idle).GroupBy(t => t.State).Select(g => KeyValuePair.Create(g.Key, g.Count())).OrderByDescending(p => p.Value).ThenBy(p => p.Key);
}
