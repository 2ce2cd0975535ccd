using Netdump.Kernel.Tasks;

namespace Netdump.Kernel.Report.Findings;

/// <summary>Locks that tasks wait for: who holds them, circles, locks that nobody holds.</summary>
internal static class LockFindings
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Handover = TimeSpan.FromSeconds(1);
    private const int Named = 3;

    public static IEnumerable<ReportFinding> Of(TaskList tasks)
    {
        foreach (LockCycle cycle in tasks.Waits.Cycles)
        {
            var way = string.Join(", ", cycle.Waits.Select(w => $"{w.Task} waits for the {w.Lock!.Title} that {w.WaitsFor} holds"));
            yield return Finding.Of(
                "lock-cycle", cycle.IsCertain ? Finding.Critical : Finding.Warning, $"{(cycle.IsCertain ? "Deadlock" : "Probably a deadlock (a holder is not certain)")}: {way}.",
                $"netdump bt FILE {string.Join(' ', cycle.Waits.Select(w => w.Task.Pid))}",
                [.. cycle.Waits.Select(w => (w.Task.ToString(), (object?)w.Lock!.Address))]);
        }
        foreach (LockChain chain in tasks.Waits.Chains)
            yield return OfChain(chain);
        foreach (KernelLock free in tasks.Waits.Locks)
        {
            var oldest = free.Waiters.Count == 0 ? TimeSpan.Zero : free.Waiters.Max(w => w.Task.SinceLastRun) ?? TimeSpan.Zero;
            if (free.Hold == LockHold.Nobody && oldest > Handover)
                yield return Finding.Of(
                    "lock-no-owner", Finding.Critical, $"The {free.Title} has no owner, yet {Count(free.Waiters.Count)} for it, the longest for {Finding.Words(oldest)}.",
                    $"netdump bt FILE {free.Waiters[0].Task.Pid}", ("address", free.Address), ("owner_word", free.OwnerWord), ("seconds", oldest.TotalSeconds));
        }
    }

    private static ReportFinding OfChain(LockChain chain)
    {
        KernelLock nearest = chain.Waiting[0].Lock!;
        var longest = chain.Longest ?? TimeSpan.Zero;
        var waiters = string.Join(", ", chain.Waiting.Take(Named).Select(w => w.Task)) + (chain.Waiting.Count > Named ? ", ..." : "");
        // A reader is one of several, and the count of a semaphore has no owner: neither is said to hold.
        var holder = nearest.Hold switch
        {
            LockHold.Readers => $"is held by readers; one of the readers is or was {chain.Root}",
            LockHold.LastHolder => $"was last taken by {chain.Root}",
            _ => chain.IsCertain ? $"is held by {chain.Root}" : $"is held, as far as can be told, by {chain.Root}",
        };
        var itself = chain.RootWait is { } wait ? $", which itself waits: {wait.Words}" : chain.Root.IsOnProcessor ? ", which runs" : "";
        return Finding.Of(
            "lock-owner", longest > Long ? Finding.Critical : Finding.Note,
            $"{Count(chain.Waiting.Count)} behind {chain.Root} ({waiters}), the longest for {Finding.Words(longest)}: the {nearest.Title} {holder}{itself}.",
            $"netdump bt FILE {chain.Root.Pid}",
            ("lock", nearest.Address), ("holder_pid", chain.Root.Pid), ("waiting", chain.Waiting.Count), ("seconds", longest.TotalSeconds));
    }

    private static string Count(int tasks) => tasks == 1 ? "1 task waits" : $"{tasks} tasks wait";
}
