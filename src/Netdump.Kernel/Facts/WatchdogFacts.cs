using Netdump.Kernel.Tasks;
using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>What tells that a processor is stuck.</summary>
/// <param name="Processor">The processor.</param>
/// <param name="Task">What it was executing; null when that cannot be told.</param>
/// <param name="OnProcessorFor">How long that task has had the processor without leaving it; null for the idle task.</param>
/// <param name="ClockLag">How far the run queue's clock lies behind that of the processor that is farthest: it stands still without timer interrupts.</param>
/// <param name="SinceTouched">How long the soft watchdog's own thread was not scheduled, in units of 2^30 ns (about a second); null without the watchdog.</param>
/// <param name="TimerInterrupts">Timer interrupts that it counted; null without the hard watchdog's own count.</param>
/// <param name="TimerInterruptsSeen">The same when the hard watchdog looked last: equal means that none came since.</param>
public sealed record ProcessorHealth(
    int Processor, KernelTask? Task, TimeSpan? OnProcessorFor, TimeSpan? ClockLag, long? SinceTouched, ulong? TimerInterrupts, ulong? TimerInterruptsSeen);

/// <summary>What the kernel's watchdogs had noted, and who kept a processor.</summary>
/// <param name="Threshold">Seconds until the hard watchdog complains, the soft one after twice as many (watchdog_thresh); null without.</param>
/// <param name="Processors">Each processor that ran.</param>
public sealed record WatchdogFacts(int? Threshold, IReadOnlyList<ProcessorHealth> Processors)
{
    // The soft watchdog counts in sched_clock() >> 30.
    private const int TouchShift = 30;

    internal static WatchdogFacts? Read(TaskSource source, TaskList tasks)
    {
        if (source.Symbols is not { } symbols)
            return null;
        var clocks = tasks.Processors.ToDictionary(p => p, source.Processors.ClockOf);
        var latest = clocks.Values.Max();
        int? threshold = symbols.TryFind("watchdog_thresh", out var at) && source.Memory.TryReadInt32(at, out var seconds) && seconds > 0 ? seconds : null;
        Variable touched = new(source, "watchdog_touch_ts"), interrupts = new(source, "hrtimer_interrupts"), seen = new(source, "hrtimer_interrupts_saved");
        List<ProcessorHealth> processors = [];
        foreach (var processor in tasks.Processors)
        {
            KernelTask? task = tasks.CurrentOf(processor);
            var clock = clocks[processor];
            // ULONG_MAX says that somebody asked the watchdog to wait: no time.
            long? since = touched.Read(processor) is > 0 and < ulong.MaxValue and var touch && latest is { } now ? (long)(now >> TouchShift) - (long)touch : null;
            processors.Add(new ProcessorHealth(
                processor, task, task is { IsIdle: false } ? task.SinceLastRun : null, clock is { } own && latest is { } far ? KernelTask.Nanoseconds(far - own) : null,
                since is >= 0 ? since : null, interrupts.Read(processor), seen.Read(processor)));
        }
        return new WatchdogFacts(threshold, processors);
    }

    // hrtimer_interrupts is an unsigned long in old kernels and an atomic_t in later ones: the type information has its size.
    private readonly struct Variable
    {
        private readonly TaskSource _source;
        private readonly ulong? _address;
        private readonly Field _field;

        public Variable(TaskSource source, string name)
        {
            _source = source;
            _address = source.Symbols!.TryFind(name, out var at) ? at : null;
            var size = source.Types is { } types && types.Find(name, TypeKind.Variable) is > 0 and var id ? types.SizeOf(id) : null;
            _field = size is > 0 and <= 8 ? new Field(0, size.Value) : Field.Absent;
        }

        public ulong? Read(int processor) => _address is { } address ? _field.Read(_source.Memory, _source.Symbols!.OnProcessor(address, processor)) : null;
    }
}
