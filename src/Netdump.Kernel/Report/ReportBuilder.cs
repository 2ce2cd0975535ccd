using System.Globalization;
using System.Text;
using Netdump.Kernel.Incidents;
using Netdump.Kernel.Report.Findings;
using Netdump.Vmcore;

namespace Netdump.Kernel.Report;

/// <summary>Makes the report of a dump. What cannot be read costs a line under quality, never the report.</summary>
public sealed class ReportBuilder
{
    private const string LogThing = "the log";

    private readonly VmcoreFile? _dump;
    private readonly Gaps _gaps;
    private readonly CrashedKernel? _kernel;
    private readonly LogAnalysis _log;

    private ReportBuilder(VmcoreFile? dump, Stream? console)
    {
        _dump = dump;
        _gaps = new Gaps();
        if (dump is null)
        {
            _gaps.Add("the kernel's memory", "there is no vmcore");
            _log = console is null ? LogAnalysis.Of([]) : LogAnalysis.Of(ConsoleLine.Of(new StreamReader(console, Encoding.UTF8)));
            return;
        }

        try
        {
            _kernel = new CrashedKernel(dump);
            _gaps = _kernel.Gaps;
            if (dump.Info is null)
                _gaps.Add("VMCOREINFO as a note", "the dump carries none; the one in memory was found by a search");
        }
        catch (Exception failure) when (failure is VmcoreFormatException or IOException)
        {
            _gaps.Add("the kernel's memory", failure.Message);
        }
        _log = ReadLog(dump, console);
    }

    /// <summary>Makes a report.</summary>
    /// <param name="dump">The dump, which the caller keeps open; null for a crash of which there is only a log.</param>
    /// <param name="tool">The program and its version.</param>
    /// <param name="time">The clock that measures how long it took.</param>
    /// <param name="console">Console lines of the crash, in UTF-8, which serve where the dump's own log cannot be read; null for none. Closed here.</param>
    public static CrashReport Build(VmcoreFile? dump, string tool, TimeProvider time, Stream? console = null)
    {
        long began = time.GetTimestamp();
        using Stream? lines = console;
        CrashReport report = new ReportBuilder(dump, lines).Build(tool);
        return report with { Quality = report.Quality with { Seconds = Math.Round(time.GetElapsedTime(began).TotalSeconds, 3) } };
    }

    /// <summary>Title and signature of a dump's crash alone: what a capture kernel has time for.</summary>
    /// <param name="dump">The dump; the caller keeps it open.</param>
    public static CrashSignature Identify(VmcoreFile dump) => Identify(dump, out _);

    /// <summary>The same, for those who have more questions.</summary>
    /// <param name="dump">The dump; the caller keeps it open.</param>
    /// <param name="kernel">What was found of the kernel on the way; null when its memory cannot be read.</param>
    public static CrashSignature Identify(VmcoreFile dump, out CrashedKernel? kernel)
    {
        ReportBuilder builder = new(dump, null);
        kernel = builder._kernel;
        return CrashFactsReader.Identify(kernel, builder._log);
    }

