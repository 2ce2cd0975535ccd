namespace Netdump.Kernel.Incidents;

/// <summary>Finds the incidents in a log, line by line, in time linear in its length and in bounded memory.</summary>
/// <remarks>Not safe for threads.</remarks>
public sealed class IncidentFinder
{
    /// <summary>The most incidents that are kept; later ones of a title already kept are counted there.</summary>
    public const int MostIncidents = 256;

    private const int MostOpen = 32;
    private const int MostEarlierLines = 3; // between "cut here" and the head

    private readonly List<Incident> _incidents = [];
    private readonly Dictionary<string, int> _byTitle = new(StringComparer.Ordinal);
    private readonly List<OpenReport> _open = [];
    private readonly Dictionary<string, long> _cutHere = new(StringComparer.Ordinal);
    private long _line;

    /// <summary>How many lines were given.</summary>
    public long Lines => _line;

    /// <summary>How many incidents were met that are not kept.</summary>
    public long Dropped { get; private set; }

    /// <summary>Takes the log's next line.</summary>
    public void Add(in ConsoleLine line)
    {
        _line++;
        if (line.Facility != 0 || line.Text.StartsWith("netdump: ", StringComparison.Ordinal))
            return; // a program wrote it: it may say anything; ours names the crash once more behind its log
        Head head = HeadLines.Find(line.Text);
        bool taken = Continue(line, head);
        if (head != Head.None && !taken)
            Begin(line, head);
        else if (head == Head.None && EventLines.TryRead(line.Text, out EventLine found) && (!taken || IsOfOthers(found.Kind)))
            Keep(found.ToIncident(line, _line));
        if (line.Text.Contains("[ cut here ]", StringComparison.Ordinal) && _cutHere.Count < MostOpen)
            _cutHere[line.Context] = _line;
    }

    /// <summary>The incidents, in the order of their first lines. To be called once, after the last line.</summary>
    public IReadOnlyList<Incident> Finish()
    {
        foreach (OpenReport report in _open)
            Keep(report.ToIncident());
        _open.Clear();
        _incidents.Sort((a, b) => a.FirstLine.CompareTo(b.FirstLine));
        return _incidents;
    }

    // A report's own lines do not speak of these: what stands between them is another's.
    private static bool IsOfOthers(IncidentKind kind) =>
        kind is IncidentKind.Hardware or IncidentKind.Storage or IncidentKind.Filesystem or IncidentKind.Network;

    private void Begin(in ConsoleLine line, Head head)
    {
        long first = _line;
        if (_cutHere.Remove(line.Context, out long cut) && _line - cut <= MostEarlierLines)
            first = cut;
        if (_open.Count >= MostOpen)
            Close(_open.IndexOf(_open.MinBy(o => o.LastLine)!));
        _open.Add(new OpenReport(head, line, first, _line));
    }

    // A report takes the lines of its own context, and once the kernel asks other CPUs for theirs, those too.
    private bool Continue(in ConsoleLine line, Head head)
    {
        bool taken = false;
        for (int i = _open.Count - 1; i >= 0; i--)
        {
            OpenReport report = _open[i];
            bool own = report.Context == line.Context;
            if (!own && !(report.TakesProcessors && line.Context is ['C', ..]))
                continue;
            if (!report.Take(line, own ? head : Head.None, _line))
                Close(i);
            else
                taken |= own && !report.OtherBegan;
        }
        return taken;
    }

    private void Close(int index)
    {
        OpenReport report = _open[index];
        _open.RemoveAt(index);
        Keep(report.ToIncident());
    }

    private void Keep(Incident incident)
    {
        if (_byTitle.TryGetValue(incident.Title, out int at) && incident.Severity < IncidentSeverity.Crash && IsRepeat(_incidents[at], incident))
        {
            _incidents[at] = _incidents[at] with { Count = _incidents[at].Count + 1 };
            return;
        }
        if (_incidents.Count >= MostIncidents)
        {
            Dropped++;
            return;
        }
        _byTitle[incident.Title] = _incidents.Count;
        _incidents.Add(incident);
    }

    // Storage, network and hardware say the same again and again; reports of the kernel's own are each worth a place.
    private static bool IsRepeat(Incident kept, Incident again) => kept.Trace.Count == 0 && again.Trace.Count == 0;
}
