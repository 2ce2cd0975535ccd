using Netdump.Kernel.Symbols;
using Netdump.Kernel.Types;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tasks;

/// <summary>What every task of one kernel is read with.</summary>
internal sealed class TaskSource
{
    private MemoryCounters? _counters;
    private ProcessorTasks? _processors;

    public TaskSource(CrashedKernel kernel)
    {
        Kernel = kernel;
        Memory = kernel.Memory;
        Symbols = kernel.Symbols;
        Types = kernel.Types;
        Machine = kernel.Machine;
        Gaps = kernel.Gaps;
        Layout = new TaskLayout(Types);
    }

    public CrashedKernel Kernel { get; }

    public KernelMemory Memory { get; }

    public KernelSymbols? Symbols { get; }

    public KernelTypes? Types { get; }

    public ushort Machine { get; }

    public Gaps Gaps { get; }

    public TaskLayout Layout { get; }

    /// <summary>What each processor ran.</summary>
    public ProcessorTasks Processors => _processors ??= new ProcessorTasks(this);

    /// <summary>How a process's pages are counted.</summary>
    public MemoryCounters Counters => _counters ??= new MemoryCounters(this);

    /// <summary>Threads of a process, for counters that kernels before 6.2 keep in each thread; set by the list once it is complete.</summary>
    public Func<KernelTask, IEnumerable<KernelTask>>? ThreadsOf { get; set; }

    public TaskMemory? MemoryOf(KernelTask task, ulong mm) => Counters.Of(task, mm, ThreadsOf?.Invoke(task) ?? [task]);
}
