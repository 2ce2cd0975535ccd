namespace Netdump.Kernel.Tasks;

/// <summary>The memory of a process, in pages of the kernel's page size.</summary>
/// <param name="TotalPages">Pages of its address space (total_vm).</param>
/// <param name="FilePages">Pages of files that it has mapped in.</param>
/// <param name="AnonymousPages">Pages of its own.</param>
/// <param name="SharedPages">Pages of shared memory and tmpfs.</param>
/// <param name="SwapPages">Pages that are in swap.</param>
/// <param name="PageTableBytes">Bytes of its page tables.</param>
/// <param name="PageSize">Bytes of a page.</param>
public sealed record TaskMemory(long TotalPages, long FilePages, long AnonymousPages, long SharedPages, long SwapPages, long? PageTableBytes, int PageSize)
{
    /// <summary>Pages that are in memory.</summary>
    public long ResidentPages => Math.Max(FilePages + AnonymousPages + SharedPages, 0);

    /// <summary>VSZ of ps, in KiB.</summary>
    public long TotalKilobytes => TotalPages * (PageSize / 1024);

    /// <summary>RSS of ps, in KiB.</summary>
    public long ResidentKilobytes => ResidentPages * (PageSize / 1024);
}

/// <summary>Counts the pages of processes the way the dump's kernel does.</summary>
/// <remarks>
/// Indices: 0 files, 1 anonymous, 2 swap, 3 shared memory (enum in include/linux/mm_types_task.h, unchanged since 4.5). Up to 6.1 the counters are
/// mm.rss_stat.count[] and each thread of the process keeps what it has not yet added in task.rss_stat.count[]; from 6.2 on each is a percpu_counter.
/// </remarks>
internal sealed class MemoryCounters
{
    private const int Kinds = 4;
    private const long Most = 1L << 52; // pages of 4 KiB in 64 bits: more is no count

    private readonly TaskSource _source;
    private readonly Field _total;
    private readonly Field _tables;
    private readonly Field[] _plain = new Field[Kinds];
    private readonly Field[] _counts = new Field[Kinds];
    private readonly Field[] _counters = new Field[Kinds];
    private readonly Field[] _threads = new Field[Kinds];

    public MemoryCounters(TaskSource source)
    {
        _source = source;
        _total = Field.Of(source.Types, "mm_struct", "total_vm");
        _tables = Field.Of(source.Types, "mm_struct", "pgtables_bytes.counter", "pgtables_bytes");
        for (var i = 0; i < Kinds; i++)
        {
            _plain[i] = Field.Of(source.Types, "mm_struct", $"rss_stat.count[{i}].counter", $"rss_stat.count[{i}]");
            _counts[i] = Field.Of(source.Types, "mm_struct", $"rss_stat[{i}].count");
            _counters[i] = Field.Of(source.Types, "mm_struct", $"rss_stat[{i}].counters");
            _threads[i] = Field.Of(source.Types, "task_struct", $"rss_stat.count[{i}]");
        }
    }

    /// <summary>Whether threads keep a part of the counts, so that all of them have to be looked at.</summary>
    public bool NeedsThreads => _threads[0].Exists;

    public TaskMemory? Of(KernelTask task, ulong mm, IEnumerable<KernelTask> threads)
    {
        if (_total.Read(_source.Memory, mm) is not { } total)
            return null;
        Span<long> counts = stackalloc long[Kinds];
        for (var i = 0; i < Kinds; i++)
            counts[i] = _plain[i].Exists ? _plain[i].ReadSigned(_source.Memory, mm) ?? 0 : PerProcessor(i, mm);
        if (NeedsThreads)
            foreach (KernelTask thread in threads)
                if (thread.Mm == mm)
                    for (var i = 0; i < Kinds; i++)
                        counts[i] += _threads[i].ReadSigned(_source.Memory, thread.Address) ?? 0;
        for (var i = 0; i < Kinds; i++)
            counts[i] = Math.Clamp(counts[i], 0, Most);
        return new TaskMemory(
            Math.Clamp(unchecked((long)total), 0, Most), counts[0], counts[1], counts[3], counts[2], _tables.ReadSigned(_source.Memory, mm), _source.Memory.PageSize);
    }

    private long PerProcessor(int kind, ulong mm)
    {
        if (_counts[kind].ReadSigned(_source.Memory, mm) is not { } sum)
            return 0;
        if (_counters[kind].Read(_source.Memory, mm) is not (> 0 and var pointer) || _source.Symbols is not { } symbols)
            return sum;
        foreach (var processor in _source.Processors.Processors)
            if (_source.Memory.TryReadInt32(symbols.OnProcessor(pointer, processor), out var part))
                sum += part;
        return sum;
    }
}
