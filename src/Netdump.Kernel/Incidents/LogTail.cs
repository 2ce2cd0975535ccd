namespace Netdump.Kernel.Incidents;

/// <summary>Keeps of a log's lines what stood before each crash: the last few, and how dense they came. Bounded, whatever the log's size.</summary>
internal sealed class LogTail(int length)
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(0.5);

    private readonly Queue<ConsoleLine> _last = new();
    private readonly Queue<long> _times = new(); // ticks of the last second's lines
    private readonly List<(long Line, ConsoleLine[] Words, TimeSpan? Silence, int Dense)> _heads = [];
    private TimeSpan? _silence; // before the burst of lines that goes on
    private TimeSpan? _burst; // when it began

    private const int MostHeads = 64;
    private const int MostTimes = 100_000;

    /// <summary>How many lines there were.</summary>
    public long Lines { get; private set; }

    /// <summary>Time of the last line that has one.</summary>
    public TimeSpan? LastTime { get; private set; }

    /// <summary>How many lines came in the second before the last line, or before the crash's head when one was asked for.</summary>
    public int InLastSecond { get; private set; }

    /// <summary>Takes the log's next line.</summary>
    public void Add(in ConsoleLine line)
    {
        Lines++;
        _last.Enqueue(line);
        if (_last.Count > length + 1)
            _last.Dequeue();
        if (line.Time is { } time)
        {
            if (LastTime is not { } last || time - last > Pause)
            {
                _silence = time - LastTime;
                _burst = time;
            }
            LastTime = time;
            _times.Enqueue(time.Ticks);
            while (_times.Count > MostTimes || (_times.TryPeek(out long oldest) && oldest < time.Ticks - Second.Ticks))
                _times.Dequeue();
        }
        InLastSecond = _times.Count;
        if (line.Facility == 0 && HeadLines.Find(line.Text) != Head.None)
        {
            if (_heads.Count >= MostHeads)
                _heads.RemoveAt(_heads.Count / 2); // the first and the last ones matter
            _heads.Add((Lines, [.. _last], Silent, InLastSecond));
        }
    }

    /// <summary>The lines up to the head of an incident, or the log's last.</summary>
    public IReadOnlyList<ConsoleLine> LastWords(Incident? incident)
    {
        foreach ((long line, ConsoleLine[] words, _, int dense) in _heads)
        {
            if (incident is not null && line >= incident.FirstLine && line <= incident.LastLine)
            {
                InLastSecond = dense;
                return words;
            }
        }
        return [.. _last];
    }

    /// <summary>The time between the incident's head and the line before it.</summary>
    public TimeSpan? SilenceBefore(Incident? incident)
    {
        foreach ((long line, _, TimeSpan? silence, _) in _heads)
        {
            if (incident is not null && line >= incident.FirstLine && line <= incident.LastLine)
                return silence;
        }
        return Silent;
    }

    // The lines of one second's burst announce the crash ("sysrq: Trigger a crash"): the silence is what lay before it.
    private TimeSpan? Silent => LastTime - _burst <= Second ? _silence : TimeSpan.Zero;
}
