using Netdump.Kernel.Symbols;

namespace Netdump.Kernel.Tasks;

/// <summary>What the sleeping tasks wait for, and who keeps whom waiting.</summary>
public sealed class WaitTable
{
    /// <summary>With more tasks than this only those in state D are looked at for the list of locks: the others' stacks are too many.</summary>
    private const int MostSleepers = 4096;

    // Words of a stack that was not walked may be stale: a lock's function among the first ones counts, since its record has to be there as well.
    private const int MostGuesses = 8;

    private readonly TaskSource _source;
    private readonly TaskList _tasks;
    private readonly TaskStacks _stacks;
    private readonly WaiterLayout _layout;
    private readonly LockReader _locks;
    private readonly WaitSearch _search;
    private readonly Dictionary<ulong, TaskWait?> _waits = [];
    private readonly Dictionary<ulong, WaitSite> _sites = [];
    private readonly (ulong Start, ulong End)[] _sleepingText;
    private IReadOnlyList<TaskWait>? _blocked;
    private IReadOnlyList<KernelLock>? _lockList;
    private LockGraph? _graph;

    internal WaitTable(TaskSource source, TaskList tasks)
    {
        _source = source;
        _tasks = tasks;
        _layout = new WaiterLayout(source.Types);
        _stacks = new TaskStacks(source);
        _locks = new LockReader(source, tasks, _layout);
        _search = new WaitSearch(source, tasks, _stacks, _layout);
        _sleepingText = [.. Ranges(("__sched_text_start", "__sched_text_end"), ("__lock_text_start", "__lock_text_end"))];
    }

    /// <summary>The tasks in state D and what each waits for, the one that has waited longest first.</summary>
    public IReadOnlyList<TaskWait> Blocked =>
        _blocked ??= [.. _tasks.All.Where(t => t.State == 'D').OrderByDescending(t => t.SinceLastRun ?? TimeSpan.Zero).Select(Of).OfType<TaskWait>()];

    /// <summary>The locks that tasks wait for, the one with the longest queue first: mutexes, semaphores and completions of all sleepers.</summary>
    public IReadOnlyList<KernelLock> Locks => _lockList ??= CollectLocks();

    /// <summary>Who waits for whom, in the end.</summary>
    public IReadOnlyList<LockChain> Chains => Graph.Chains;

    /// <summary>Tasks that wait for each other in a circle: none of them will ever go on.</summary>
    public IReadOnlyList<LockCycle> Cycles => Graph.Cycles;

    /// <summary>What a task waits for.</summary>
    /// <returns>Null for a task that waits for nothing: it runs, wants to run or has ended.</returns>
    public TaskWait? Of(KernelTask task)
    {
        if (_waits.TryGetValue(task.Address, out TaskWait? known))
            return known;
        return _waits[task.Address] = task.State is 'R' or 'Z' or 'X' || task.IsOnProcessor ? null : Search(task);
    }

    /// <summary>Where a task sleeps, as /proc/PID/wchan names it: address of the first call outside of scheduler and locks; null when it does not sleep.</summary>
    public ulong? WaitChannelOf(KernelTask task) => task.State is 'R' or 'Z' or 'X' || task.IsOnProcessor ? null : SiteOf(task).Channel;

    /// <summary>The function a task sleeps in, by <see cref="WaitChannelOf"/>.</summary>
    public string? WaitFunctionOf(KernelTask task) => task.State is 'R' or 'Z' or 'X' || task.IsOnProcessor ? null : SiteOf(task).ChannelName;

    private LockGraph Graph => _graph ??= new LockGraph(Sleepers().Select(Of).OfType<TaskWait>().ToList(), Of);

    private IEnumerable<KernelTask> Sleepers() => _tasks.All.Where(t => t.State == 'D' || (t.State == 'S' && _tasks.All.Count <= MostSleepers));

    private List<KernelLock> CollectLocks()
    {
        Dictionary<(WaitKind, ulong), KernelLock> locks = [];
        foreach (KernelTask task in Sleepers())
            if (Of(task) is { Lock: { } held } && (task.State == 'D' || held.Kind is not WaitKind.WaitQueue))
                locks[(held.Kind, held.Address)] = held;
        return [.. locks.Values.OrderByDescending(l => l.Waiters.Count).ThenBy(l => l.Address)];
    }

    private TaskWait Search(KernelTask task)
    {
        WaitSite site = SiteOf(task);
        if (RealTimeWait(task, site) is { } realTime)
            return realTime;
        WaitKind kind = site.Kind ?? WaitKind.WaitQueue;
        // Without a stack the task's own word may still name a mutex.
        if (site.Kind is null && site.ChannelName is null && _layout.Mutex.IsHeadless && _source.Layout.BlockedOn.Exists
            && task.Value(_source.Layout.BlockedOn) is > 0)
            kind = WaitKind.Mutex;
        if (_search.Find(task, kind) is not { } found)
            return Plain(task, site, site.Kind ?? WaitKind.Sleep);
        if (_layout.Of(kind) == _layout.WaitQueue && PageWait(task, site, found.Record) is { } page)
            return page;
        if (kind is WaitKind.PageLock)
            kind = WaitKind.WaitQueue;
        kind = found.Record != 0 ? _locks.WantOf(kind, found.Record) : kind;
        if (_locks.Read(kind, found.Lock) is not { } held)
            return Plain(task, site, kind);
        var words = kind == WaitKind.WaitQueue && site.Words is { } sleep ? sleep : $"{Wanted(kind)} {held.Title}, {held.Holder}";
        if (kind == WaitKind.WaitQueue && site.Words is null)
            words = $"waits for an event at the {held.Title}";
        return new TaskWait(task, kind, words, held, found.Record, site.ChannelName);
    }

