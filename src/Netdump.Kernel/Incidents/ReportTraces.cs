namespace Netdump.Kernel.Incidents;

/// <summary>Collects the call traces of a report: some print several, of several CPUs or of what happened before.</summary>
internal sealed class ReportTraces
{
    private const int MostFrames = 2000; // of all traces
    private const int MostTraces = 64;

    private readonly List<List<LogFrame>> _headed = [];
    private readonly List<LogFrame> _plain = [];
    private readonly List<LogFrame> _places = []; // registers printed before a trace
    private List<LogFrame>? _current;
    private TraceSection _section;
    private int _frames;
    private bool _plainDone;

    /// <summary>The place of the first registers.</summary>
    public void AddPlace(in LogFrame place)
    {
        if (_current is not null)
            Append(_current, place);
        else if (_places.Count == 0)
            _places.Add(place);
    }

    /// <summary>The stack that the lines speak of now.</summary>
    public TraceSection Section => _section;

    /// <summary>Takes a line.</summary>
    public void Read(ReadOnlySpan<char> line)
    {
        if (line.Contains("Call Trace:", StringComparison.Ordinal) || line.Contains("Call trace:", StringComparison.Ordinal) || line.StartsWith("Backtrace:"))
        {
            _current = [];
            if (_headed.Count < MostTraces)
                _headed.Add(_current);
            return;
        }
        ReadSection(line);
        bool frame = FrameText.TryFrame(line, _section, out LogFrame read);
        if (_current is not null)
        {
            if (frame)
                Append(_current, read);
            else if (EndsTrace(line))
                _current = null;
        }
        else if (frame && line is [' ', ..] && _headed.Count == 0 && !_plainDone)
            Append(_plain, read);
        else if (!frame && _plain.Count > 0)
            _plainDone = true;
    }

    /// <summary>The trace that tells a report's culprit, what the registers name first.</summary>
    /// <param name="kind">The report's kind.</param>
    public List<LogFrame> Choose(IncidentKind kind)
    {
        bool plain = kind is IncidentKind.Kmsan or IncidentKind.Kfence or IncidentKind.MemoryLeak;
        List<LogFrame> trace = plain && _plain.Count > 0 ? _plain : Headed(kind) ?? (kind == IncidentKind.Lockdep ? [] : _plain);
        return plain || _places.Count == 0 ? trace : [_places[0], .. trace];
    }

    private List<LogFrame>? Headed(IncidentKind kind)
    {
        // The stalled CPU's trace is the one that the timer's interrupt stands in.
        if (kind == IncidentKind.RcuStall && _headed.Find(t => t.Exists(f => IsTimer(f.Name))) is { } stalled)
            return stalled;
        return _headed.Find(t => t.Exists(f => f.IsReliable));
    }

    private static bool IsTimer(string name) =>
        name.Contains("apic_timer_interrupt", StringComparison.Ordinal) || name.StartsWith("el1h_64_irq", StringComparison.Ordinal);

    private void Append(List<LogFrame> trace, in LogFrame frame)
    {
        if (_frames++ < MostFrames)
            trace.Add(frame);
    }

    private static bool EndsTrace(ReadOnlySpan<char> line) =>
        line.StartsWith("Modules linked in:") || line.StartsWith("---[ end") || line.StartsWith("Allocated by task") || line.StartsWith("RIP: 0033")
        || line.StartsWith("Sending NMI") || line.StartsWith("Kernel panic") || line.StartsWith("</TASK>");

    private void ReadSection(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> mark = line.Trim(' ');
        if (mark is not ['<', ..] || mark.IndexOf('>') is not (> 1 and var end))
            return;
        _section = mark[1..end] switch
        {
            "TASK" => TraceSection.Task,
            "IRQ" or "SOFTIRQ" => TraceSection.Interrupt,
            "NMI" => TraceSection.NonMaskable,
            ['/', ..] or "EOI" or "EOE" or "<EOE" => TraceSection.Plain,
            ['#', ..] or "ENTRY_TRAMPOLINE" => TraceSection.Other,
            _ => _section,
        };
    }
}
