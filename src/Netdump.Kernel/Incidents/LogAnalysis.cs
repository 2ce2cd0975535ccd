namespace Netdump.Kernel.Incidents;

/// <summary>What a kernel's log tells of how the kernel ended. docs/incidents.md says by which rules.</summary>
public sealed class LogAnalysis
{
    private const int LastWordsLines = 15;

    private LogAnalysis(IReadOnlyList<Incident> incidents, Incident? cause, LogTail tail)
    {
        Incidents = incidents;
        Cause = cause;
        LastWords = tail.LastWords(cause);
        Lines = tail.Lines;
        Silence = tail.SilenceBefore(cause);
        LinesInLastSecond = tail.InLastSecond;
        LastTime = tail.LastTime;
    }

    /// <summary>Every incident, in order.</summary>
    public IReadOnlyList<Incident> Incidents { get; }

    /// <summary>The one that ended the kernel: the first oops, or what a watchdog or a warning's panic speaks of. Null when the log has none.</summary>
    public Incident? Cause { get; }

    /// <summary>The crash's title.</summary>
    public string? Title => Cause?.Title;

    /// <summary>The crash's class, a word of <see cref="CrashClass"/>.</summary>
    public string? Class => Cause?.Class;

    /// <summary>The crash's signature.</summary>
    public CrashSignature? Signature => Cause?.Signature;

    /// <summary>The text of the last panic line after "not syncing: ", or null when none was printed.</summary>
    public string? PanicText => Incidents.LastOrDefault(i => i.PanicText is not null)?.PanicText;

    /// <summary>Whether the crash was asked for.</summary>
    public bool IsDeliberate => Cause is not null && CrashClass.IsDeliberate(Cause.Class);

    /// <summary>Oopses and panics before the cause and after it, in order.</summary>
    public IEnumerable<Incident> OtherCrashes => Incidents.Where(i => i.Severity == IncidentSeverity.Crash && !ReferenceEquals(i, Cause));

    /// <summary>What the kernel warned of before the crash.</summary>
    public IEnumerable<Incident> Warnings =>
        Incidents.Where(i => i.Severity is IncidentSeverity.Warning or IncidentSeverity.Error && !ReferenceEquals(i, Cause));

    /// <summary>The lines in which the kernel killed a process because memory ran out.</summary>
    public IEnumerable<Incident> OomKills => Incidents.Where(i => i.Kind == IncidentKind.OutOfMemory);

    /// <summary>The last lines before the incident, the head of it last.</summary>
    public IReadOnlyList<ConsoleLine> LastWords { get; }

    /// <summary>How many lines the log has.</summary>
    public long Lines { get; }

    /// <summary>How long the log was silent before the incident, or before its end when it has none.</summary>
    public TimeSpan? Silence { get; }

    /// <summary>How many lines came in the last second before the incident.</summary>
    public int LinesInLastSecond { get; }

    /// <summary>Time since boot of the last line.</summary>
    public TimeSpan? LastTime { get; }

    /// <summary>Analyses a log.</summary>
    /// <param name="lines">Its lines, oldest first; gone through once.</param>
    public static LogAnalysis Of(IEnumerable<ConsoleLine> lines)
    {
        var finder = new IncidentFinder();
        var tail = new LogTail(LastWordsLines);
        foreach (ConsoleLine line in lines)
        {
            finder.Add(line);
            tail.Add(line);
        }
        IReadOnlyList<Incident> incidents = finder.Finish();
        return new(incidents, CauseOf(incidents), tail);
    }

    // The last panic tells how the kernel ended; what it speaks of is the cause.
    private static Incident? CauseOf(IReadOnlyList<Incident> incidents)
    {
        Incident? last = incidents.LastOrDefault(i => i.Severity == IncidentSeverity.Crash);
        if (last is null)
            return null;
        if (CrashClass.IsDeliberate(last.Class))
            return last;
        if (last.Class == CrashClass.HungTask)
            return RootOf(incidents, last);
        // The first oops is the cause, later ones follow from it.
        return incidents.First(i => i.Severity == IncidentSeverity.Crash && !CrashClass.IsDeliberate(i.Class));
    }

    // The tasks that hung together: from one to the one that holds what it waits for.
    private static Incident RootOf(IReadOnlyList<Incident> incidents, Incident last)
    {
        List<Incident> hung = [.. incidents.Where(i => i.Kind == IncidentKind.HungTask)];
        Incident root = hung.FirstOrDefault() ?? last;
        for (int steps = 0; steps < hung.Count && root.Owner is { } owner; steps++)
        {
            Incident? next = hung.FirstOrDefault(i => i.Pid == owner);
            if (next is null)
                break;
            root = next;
        }
        return root;
    }
}
