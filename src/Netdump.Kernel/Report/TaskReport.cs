using Netdump.Kernel.Tasks;
using Netdump.Kernel.Unwind;

namespace Netdump.Kernel.Report;

/// <summary>The tasks of a report: each with its stack, those in uninterruptible sleep in groups, counts.</summary>
internal sealed class TaskReport
{
    private const int GroupFrames = 8;

    private readonly CrashedKernel _kernel;
    private readonly StackReport _stacks;
    private readonly Dictionary<ulong, KernelStack> _walked = [];
    private readonly Dictionary<ulong, string[]> _names = [];

    public TaskReport(CrashedKernel kernel, StackReport stacks)
    {
        _kernel = kernel;
        _stacks = stacks;
        List = kernel.Tasks;
    }

    /// <summary>The tasks; null when they cannot be read.</summary>
    public TaskList? List { get; }

    /// <summary>A task's stack, walked once.</summary>
    public KernelStack StackOf(KernelTask task)
    {
        if (_walked.TryGetValue(task.Address, out KernelStack? known))
            return known;
        KernelStack stack = _kernel.Unwinder is { } unwinder ? unwinder.Of(task.Address) : KernelStack.None("no unwinder");
        _walked.Add(task.Address, stack);
        return stack;
    }

    /// <summary>Every task, idle ones first, then by PID.</summary>
    public IReadOnlyList<ReportTask> Tasks() => List is null ? [] : [.. List.Idle.Concat(List.All).Select(Task)];

    private ReportTask Task(KernelTask task)
    {
        KernelStack stack = StackOf(task);
        return new ReportTask
        {
            Pid = task.Pid,
            Tgid = task.Tgid,
            Ppid = task.ParentPid,
            Comm = task.Comm,
            State = task.State.ToString(),
            Address = $"0x{task.Address:x}",
            Cpu = task.Processor,
            OnCpu = task.IsOnProcessor,
            Flags = $"0x{task.Flags:x}",
            LastRunS = Seconds(task.SinceLastRun),
            WaitsFor = task.IsIdle ? null : List!.Waits.Of(task)?.Words,
            Stack = _stacks.Frames(stack),
            StackEnd = stack.Stopped,
        };
    }

    /// <summary>Counts, and the tasks in uninterruptible sleep by their stacks, the group that sleeps longest first.</summary>
    public ReportTaskSummary Summary()
    {
        if (List is null)
            return new ReportTaskSummary(0, null, new Dictionary<string, int>(), []);
        var states = List.CountStates().ToDictionary(s => s.Key.ToString(), s => s.Value, StringComparer.Ordinal);
        var expected = List.Expected is { } threads ? threads + List.Idle.Count : (int?)null;
        return new ReportTaskSummary(List.All.Count + List.Idle.Count, expected, states, [.. Groups()]);
    }

    private IEnumerable<ReportTaskGroup> Groups()
    {
        Dictionary<string, List<KernelTask>> groups = new(StringComparer.Ordinal);
        foreach (KernelTask task in List!.All)
        {
            if (task.State != 'D')
                continue;
            var names = string.Join('\n', Names(task));
            if (!groups.TryGetValue(names, out List<KernelTask>? members))
                groups.Add(names, members = []);
            members.Add(task);
        }
        return groups.Values.Select(members =>
        {
            KernelTask oldest = members.MaxBy(t => t.SinceLastRun ?? TimeSpan.Zero)!;
            return new ReportTaskGroup(
                members.Count, Seconds(oldest.SinceLastRun), oldest.ToString(), List!.Waits.Of(oldest)?.Words, Names(oldest));
        }).OrderByDescending(g => g.OldestS ?? 0);
    }

    /// <summary>Functions of a task's stack, innermost first.</summary>
    public IReadOnlyList<string> NamesOf(KernelTask task)
    {
        if (!_names.TryGetValue(task.Address, out string[]? names))
            _names.Add(task.Address, names = [.. StackOf(task).Frames.Where(f => f.IsReliable && f.Kind != FrameKind.User).Select(f => _stacks.NameOf(f)).OfType<string>()]);
        return names;
    }

    private string[] Names(KernelTask task) => [.. NamesOf(task).Take(GroupFrames)];

    internal static double? Seconds(TimeSpan? time) => time is { } value ? Math.Round(value.TotalSeconds, 3) : null;
}