    private CrashReport Build(string tool)
    {
        StackReport? stacks = _kernel is null ? null : new StackReport(_kernel);
        TaskReport? tasks = _kernel is null ? null : Part("tasks", () => new TaskReport(_kernel, stacks!), null);
        CrashFacts facts = CrashFactsReader.Read(_kernel, _log, tasks);
        SystemReport system = new(_kernel, _dump, _log);

        IReadOnlyList<ReportModule> modules = Part("modules", system.Modules, []);
        ReportTaskSummary summary = Part("tasks", () => tasks?.Summary(), null) ?? new(0, null, new Dictionary<string, int>(), []);
        ReportTime when = Part("times", system.Time, new(null, null, null, []));
        ReportMemory? memory = Part("memory counters", () => system.Memory(tasks?.List), null);
        PanicReport panic = new(_kernel, facts, stacks);
        IReadOnlyList<ReportFrame> blamed = Part("the stack of the crash", panic.Blamed, []);
        IReadOnlyList<ReportTask> all = Part("tasks", () => tasks?.Tasks(), null) ?? [];
        ReportQuality quality = Quality();

        List<ReportFinding> findings = [];
        Collect(findings, "findings of the fault", () => FaultFindings.Of(facts, blamed, modules));
        if (tasks is { List: { } list })
        {
            Collect(findings, "findings of locks", () => LockFindings.Of(list));
            Collect(findings, "findings of blocked tasks", () => BlockedFindings.Of(list, tasks.NamesOf));
            Collect(findings, "findings of CPUs", () => ProcessorFindings.Of(list));
        }
        if (_kernel is not null)
            Collect(findings, "findings of memory, RCU and workqueues", () => KernelFindings.Of(_kernel, facts));
        Collect(findings, "findings of the log", () => LogFindings.Of(_log));
        Collect(findings, "findings of quality", () => QualityFindings.Of(_dump is not null, quality, summary, when));

        ReportVerdict verdict = Verdicts.Of(facts);
        return new CrashReport
        {
            Tool = tool,
            Verdict = verdict,
            Title = facts.Signature.Title,
            Signature = new(
                facts.Signature.Version, facts.Signature.Id, facts.Signature.Title, facts.Signature.Frames, facts.Signature.Key, facts.Signature.Class, facts.Signature.Coarse),
            Host = Part("the host", system.Host, new(null, null, null, null)),
            Kernel = Part("the kernel", system.Kernel, new()),
            Time = when,
            Cpu = facts.Cpu,
            Cpus = Part("processors", system.Processors, new(null, null)),
            PanicTask = facts.Task is { } task ? new(task.Pid, task.Tgid, task.Comm, $"0x{task.Address:x}", facts.Syscall) : null,
            Panic = Part("the panic", panic.Panic, new()),
            Fault = panic.Fault(),
            Stack = blamed,
            // Sorting a list keeps no order of equals; a finding's place among those of its severity is part of what it says.
            Findings = [.. findings.OrderBy(f => Finding.Rank(f.Severity))],
            CpuList = _kernel is null || tasks is null ? [] : Part("what CPUs did", () => ProcessorReport.Of(_kernel, stacks!, tasks, facts.HasCrashed ? facts.Cpu : null), []),
            TaskSummary = summary,
            Tasks = all,
            Memory = memory,
            Modules = modules,
            Mounts = Part("mounts", system.Mounts, []),
            Network = Part("network devices", system.Network, []),
            Log = Log(when),
            Quality = quality with { Missing = [.. _gaps.All.Select(g => new ReportGap(g.Key, g.Value))] },
        };
    }

    // A report goes on without a part that failed: hostile memory may break what nobody thought of.
    private T Part<T>(string what, Func<T> read, T instead)
    {
        try
        {
            return read();
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            _gaps.Add(what, failure.Message);
            return instead;
        }
    }

    private void Collect(List<ReportFinding> into, string what, Func<IEnumerable<ReportFinding>> find)
    {
        _ = Part(what, () =>
        {
            into.AddRange(find());
            return true;
        }, false);
    }

    private LogAnalysis ReadLog(VmcoreFile dump, Stream? console)
    {
        string reason;
        LogAnalysis? own = null;
        try
        {
            own = LogAnalysis.Of(ConsoleLine.Of(dump.OpenLog().Records()));
            if (own.Cause is not null || console is null)
                return own;
            reason = "no crash is in it"; // of a dump that broke off the end may be missing, and the console had it
        }
        catch (Exception failure) when (failure is VmcoreFormatException or IOException)
        {
            reason = failure.Message;
        }
        if (console is null)
        {
            _gaps.Add(LogThing, reason);
            return LogAnalysis.Of([]);
        }
        LogAnalysis said = LogAnalysis.Of(ConsoleLine.Of(new StreamReader(console, Encoding.UTF8)));
        if (own is { Lines: > 0 } && said.Cause is null)
            return own;
        _gaps.Add(LogThing, $"{reason}; the console's lines stand for it");
        return said;
    }

    private ReportQuality Quality() => new()
    {
        Complete = _dump is { IsComplete: true },
        Percent = _dump is not { IsComplete: false, LengthNeeded: > 0 } part ? null : (int)Math.Clamp(part.Bytes.Length * 100 / part.LengthNeeded, 0, 100),
        Level = _dump?.Kdump?.DumpLevel is { } level ? (int)level : null,
        Pages = (long)(_dump?.Physical.CountPages().Stored ?? 0),
        Unwinder = _kernel?.Unwinder is not { } unwinder ? "none" : unwinder.Tables is not null ? "orc" : _kernel.Machine == Machines.Arm64 ? "frame-pointer" : "scan",
    };

    private ReportLog Log(ReportTime when)
    {
        double? end = _log.Cause?.Time?.TotalSeconds ?? when.UptimeS;
        return new ReportLog(
            (int)Math.Min(_log.Lines, int.MaxValue), _log.Cause?.Time?.TotalSeconds,
            [.. _log.Incidents.Select(i => new ReportIncident(i.Class, i.Title, i.Time?.TotalSeconds, (int)i.FirstLine))],
            [.. _log.LastWords.Select(line => Relative(line, end))]);
    }

    private static string Relative(ConsoleLine line, double? end) => line.Time is { } time && end is { } zero
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds - zero,8:0.00} s  {line.Text}")
        : line.Text;
}
