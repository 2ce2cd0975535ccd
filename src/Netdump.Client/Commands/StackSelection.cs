using Netdump.Kernel;
using Netdump.Kernel.Tasks;
using Netdump.Kernel.Unwind;

namespace Netdump.Client.Commands;

/// <summary>A stack and whose it is.</summary>
/// <param name="Task">The task; null when a processor's is not known.</param>
/// <param name="Processor">The processor that ran it; null for one that did not run.</param>
/// <param name="Stack">Its stack.</param>
internal sealed record TaskStack(KernelTask? Task, int? Processor, KernelStack Stack);

/// <summary>Which stacks <c>netdump bt</c> is asked for.</summary>
internal sealed record StackSelection(IReadOnlyList<int> Pids, bool AllProcessors, int? Processor, bool AllTasks, string? State, bool Group)
{
    /// <summary>The stacks, in the order they are printed.</summary>
    /// <exception cref="ClientException">There is no such task or processor.</exception>
    public IReadOnlyList<TaskStack> Of(CrashedKernel kernel, Unwinder unwinder)
    {
        var processors = unwinder.Processors.Numbers;
        if (Processor is { } one)
            return processors.Contains(one) ? [OnProcessor(kernel, unwinder, one)]
                : throw new ClientException($"no processor {one} ran", $"these did: {processors}");
        if (AllProcessors)
            return [.. processors.Select(n => OnProcessor(kernel, unwinder, n))];
        var named = Pids.Select(pid => kernel.Tasks.Find(pid)
            ?? throw new ClientException($"no task had the process id {pid}", "netdump bt --all-tasks shows all that there were"));
        IEnumerable<KernelTask> tasks = Pids.Count > 0 ? named : kernel.Tasks.Idle.Concat(kernel.Tasks.All);
        if (State is { } letters)
            tasks = tasks.Where(t => letters.Contains(t.State, StringComparison.Ordinal));
        if (Pids.Count > 0 || State is not null || AllTasks || Group)
            return [.. tasks.Select(t => new TaskStack(t, unwinder.Processors.OfTask(t.Address), unwinder.Of(t.Address)))];
        return [OnProcessor(kernel, unwinder, Panicking(kernel, unwinder))];
    }

    /// <summary>The processor that panicked; the first that was in the kernel when nothing says which.</summary>
    public static int Panicking(CrashedKernel kernel, Unwinder unwinder)
    {
        var numbers = unwinder.Processors.Numbers;
        if ((kernel.Facts.Panic.CrashingProcessor ?? kernel.Facts.Panic.Processor) is { } known && numbers.Contains(known))
            return known;
        foreach (var number in numbers)
            if (unwinder.Processors.RegistersOf(number) is { IsUser: false })
                return number;
        return numbers.FirstOrDefault();
    }

    private static TaskStack OnProcessor(CrashedKernel kernel, Unwinder unwinder, int number) =>
        new(kernel.Tasks.CurrentOf(number), number, unwinder.OfProcessor(number));
}
