using Netdump.Kernel.Facts;
using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Report.Findings;

/// <summary>Memory, RCU and workqueues by the kernel's own counters.</summary>
internal static class KernelFindings
{
    private const double OneCache = 0.2;

    public static IEnumerable<ReportFinding> Of(CrashedKernel kernel, CrashFacts facts)
    {
        foreach (ReportFinding finding in Memory(kernel.Facts.Memory))
            yield return finding;
        if (kernel.Facts.Memory is { TotalPages: > 0 and var total, PageSize: var page } && kernel.Facts.SlabCaches.MaxBy(c => c.Bytes) is SlabCache cache
            && cache.Bytes > OneCache * total * (ulong)page)
            yield return Finding.Of(
                "slab-leak", Finding.Warning, $"One slab cache, {cache.Name}, holds {cache.Bytes >> 20} MiB: {cache.Bytes * 100 / (total * (ulong)page)} % of the memory.",
                "netdump kmem FILE --slabs", ("cache", cache.Name), ("bytes", (long)cache.Bytes));
        if (kernel.Facts.Panic.Oopses is > 1 and var oopses)
            yield return Finding.Of("earlier-oops", Finding.Critical, $"The kernel had died {oopses} times since its boot, this crash included.", "netdump dmesg FILE --analyse", ("die_counter", oopses));
        if (facts.Class != CrashClass.Hardware && kernel.Facts.Taint?.Flags.Any(f => f.Letter == 'M') == true)
            yield return Finding.Of("mce", Finding.Critical, "A machine check had been reported since the boot (taint M): the hardware may be at fault.", "netdump dmesg FILE --analyse", ("taint", "M"));
        foreach (ReportFinding finding in Waiting(kernel))
            yield return finding;
    }

    private static IEnumerable<ReportFinding> Memory(MemoryFacts memory)
    {
        foreach (MemoryZone zone in memory.Zones.Where(z => z.ManagedPages > 0))
        {
            if (zone.FreePages < zone.Low)
                yield return Finding.Of(
                    "mem-low", zone.FreePages < zone.Min ? Finding.Critical : Finding.Warning,
                    $"Zone {zone.Name} of node {zone.Node} had {zone.FreePages} free pages, {(zone.FreePages < zone.Min ? $"below its minimum of {zone.Min}" : $"below {zone.Low}, where reclaim begins")}.",
                    "netdump kmem FILE", ("zone", zone.Name), ("node", zone.Node), ("free", (long)zone.FreePages), ("min", (long)zone.Min), ("low", (long)zone.Low));
            else if (zone.FreeBlocks.Count > 3 && zone.FreePages > 0 && zone.FreeBlocks.Skip(1).All(n => n == 0))
                yield return Finding.Of(
                    "mem-fragmented", Finding.Warning, $"Zone {zone.Name} of node {zone.Node} had no free block of more than one page.",
                    "netdump kmem FILE", ("zone", zone.Name), ("node", zone.Node), ("free", (long)zone.FreePages));
        }
        if (memory is { TotalSwapPages: > 0 and var swap, FreeSwapPages: { } left } && left * 100 < swap)
            yield return Finding.Of("swap-full", Finding.Warning, "Swap was full.", "netdump kmem FILE", ("pages", (long)swap), ("free", (long)left));
    }

    private static IEnumerable<ReportFinding> Waiting(CrashedKernel kernel)
    {
        if (kernel.Tasks.Rcu is { IsRunning: true, Seconds: { } seconds } rcu && (rcu.IsStalled || seconds > rcu.Warning / 2))
            yield return Finding.Of(
                "rcu-stall", rcu.IsStalled ? Finding.Critical : Finding.Warning,
                $"RCU had waited for {(rcu.MissingProcessors.Count > 0 ? $"CPU {string.Join(", ", rcu.MissingProcessors.Take(8))}" : "a reader")} for {Finding.Words(TimeSpan.FromSeconds(seconds))}.",
                rcu.MissingProcessors.Count > 0 ? $"netdump bt FILE --cpu {rcu.MissingProcessors[0]}" : null, ("seconds", seconds), ("blocked_readers", rcu.BlockedReaders.Count));
        foreach (WorkerPool pool in kernel.Tasks.Workqueues?.Stalled ?? [])
            yield return Finding.Of(
                "wq-stall", Finding.Warning,
                $"A pool of workers {(pool.Processor >= 0 ? $"of CPU {pool.Processor} " : "")}began nothing for {Finding.Words(TimeSpan.FromSeconds(pool.SecondsWithoutProgress ?? 0))}, with {pool.Pending} pieces of work waiting"
                + $"{(pool.Busy.Count > 0 ? $": {pool.Busy[0].Task} executes {pool.Busy[0].Function}" : "")}.",
                pool.Busy.Count > 0 ? $"netdump bt FILE {pool.Busy[0].Task.Pid}" : null, ("pool", pool.Address), ("pending", pool.Pending), ("function", pool.FirstFunction));
    }
}
