using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Report.Findings;

/// <summary>What the log says besides the crash: earlier trouble, silence, floods.</summary>
internal static class LogFindings
{
    private const int Shown = 5;
    private static readonly TimeSpan Recent = TimeSpan.FromMinutes(10);

    public static IEnumerable<ReportFinding> Of(LogAnalysis log)
    {
        foreach (ReportFinding finding in Earlier(log))
            yield return finding;
        foreach (Incident kill in log.OomKills.Where(i => !ReferenceEquals(i, log.Cause)).Take(1))
            yield return Finding.Of(
                "oom-before", Finding.Warning, $"Memory ran out before: {kill.Head.Trim()}.", "netdump dmesg FILE --analyse",
                ("line", kill.FirstLine), ("seconds", kill.Time?.TotalSeconds));
        foreach (var (id, kind, words) in new[]
        {
            ("mce", IncidentKind.Hardware, "The hardware reported errors"), ("fs-error", IncidentKind.Filesystem, "A file system reported errors"),
            ("storage-error", IncidentKind.Storage, "A disk or its controller reported errors"), ("net-stuck", IncidentKind.Network, "A network card stopped"),
        })
        {
            List<Incident> found = [.. log.Incidents.Where(i => i.Kind == kind && !ReferenceEquals(i, log.Cause))];
            if (found.Count > 0)
                yield return Finding.Of(
                    id, kind == IncidentKind.Hardware ? Finding.Critical : Finding.Warning, $"{words}: {found[0].Head.Trim()}{More(found.Sum(i => i.Count))}.",
                    "netdump dmesg FILE --analyse", ("line", found[0].FirstLine), ("count", found.Sum(i => i.Count)));
        }
        if (log.Silence is { } silence && log.LastTime is { } last && (silence.TotalSeconds > 60 || silence > last * 0.3))
            yield return Finding.Of(
                "log-silent", Finding.Note, $"The kernel said nothing for {Finding.Words(silence)} before the crash.", "netdump dmesg FILE", ("seconds", silence.TotalSeconds));
        if (log.LinesInLastSecond > 1000)
            yield return Finding.Of(
                "log-flood", Finding.Warning, $"The kernel wrote {log.LinesInLastSecond} lines in the last second before the crash: printing them may itself have held CPUs up.",
                "netdump dmesg FILE", ("lines", log.LinesInLastSecond));
    }

    private static IEnumerable<ReportFinding> Earlier(LogAnalysis log)
    {
        // The watchdog's own panic tells of the same hang once more.
        foreach (Incident other in log.OtherCrashes.Where(i => i.Class != CrashClass.Panic && i.Class != log.Class).Take(Shown))
        {
            var earlier = log.Cause is { } cause && other.FirstLine < cause.FirstLine;
            yield return Finding.Of(
                "earlier-oops", earlier ? Finding.Critical : Finding.Note,
                $"{(earlier ? "The kernel had crashed before" : "It crashed again after that, as a consequence")}: {other.Title}.",
                "netdump dmesg FILE --analyse", ("line", other.FirstLine), ("seconds", other.Time?.TotalSeconds));
        }
        var end = log.Cause?.Time ?? log.LastTime;
        List<Incident> warnings = [.. log.Warnings.Where(i => i.Kind == IncidentKind.Warning && (end is null || i.Time is null || end - i.Time < Recent))];
        if (warnings.Count > 0)
            yield return Finding.Of(
                "earlier-warn", Finding.Note, $"The kernel had warned: {warnings[0].Title}{More(warnings.Count)}.", "netdump dmesg FILE --analyse",
                ("line", warnings[0].FirstLine), ("count", warnings.Count));
        foreach (var (id, kind) in new[] { ("softlockup", IncidentKind.SoftLockup), ("hardlockup", IncidentKind.HardLockup), ("rcu-stall", IncidentKind.RcuStall), ("wq-stall", IncidentKind.WorkqueueStall) })
            foreach (Incident incident in log.Warnings.Where(i => i.Kind == kind).Take(1))
                yield return Finding.Of(
                    id, kind == IncidentKind.WorkqueueStall ? Finding.Warning : Finding.Critical, $"The kernel had reported: {incident.Title}.", "netdump dmesg FILE --analyse",
                    ("line", incident.FirstLine), ("seconds", incident.Time?.TotalSeconds), ("cpu", incident.Cpu));
    }

    private static string More(int count) => count > 1 ? $" ({count} such lines)" : "";
}
