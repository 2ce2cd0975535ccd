using Netdump.Kernel.Symbols;
using Netdump.Kernel.Tasks;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Facts;

/// <summary>One pool of workers (struct worker_pool) that has work to do.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Id">Its number.</param>
/// <param name="Processor">The processor its workers are bound to; -1 for none.</param>
/// <param name="Pending">Pieces of work that wait.</param>
/// <param name="FirstFunction">What the first of them would execute; null when it cannot be told.</param>
/// <param name="SecondsWithoutProgress">How long no work was begun; the kernel warns at 30.</param>
/// <param name="Workers">How many workers the pool has.</param>
/// <param name="IdleWorkers">How many of them have nothing to do.</param>
/// <param name="Busy">Those that execute something.</param>
public sealed record WorkerPool(
    ulong Address, int Id, int Processor, int Pending, string? FirstFunction, double? SecondsWithoutProgress, int Workers, int IdleWorkers, IReadOnlyList<BusyWorker> Busy)
{
    /// <summary>Seconds after which the kernel's own watchdog warns (workqueue.watchdog_thresh).</summary>
    public const int WarningSeconds = 30;

    /// <summary>Whether work waits and none was begun for as long as the kernel's watchdog allows.</summary>
    public bool IsStalled => Pending > 0 && SecondsWithoutProgress > WarningSeconds;
}

/// <summary>A worker that executes something.</summary>
/// <param name="Task">Its task.</param>
/// <param name="Function">What it executes.</param>
/// <param name="Workqueue">The workqueue that asked for it; empty when not known.</param>
public readonly record struct BusyWorker(KernelTask Task, string Function, string Workqueue);

/// <summary>What the kernel's workqueues were doing.</summary>
/// <param name="Pools">The pools with waiting work or busy workers.</param>
public sealed record WorkqueueFacts(IReadOnlyList<WorkerPool> Pools)
{
    private const int MostPending = 1 << 16;
    private const int PoolsPerProcessor = 2; // NR_STD_WORKER_POOLS: ordinary and high priority

    /// <summary>The pools whose work does not get on.</summary>
    public IEnumerable<WorkerPool> Stalled => Pools.Where(p => p.IsStalled);

    internal static WorkqueueFacts? Read(TaskSource source, TaskList tasks, KernelClock clock)
    {
        const string Pool = "worker_pool";
        if (source.Symbols is not { } symbols || source.Types is not { } types || types.SizeOf(Pool) is not (> 0 and var size))
            return null;
        KernelMemory memory = source.Memory;
        Field worklist = Field.Of(types, Pool, "worklist"), progress = Field.Of(types, Pool, "last_progress_ts", "watchdog_ts"), cpu = Field.Of(types, Pool, "cpu"),
            id = Field.Of(types, Pool, "id"), workers = Field.Of(types, Pool, "nr_workers"), idle = Field.Of(types, Pool, "nr_idle"),
            poolOf = Field.Of(types, "worker", "pool"), entry = Field.Of(types, "work_struct", "entry"), function = Field.Of(types, "work_struct", "func");
        // A rescuer belongs to no pool of its own: its pool is the one it helps.
        ILookup<ulong, BusyWorker> busy = tasks.All.Select(t => (Task: t, t.Worker)).Where(w => w.Worker is { Function: > 0 })
            .ToLookup(
                w => poolOf.Read(memory, w.Worker!.Value.Address) ?? 0,
                w => new BusyWorker(w.Task, NameOf(symbols, w.Worker!.Value.Function), w.Worker!.Value.Workqueue));
        List<WorkerPool> pools = [];
        foreach (var pool in Addresses(source, tasks, (ulong)size).Concat(busy.Select(b => b.Key)).Where(p => p != 0).Distinct())
        {
            if (id.ReadSigned(memory, pool) is not { } number)
                continue;
            ListWalk walk = memory.WalkList(worklist.At(pool), MostPending);
            var (pending, first) = (0, (string?)null);
            while (worklist.Exists && walk.MoveNext())
            {
                if (pending++ == 0 && entry.Exists && function.Read(memory, unchecked(walk.Current - (ulong)entry.Offset)) is { } code)
                    first = NameOf(symbols, code);
            }
            if (pending == 0 && !busy.Contains(pool))
                continue;
            pools.Add(new WorkerPool(
                pool, (int)number, (int)(cpu.ReadSigned(memory, pool) ?? -1), pending, first,
                progress.Read(memory, pool) is { } since && clock.SecondsSince(since) is { } age ? Math.Max(age, 0) : null,
                (int)(workers.ReadSigned(memory, pool) ?? 0), (int)(idle.ReadSigned(memory, pool) ?? 0), [.. busy[pool]]));
        }
        return new WorkqueueFacts([.. pools.OrderBy(p => p.Id)]);
    }

    private static string NameOf(KernelSymbols symbols, ulong function) =>
        symbols.TryResolve(function, out SymbolMatch match) ? match.Module is { } module ? $"{match.Name} [{module}]" : match.Name : $"0x{function:x}";

    private static IEnumerable<ulong> Addresses(TaskSource source, TaskList tasks, ulong size)
    {
        KernelSymbols symbols = source.Symbols!;
        if (symbols.TryFind("cpu_worker_pools", out var perCpu))
            foreach (var processor in tasks.Processors)
                for (var i = 0UL; i < PoolsPerProcessor; i++)
                    yield return symbols.OnProcessor(perCpu, processor) + i * size;
        // The pools of no processor are known by their numbers only.
        if (symbols.TryFind("worker_pool_idr", out var idr))
            foreach (var pool in PidTable.EntriesOf(source, idr))
                yield return pool;
    }
}
