namespace Netdump.Kernel.Tasks;

/// <summary>Tasks that wait, one for the other, in the end for one that waits for no lock.</summary>
/// <param name="Root">The task at the end: what keeps it from going on keeps all.</param>
/// <param name="RootWait">What the root itself sleeps for; null when it runs, wants to run or has ended.</param>
/// <param name="Waiting">The waits that end at the root, those nearest to it first.</param>
/// <param name="Depth">How many locks lie between the farthest waiter and the root.</param>
/// <param name="IsCertain">Whether every holder on the way is certain: not when a lock is held by readers, or is a counting semaphore.</param>
public sealed record LockChain(KernelTask Root, TaskWait? RootWait, IReadOnlyList<TaskWait> Waiting, int Depth, bool IsCertain)
{
    /// <summary>How long the one that has waited longest has.</summary>
    public TimeSpan? Longest => Waiting.Max(w => w.Task.SinceLastRun);
}

/// <summary>Tasks that wait for each other in a circle.</summary>
/// <param name="Waits">The waits: each is for a lock that the task of the next one holds, the last for one that the first holds.</param>
/// <param name="IsCertain">Whether every holder is certain.</param>
public sealed record LockCycle(IReadOnlyList<TaskWait> Waits, bool IsCertain);

/// <summary>Follows each waiting task to who holds its lock, to who holds that one's lock, to the end.</summary>
internal sealed class LockGraph
{
    public LockGraph(IReadOnlyList<TaskWait> waits, Func<KernelTask, TaskWait?> waitOf)
    {
        Dictionary<ulong, End> ends = [];
        Dictionary<ulong, List<(TaskWait Wait, End End)>> byRoot = [];
        List<LockCycle> cycles = [];
        foreach (TaskWait wait in waits)
            if (wait.WaitsFor is not null && Follow(wait) is { Root: { } root } end)
            {
                if (!byRoot.TryGetValue(root.Address, out var behind))
                    byRoot.Add(root.Address, behind = []);
                behind.Add((wait, end));
            }
        Cycles = cycles;
        Chains =
        [
            .. byRoot.Values.Select(b => new LockChain(
                    b[0].End.Root!, waitOf(b[0].End.Root!), [.. b.OrderBy(w => w.End.Depth).Select(w => w.Wait)], b.Max(w => w.End.Depth),
                    b.TrueForAll(w => w.End.IsCertain)))
                .OrderByDescending(c => c.Waiting.Count).ThenBy(c => c.Root.Pid),
        ];

        End Follow(TaskWait from)
        {
            List<TaskWait> path = [];
            Dictionary<ulong, int> places = [];
            TaskWait? at = from;
            End end;
            while (true)
            {
                if (ends.TryGetValue(at.Task.Address, out end))
                    break;
                if (!places.TryAdd(at.Task.Address, path.Count))
                {
                    var circle = path[places[at.Task.Address]..];
                    cycles.Add(new LockCycle(circle, circle.TrueForAll(w => w.IsCertain)));
                    end = default;
                    break;
                }
                path.Add(at);
                KernelTask next = at.WaitsFor!;
                if (waitOf(next) is { WaitsFor: not null } further)
                {
                    at = further;
                    continue;
                }
                end = new End(next, 0, true);
                break;
            }
            for (var i = path.Count - 1; i >= 0; i--)
            {
                end = end.Root is null ? end : new End(end.Root, end.Depth + 1, end.IsCertain && path[i].IsCertain);
                ends[path[i].Task.Address] = end;
            }
            return end;
        }
    }

    /// <summary>One for each task that waiting ends at, the one with most behind it first.</summary>
    public IReadOnlyList<LockChain> Chains { get; }

    /// <summary>The circles.</summary>
    public IReadOnlyList<LockCycle> Cycles { get; }

    // Root null: the way ends in a circle.
    private readonly record struct End(KernelTask? Root, int Depth, bool IsCertain);
}
