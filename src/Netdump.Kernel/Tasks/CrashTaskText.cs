using System.Globalization;

namespace Netdump.Kernel.Tasks;

/// <summary>Tasks in the forms of the crash utility, byte for byte (version 9.0.2): scripts exist that read them.</summary>
public static class CrashTaskText
{
    private const long NanosecondsPerMillisecond = 1_000_000;

    /// <summary>The table of <c>ps</c>: the idle tasks, then all others by process id.</summary>
    /// <param name="tasks">Which tasks, in the order they are printed.</param>
    /// <param name="presentPages">Pages of memory that %MEM is a share of.</param>
    /// <param name="output">Where to.</param>
    public static void WritePs(IEnumerable<KernelTask> tasks, long presentPages, TextWriter output)
    {
        output.Write("      PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM\n");
        foreach (KernelTask task in tasks)
        {
            TaskMemory? memory = task.Memory;
            var share = memory is null || presentPages <= 0 ? 0 : (double)(memory.ResidentPages * 100) / presentPages;
            var name = task.IsIdle || task.IsKernelThread ? $"[{task.Comm}]" : task.Comm;
            output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{(task.IsRunQueueCurrent ? '>' : ' ')} {task.Pid,7} {task.SignalledParentPid,7} {task.Processor,3}  {task.Address:x16}  {task.CrashState}  {share,4:F1} {memory?.TotalKilobytes ?? 0,8} {memory?.ResidentKilobytes ?? 0,8}  {name}\n"));
        }
    }

    /// <summary>The lines of <c>ps -m</c>: how long each task has not been given a processor, or has had one; shortest first.</summary>
    public static void WriteAges(IEnumerable<KernelTask> tasks, TextWriter output)
    {
        foreach (KernelTask task in tasks)
        {
            var milliseconds = (long)(AgeOf(task) / NanosecondsPerMillisecond);
            output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"[{milliseconds / 86_400_000} {milliseconds / 3_600_000 % 24:00}:{milliseconds / 60_000 % 60:00}:{milliseconds / 1000 % 60:00}.{milliseconds % 1000:000}] [{task.CrashState}]  {HeaderOf(task)}\n"));
        }
    }

    /// <summary>The counts of <c>ps -S</c>.</summary>
    public static void WriteStates(IEnumerable<KernelTask> tasks, TextWriter output)
    {
        ILookup<string, KernelTask> states = tasks.ToLookup(t => t.CrashState);
        foreach (var state in (string[])["RU", "IN", "UN", "ST", "TR", "ZO", "DE", "WA", "PA", "ID", "NE", "??"])
            if (states[state].Count() is > 0 and var count)
                output.Write(string.Create(CultureInfo.InvariantCulture, $"  {state}: {count}\n"));
    }

    /// <summary>The blocks of <c>ps -t</c>.</summary>
    /// <param name="tasks">Which tasks.</param>
    /// <param name="uptime">Time since the boot by the kernel's ticks.</param>
    /// <param name="output">Where to.</param>
    public static void WriteTimes(IEnumerable<KernelTask> tasks, TimeSpan uptime, TextWriter output)
    {
        foreach (KernelTask task in tasks)
        {
            // crash takes whole seconds of the start off.
            var run = uptime - TimeSpan.FromSeconds((double)((task.StartTime ?? 0) / 1_000_000_000));
            output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{HeaderOf(task)}\n    RUN TIME: {(run.Days > 0 ? $"{run.Days} days, " : "")}{run:hh\\:mm\\:ss}\n  START TIME: {task.StartTime ?? 0}\n       UTIME: {task.UserTime?.Ticks * 100 ?? 0}\n       STIME: {task.SystemTime?.Ticks * 100 ?? 0}\n\n"));
        }
    }

    /// <summary>The line crash has above a stack and in other places.</summary>
    public static string HeaderOf(KernelTask task) =>
        string.Create(CultureInfo.InvariantCulture, $"PID: {task.Pid,-7}  TASK: {task.Address:x}  CPU: {task.Processor,-3}  COMMAND: \"{task.Comm}\"");

    /// <summary>All tasks in the order of <c>ps</c>.</summary>
    public static IEnumerable<KernelTask> Ordered(TaskList tasks) => tasks.Idle.Concat(tasks.All);

    /// <summary>Tasks in the order of <c>ps -m</c>: those that got a processor last come first, those that never did last.</summary>
    public static IEnumerable<KernelTask> ByArrival(IEnumerable<KernelTask> tasks) => tasks.OrderByDescending(t => t.LastArrival ?? 0);

    /// <summary>Tasks in the order of <c>ps -t</c>: by when they began.</summary>
    public static IEnumerable<KernelTask> ByStart(IEnumerable<KernelTask> tasks) => tasks.OrderBy(t => t.StartTime ?? 0);

    /// <summary>The lines of <c>runq</c>.</summary>
    public static void WriteRunQueues(IEnumerable<RunQueue> queues, TextWriter output)
    {
        var separator = "";
        foreach (RunQueue queue in queues)
        {
            output.Write(string.Create(CultureInfo.InvariantCulture, $"{separator}CPU {queue.Processor} RUNQUEUE: {queue.Address:x}\n"));
            separator = "\n";
            if (queue.Current is { } current)
                output.Write(string.Create(CultureInfo.InvariantCulture, $"  CURRENT: PID: {current.Pid,-5}  TASK: {current.Address:x}  COMMAND: \"{current.Comm}\"\n"));
            output.Write(string.Create(CultureInfo.InvariantCulture, $"  RT PRIO_ARRAY: {queue.RealTimeArray:x}\n"));
            WriteWaiting(queue.RealTimeWaiting, output);
            output.Write(string.Create(CultureInfo.InvariantCulture, $"  CFS RB_ROOT: {queue.FairTree:x}\n"));
            WriteWaiting(queue.FairWaiting, output);
        }
    }

    // A task that never ran counts as old as the clock.
    private static ulong AgeOf(KernelTask task)
    {
        var clock = task.Source.Processors.ClockOf(task.Processor) ?? 0;
        var last = task.LastArrival ?? 0;
        return clock > last ? clock - last : 0;
    }

    private static void WriteWaiting(IReadOnlyList<KernelTask> tasks, TextWriter output)
    {
        if (tasks.Count == 0)
            output.Write("     [no tasks queued]\n");
        foreach (KernelTask task in tasks)
            output.Write(string.Create(CultureInfo.InvariantCulture, $"     [{task.Priority,3}] PID: {task.Pid,-5}  TASK: {task.Address:x}  COMMAND: \"{task.Comm}\"\n"));
    }
}
