namespace Netdump.Kernel.Report.Findings;

/// <summary>What makes the report less than it could be, and what the time of the crash tells.</summary>
internal static class QualityFindings
{
    private const double EarlyBoot = 600;

    public static IEnumerable<ReportFinding> Of(bool hasDump, ReportQuality quality, ReportTaskSummary tasks, ReportTime time)
    {
        if (!hasDump)
            yield return Finding.Of("no-dump", Finding.Note, "There is no dump of this crash: all of this comes from its log.", null);
        else if (!quality.Complete)
            yield return Finding.Of(
                "dump-incomplete", Finding.Note, $"The dump broke off{(quality.Percent is { } percent ? $" at {percent} %" : "")}: what is missing here may have been in the rest.", null, ("pages", quality.Pages));
        if (tasks.Expected is { } expected && tasks.Total < expected)
            yield return Finding.Of(
                "task-list-damaged", Finding.Critical, $"Only {tasks.Total} of {expected} tasks were found: the kernel's list of tasks is broken, or pages of it are not in the dump.",
                "netdump ps FILE", ("found", tasks.Total), ("expected", expected));
        if (time.UptimeS is { } up && up < EarlyBoot)
            yield return Finding.Of("early-boot", Finding.Note, $"The machine had been up for {Finding.Words(TimeSpan.FromSeconds(up))} only.", null, ("uptime_s", up));
    }
}
