using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tasks;

/// <summary>One walk over all tasks of the kernel but the idle ones: the ring of processes from init_task on, each with the ring of its threads.</summary>
/// <remarks>
/// A ring that is broken ends the walk of that ring only; then what is missing is looked for among the kernel's process ids. Nothing is kept but the
/// addresses met, so that a list of any length can be written as it is read.
/// </remarks>
internal sealed class TaskWalk(TaskSource source)
{
    /// <summary>The most tasks that are followed: the kernel's own highest limit of process ids.</summary>
    private const int Most = 4 << 20;

    private readonly HashSet<ulong> _seen = [];

    /// <summary>Address of the list pointer where a ring was found broken; null while all are whole.</summary>
    public ulong? BrokenAt { get; private set; }

    /// <summary>Tasks that no ring had, only the table of process ids.</summary>
    public int Rescued { get; private set; }

    /// <summary>Each task once, in the kernel's order: a process's threads behind one another, rescued tasks last.</summary>
    public IEnumerable<KernelTask> Enumerate()
    {
        TaskLayout layout = source.Layout;
        if (source.Symbols is not { } symbols || !symbols.TryFind("init_task", out var initTask))
        {
            source.Gaps.Add("tasks", source.Symbols is null ? "there are no symbols to find init_task by" : "there is no symbol init_task");
            yield break;
        }
        if (layout.Missing is { } missing)
        {
            source.Gaps.Add("tasks", source.Types is null ? "there is no type information to read task_struct by" : $"the type information has no task_struct.{missing}");
            yield break;
        }
        var head = layout.Tasks.At(initTask);
        var leaders = source.Memory.WalkList(head, Most);
        var before = head;
        while (leaders.MoveNext())
        {
            if (Take(unchecked(leaders.Current - (ulong)layout.Tasks.Offset)) is not { } leader)
            {
                Break(before, "it points to no task");
                break;
            }
            before = leaders.Current;
            yield return leader;
            foreach (KernelTask thread in ThreadsOf(leader))
                yield return thread;
        }
        if (leaders.End is not (ListEnd.None or ListEnd.Head))
            Break(leaders.Current, Explain(leaders.End));
        var expected = symbols.TryFind("nr_threads", out var count) && source.Memory.TryReadInt32(count, out var threads) ? threads : -1;
        if (BrokenAt is null && _seen.Count >= expected)
            yield break;
        foreach (var address in PidTable.Tasks(source))
            if (Take(address) is { } rescued)
            {
                Rescued++;
                yield return rescued;
            }
        source.Gaps.Add(
            "task list",
            BrokenAt is { } at
                ? $"the kernel's list is broken at 0x{at:x}; {Rescued} of {_seen.Count} tasks are known by their process ids only"
                : $"{_seen.Count} tasks were found, the kernel counted {expected}");
    }

    // The leader is the first element of its own ring of threads: it was taken already.
    private IEnumerable<KernelTask> ThreadsOf(KernelTask leader)
    {
        TaskLayout layout = source.Layout;
        if (!layout.ThreadNode.Exists || !layout.ThreadHead.Exists || leader.Value(layout.Signal) is not (> 0 and var signal))
            yield break;
        var ring = source.Memory.WalkList(layout.ThreadHead.At(signal), Most);
        var before = layout.ThreadHead.At(signal);
        while (ring.MoveNext())
        {
            var address = unchecked(ring.Current - (ulong)layout.ThreadNode.Offset);
            if (address != leader.Address)
            {
                var isNew = !_seen.Contains(address);
                if (Take(address) is { } thread)
                    yield return thread;
                else if (isNew)
                {
                    Break(before, $"the ring of threads of PID {leader.Pid} points to no task");
                    yield break;
                }
            }
            before = ring.Current;
        }
        if (ring.End != ListEnd.Head)
            Break(ring.Current, $"the ring of threads of PID {leader.Pid}: {Explain(ring.End)}");
    }

    private KernelTask? Take(ulong address)
    {
        if (_seen.Count >= Most || !_seen.Add(address))
            return null;
        if (KernelTask.Read(source, address) is { Pid: > 0 } task)
            return task;
        _seen.Remove(address);
        return null;
    }

    private void Break(ulong at, string why)
    {
        BrokenAt ??= at;
        source.Gaps.Add($"tasks behind 0x{at:x}", why);
    }

    private static string Explain(ListEnd end) => end switch
    {
        ListEnd.Cycle => "it runs in a circle that leaves its head out",
        ListEnd.Unreadable => "it cannot be read",
        _ => $"it is longer than {Most} entries",
    };
}
