using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Tasks;

/// <summary>What a worker of a workqueue does (struct worker).</summary>
/// <param name="Address">Address of the struct worker.</param>
/// <param name="Function">Address of the function it executes; 0 while it has nothing to do.</param>
/// <param name="LastFunction">Address of the function it executed before.</param>
/// <param name="Workqueue">Name of the workqueue it works or worked for last; empty when it never did.</param>
/// <param name="Work">Address of the struct work_struct it executes; 0 while it has nothing to do.</param>
public readonly record struct WorkerFacts(ulong Address, ulong Function, ulong LastFunction, string Workqueue, ulong Work);

/// <summary>What the kernel notes of its own threads (struct kthread).</summary>
internal static class KthreadFacts
{
    private const int DescriptionSize = 24; // WORKER_DESC_LEN

    /// <summary>The full name, of which task_struct.comm keeps 15 bytes; null when that is all.</summary>
    public static string? FullName(TaskSource source, KernelTask task)
    {
        if (KthreadOf(task) is not { } kthread || source.Layout.KthreadFullName.Read(source.Memory, kthread) is not (> 0 and var name)
            || !source.Memory.TryReadText(name, 128, out var bytes))
            return null;
        var text = KernelTask.TextOf(bytes);
        // The pointer shares its place with others in old kernels: a name must begin as comm does.
        return text.StartsWith(task.Comm, StringComparison.Ordinal) ? text : null;
    }

    /// <summary>What a worker does; null when its structures are not in the dump or do not name the task as theirs.</summary>
    public static WorkerFacts? WorkerOf(TaskSource source, KernelTask task)
    {
        KernelMemory memory = source.Memory;
        TaskLayout layout = source.Layout;
        if (KthreadOf(task) is not { } kthread || layout.KthreadData.Read(memory, kthread) is not (> 0 and var worker)
            || layout.WorkerTask.Read(memory, worker) is var owner && owner is not null && owner != task.Address
            || layout.WorkerFunction.Read(memory, worker) is not { } function)
            return null;
        Span<byte> description = stackalloc byte[DescriptionSize];
        description.Clear();
        if (layout.WorkerDescription.Exists)
            memory.TryRead(layout.WorkerDescription.At(worker), description[..Math.Min(DescriptionSize, layout.WorkerDescription.Size)]);
        var end = description.IndexOf((byte)0);
        return new WorkerFacts(
            worker, function, layout.WorkerLastFunction.Read(memory, worker) ?? 0, KernelTask.TextOf(description[..(end < 0 ? DescriptionSize : end)]),
            layout.WorkerWork.Read(memory, worker) ?? 0);
    }

    private static ulong? KthreadOf(KernelTask task) =>
        task.IsKernelThread && task.Value(task.Layout.Kthread) is > 0 and var kthread ? kthread : null;
}
