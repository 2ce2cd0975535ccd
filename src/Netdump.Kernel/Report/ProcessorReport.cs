using Netdump.Kernel.Tasks;
using Netdump.Kernel.Unwind;

namespace Netdump.Kernel.Report;

/// <summary>What each CPU did when the kernel died.</summary>
internal static class ProcessorReport
{
    public static IReadOnlyList<ReportProcessor> Of(CrashedKernel kernel, StackReport stacks, TaskReport tasks, int? crashed)
    {
        if (tasks.List is not { } list)
            return [];
        var queues = list.RunQueues.ToDictionary(q => q.Processor);
        return [.. list.Processors.Select(cpu => Processor(cpu, queues.GetValueOrDefault(cpu)))];

        ReportProcessor Processor(int cpu, RunQueue? queue)
        {
            KernelTask? task = list.CurrentOf(cpu);
            KernelStack? stack = task is not null ? tasks.StackOf(task) : kernel.Unwinder?.OfProcessor(cpu);
            var frame = stack?.Frames is [var first, ..] ? first : default(StackFrame?);
            var state = cpu == crashed ? "crash"
                : task is { IsIdle: true } ? "idle"
                : frame is not { } innermost ? "unknown"
                : innermost.Kind == FrameKind.User ? "user" : "kernel";
            return new ReportProcessor(
                cpu, state, task?.Pid, task?.Comm, TaskReport.Seconds(task?.SinceLastRun), (int?)queue?.Running,
                frame is { Kind: not FrameKind.User } inside ? stacks.NameOf(inside) : null);
        }
    }
}
