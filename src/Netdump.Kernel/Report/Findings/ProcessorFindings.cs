using Netdump.Kernel.Tasks;

namespace Netdump.Kernel.Report.Findings;

/// <summary>CPUs that one task kept for long, and CPUs whose clock stood still.</summary>
internal static class ProcessorFindings
{
    private const double Hog = 2;
    private const double LongHog = 10;
    private const double Lag = 2;

    public static IEnumerable<ReportFinding> Of(TaskList tasks)
    {
        List<RunQueue> queues = [.. tasks.RunQueues.Where(q => q.Clock > 0)];
        if (queues.Count == 0)
            yield break;
        var newest = queues.Max(q => q.Clock);
        foreach (RunQueue queue in queues)
        {
            KernelTask? task = tasks.CurrentOf(queue.Processor);
            var behind = (newest - queue.Clock) / 1e9;
            // An idle CPU may stop its tick; one that has work may not.
            if (behind > Lag && task is { IsIdle: false })
                yield return Finding.Of(
                    "clock-lag", Finding.Critical,
                    $"CPU {queue.Processor} took no timer interrupt for {Finding.Words(TimeSpan.FromSeconds(behind))}: interrupts were off there, in {task}.",
                    $"netdump bt FILE --cpu {queue.Processor}", ("cpu", queue.Processor), ("seconds", behind));
            if (task is not { IsIdle: false, SinceLastRun: { } since } || since.TotalSeconds <= Hog || (queue.Running < 2 && since.TotalSeconds <= LongHog))
                continue;
            var waiting = queue.Running > 1 ? $", while {queue.Running - 1} waited" : "";
            yield return Finding.Of(
                "cpu-hog", queue.Running > 1 && since.TotalSeconds > LongHog ? Finding.Critical : queue.Running > 1 ? Finding.Warning : Finding.Note,
                $"{task} had CPU {queue.Processor} for {Finding.Words(since)} without leaving it{waiting}.",
                $"netdump bt FILE --cpu {queue.Processor}", ("cpu", queue.Processor), ("pid", task.Pid), ("seconds", since.TotalSeconds), ("queued", queue.Running));
        }
    }
}