    private static string Wanted(WaitKind kind) => kind switch
    {
        WaitKind.ReadSemaphore => "waits to read-lock",
        WaitKind.WriteSemaphore => "waits to write-lock",
        _ => "waits for",
    };

    private static TaskWait Plain(KernelTask task, WaitSite site, WaitKind kind) =>
        new(task, kind, site.Words ?? kind switch
        {
            WaitKind.Mutex => "waits for a mutex that cannot be told",
            WaitKind.RealTimeMutex => "waits for an rt_mutex that cannot be told",
            WaitKind.ReadSemaphore => "waits to read-lock a rwsem that cannot be told",
            WaitKind.WriteSemaphore => "waits to write-lock a rwsem that cannot be told",
            WaitKind.Semaphore => "waits for a semaphore that cannot be told",
            WaitKind.Completion => "waits for a completion that cannot be told",
            WaitKind.PageLock or WaitKind.PageWriteback => "waits for a page",
            _ when site.ChannelName is { } function => $"sleeps in {function}",
            _ => "sleeps; its stack is not in the dump",
        }, null, 0, site.ChannelName);

    private TaskWait? PageWait(KernelTask task, WaitSite site, ulong entry)
    {
        if (!_layout.PageEntry.Exists || _layout.WakeFunction.Read(_source.Memory, entry) is not { } function || _source.Symbols is not { } symbols
            || !symbols.TryResolve(function, out SymbolMatch match) || match.Name != "wake_page_function")
            return null;
        var record = unchecked(entry - (ulong)_layout.PageEntry.Offset);
        if (_layout.Page.Read(_source.Memory, record) is not (> 0 and var page) || _layout.PageBit.Read(_source.Memory, record) is not { } bit)
            return null;
        WaitKind kind = _layout.WritebackBit == (long)bit ? WaitKind.PageWriteback : WaitKind.PageLock;
        KernelLock held = _locks.Page(kind, page, new LockWaiter(task, entry, kind));
        return new TaskWait(task, kind, $"waits for page 0x{page:x} {(kind == WaitKind.PageWriteback ? "to be written" : "to be read or unlocked")}", held, entry, site.ChannelName);
    }

    private TaskWait? RealTimeWait(KernelTask task, WaitSite site)
    {
        if (!_layout.RealTimeBlocked.Exists || task.Value(_layout.RealTimeBlocked) is not (> 0 and var waiter)
            || _layout.RealTimeLock.Read(_source.Memory, waiter) is not (> 0 and var address)
            || _layout.RealTimeTask.Read(_source.Memory, waiter) != task.Address)
            return null;
        KernelLock held = _locks.RealTime(address, new LockWaiter(task, waiter, WaitKind.RealTimeMutex));
        return new TaskWait(task, WaitKind.RealTimeMutex, $"waits for {held.Title}, {held.Holder}", held, waiter, site.ChannelName);
    }

    // The functions of scheduler and locks stand innermost; the first behind them is where the task waits. What kind of lock it is, they tell.
    private WaitSite SiteOf(KernelTask task)
    {
        if (_sites.TryGetValue(task.Address, out WaitSite? known))
            return known;
        var functions = _stacks.FunctionsOf(task, out var isGuess);
        WaitKind? kind = null;
        (string Name, ulong Pc)? channel = null;
        var beyond = 0;
        foreach (var (name, pc) in functions)
        {
            kind ??= WaitWords.KindOf(name);
            if (IsSleepingText(pc) || name is "__switch_to" or "__switch_to_asm")
                continue;
            channel ??= (name, pc);
            if (!isGuess || kind is not null || ++beyond == MostGuesses)
                break;
        }
        return _sites[task.Address] = new WaitSite(kind, channel?.Name, channel?.Pc, WaitWords.Describe(functions.Select(f => f.Name).Take(8)));
    }

    private bool IsSleepingText(ulong pc)
    {
        foreach (var (start, end) in _sleepingText)
            if (pc > start && pc <= end)
                return true;
        return false;
    }

    private IEnumerable<(ulong Start, ulong End)> Ranges(params (string Start, string End)[] names)
    {
        foreach (var (start, end) in names)
            if (_source.Symbols is { } symbols && symbols.TryFind(start, out var from) && symbols.TryFind(end, out var to) && to > from)
                yield return (from, to);
    }

    private sealed record WaitSite(WaitKind? Kind, string? ChannelName, ulong? Channel, string? Words);
}
