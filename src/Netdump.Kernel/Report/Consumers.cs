using Netdump.Kernel.Facts;
using Netdump.Kernel.Tasks;

namespace Netdump.Kernel.Report;

/// <summary>Who holds the memory when there is none left.</summary>
internal static class Consumers
{
    /// <summary>The greatest consumer with its bytes: a process, a slab cache, shared memory or huge pages.</summary>
    public static (string Who, long Bytes)? Greatest(CrashedKernel? kernel, TaskList? tasks)
    {
        if (kernel?.Facts.Memory is not { TotalPages: > 0 } memory)
            return null;
        long page = memory.PageSize;
        List<(string Who, long Bytes)> all = [];
        if (tasks is not null && SystemReport.Largest(tasks, page).FirstOrDefault() is { } process)
            all.Add(($"{process.Comm} (PID {process.Pid})", process.Rss));
        if (kernel.Facts.SlabCaches.MaxBy(c => c.Bytes) is SlabCache cache)
            all.Add(($"the slab cache {cache.Name}", (long)cache.Bytes));
        // Shared memory is in the processes that map it too, but most of it is files in tmpfs, which nobody maps.
        if (memory.Counter("NR_SHMEM") is { } shared)
            all.Add(("shared memory and files in tmpfs", shared * page));
        if (memory.HugePages.Count > 0)
            all.Add(("huge pages set aside", (long)memory.HugePages.Aggregate(0UL, (sum, h) => sum + h.Total * h.PageBytes)));
        return all.Count == 0 ? null : all.MaxBy(c => c.Bytes);
    }
}
