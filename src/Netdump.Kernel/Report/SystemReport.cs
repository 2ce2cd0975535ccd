using Netdump.Kernel.Facts;
using Netdump.Kernel.Incidents;
using Netdump.Kernel.Tasks;
using Netdump.Vmcore;

namespace Netdump.Kernel.Report;

/// <summary>Host, kernel, times, memory and devices in the report's form; the log and the dump's header stand in where memory cannot be read.</summary>
internal sealed class SystemReport(CrashedKernel? kernel, VmcoreFile? dump, LogAnalysis log)
{
    private const int LargestProcesses = 5;
    private readonly MachineFacts? _facts = kernel?.Facts;

    public ReportHost Host() => new(
        Known(_facts?.Uts.Host) ?? Known(dump?.Kdump?.Utsname[1]), _facts?.BootId?.ToString(), Known(_facts?.Hardware.Machine) ?? log.Cause?.Hardware,
        Known(_facts?.Hardware.Model));

    public ReportKernel Kernel()
    {
        Taint? taint = _facts?.Taint;
        return new ReportKernel
        {
            Release = Known(_facts?.Uts.Release) ?? dump?.Info?.Release ?? Known(dump?.Kdump?.Utsname[2]) ?? log.Cause?.Release,
            Version = Known(_facts?.Uts.Version) ?? Known(dump?.Kdump?.Utsname[3]),
            Machine = Known(_facts?.Uts.Machine) ?? (dump is null ? null : Machines.NameOf(dump.Machine)),
            BuildId = kernel?.Info.BuildId,
            CommandLine = Known(_facts?.CommandLine),
            Taint = taint is null ? [.. (log.Cause?.Taint ?? "").Where(char.IsAsciiLetterUpper).Select(c => c.ToString())] : [.. taint.Flags.Select(f => f.Letter.ToString())],
            TaintWords = taint is null ? [] : [.. taint.Flags.Select(f => $"{f.Words} ({f.Letter})")],
            KaslrOffset = (long?)kernel?.Info.KernelOffset,
            CrashKernel = (long?)_facts?.CrashKernelBytes,
        };
    }

    public ReportTime Time()
    {
        KernelClock? clock = _facts?.Clock;
        return new ReportTime(
            clock?.Crashed ?? kernel?.Info.CrashTime, clock?.Booted, clock?.Uptime?.TotalSeconds ?? log.LastTime?.TotalSeconds, _facts?.Load ?? []);
    }

    public ReportProcessors Processors() => new(_facts?.Hardware.Online, _facts?.Hardware.Possible);

    public ReportMemory? Memory(TaskList? tasks)
    {
        if (_facts?.Memory is not { TotalPages: { } total } memory)
            return null;
        long page = memory.PageSize;
        return new ReportMemory
        {
            Total = (long)total * page,
            Free = memory.FreePages * page,
            Slab = memory.SlabPages * page,
            Cached = memory.CachedPages * page,
            Anonymous = memory.AnonymousPages * page,
            Shared = memory.Counter("NR_SHMEM") * page,
            Huge = memory.HugePages.Count == 0 ? null : (long)memory.HugePages.Aggregate(0UL, (sum, h) => sum + h.Total * h.PageBytes),
            Largest = tasks is null ? [] : [.. Largest(tasks, page)],
        };
    }

    /// <summary>The processes that hold most memory, the greatest first.</summary>
    public static IEnumerable<ReportProcess> Largest(TaskList tasks, long page) => tasks.All.Where(t => t.IsLeader && t.Mm is not null)
        .Select(t => new ReportProcess(t.Pid, t.Comm, (long)(t.Memory?.ResidentPages ?? 0) * page)).Where(p => p.Rss > 0)
        .OrderByDescending(p => p.Rss).Take(LargestProcesses);

    public IReadOnlyList<ReportModule> Modules() => kernel is null ? []
        : [.. kernel.Modules.Select(m => new ReportModule(m.Name, $"0x{m.Base:x}", (long)m.Size, Taint.LettersOf(m.Taints), m.Version, m.SourceVersion))];

    public IReadOnlyList<ReportMount> Mounts() => _facts is null ? []
        : [.. _facts.Mounts.Select(m => new ReportMount(m.Path ?? "?", m.Type, m.Device, m.Frozen != 0))];

    public IReadOnlyList<ReportDevice> Network() => _facts is null ? []
        : [.. _facts.NetDevices.Select(d => new ReportDevice(d.Name, d.IsUp, [.. d.Addresses.Select(a => $"{a.Address}/{a.PrefixLength}")]))];

    private static string? Known(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
