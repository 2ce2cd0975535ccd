namespace Netdump.Kernel.Incidents;

/// <summary>A report whose lines are still coming.</summary>
internal sealed class OpenReport
{
    private const int MostLines = 2000;
    private const int MostCharacters = 256 << 10;
    private const int LinesBeforePanic = 22;
    private const int LinesBeforePanicOfKmsan = 16;
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(3);

    private readonly Head _head;
    private readonly ConsoleLine _first;
    private readonly long _firstLine;
    private readonly List<string> _all = [];
    private readonly List<string> _titled = [];
    private TimeSpan? _lastTime;
    private int _characters;
    private bool _ended, _cut, _skip, _factsDone;

    public OpenReport(Head head, in ConsoleLine line, long firstLine, long headLine)
    {
        _head = head;
        _first = line;
        _firstLine = firstLine;
        LastLine = headLine;
        Begin(line.Text);
        _lastTime = line.Time;
    }

    /// <summary>Who prints it.</summary>
    public string Context => _first.Context;

    /// <summary>Number of its last line so far.</summary>
    public long LastLine { get; private set; }

    /// <summary>Whether lines of other CPUs belong to it: the kernel asked them where they are.</summary>
    public bool TakesProcessors { get; private set; }

    /// <summary>
    /// Whether the line taken last begins another report of the same caller: one inside this one, which goes on after it. Only where lines
    /// name their caller, since only there it is sure that what follows is no other's.
    /// </summary>
    public bool OtherBegan { get; private set; }

    private bool HasCaller => _first.Context is ['T' or 'C', ..];

    /// <summary>Takes a line; false when the report ended before it.</summary>
    public bool Take(in ConsoleLine line, Head head, long number)
    {
        if (_titled.Count >= MostLines || _all.Count >= MostLines || _characters >= MostCharacters)
            return false;
        if (line.Time is { } now && _lastTime is { } last && now - last > Silence)
            return false;
        if (IsReplayed(line))
        {
            Begin(line.Text);
            return true;
        }
        bool panic = head == Head.KernelPanic;
        bool ends = panic ? !IsOwnPanic(line.Text) : head != Head.None && EndsAt(line.Text, head);
        if (ends && !(HasCaller && !_ended && head != _head && !panic))
            return false;
        OtherBegan = ends;
        _factsDone |= ends;
        if (_ended && !panic && head == Head.None && !IsAfterEnd(line.Text))
            return false;
        _ended = line.Text.StartsWith("---[ end ", StringComparison.Ordinal);
        _cut |= !HasCaller && HeadLines.BeginsSecondReport(line.Text, head) && !HeadLines.IsSecondary(head);
        TakesProcessors |= line.Text.Contains("Sending NMI from CPU", StringComparison.Ordinal);
        _skip |= panic && _head != Head.OomKiller && _titled.Count > (_all[0].Contains("KMSAN", StringComparison.Ordinal) ? LinesBeforePanicOfKmsan : LinesBeforePanic);
        _lastTime = line.Time ?? _lastTime;
        if (!_factsDone)
            LastLine = number;
        Append(line.Text);
        return true;
    }

    // A console that takes over from another gets the line again that was cut.
    private bool IsReplayed(in ConsoleLine line) =>
        _all.Count == 1 && line.Text.Length > _all[0].Length && line.Text.StartsWith(_all[0], StringComparison.Ordinal) && _all[0].Length > 4;

    private bool IsOwnPanic(string text) =>
        IsConsequence(text) || (!_ended && !text.Contains("sysrq triggered crash", StringComparison.Ordinal));

    private bool EndsAt(string text, Head head) =>
        HeadLines.BeginsSecondReport(text, head) && (_ended || !(IsCrash(_head) || _head == Head.OomKiller) || !HeadLines.IsSecondary(head));

    private static bool IsCrash(Head head) => head is not (Head.Warning or Head.Info or Head.Ubsan) && !HeadLines.IsSecondary(head);

    private void Begin(string head)
    {
        _all.Clear();
        _titled.Clear();
        _all.Add(head);
        _titled.Add(head);
    }

    private void Append(string text)
    {
        _characters += text.Length;
        if (!_factsDone)
            _all.Add(text);
        if (!_cut && !_skip && !FrameText.IsQuestionable(text))
            _titled.Add(text);
    }

    // After the end of an oops come the registers once more, CR2, and the panic.
    private static bool IsAfterEnd(string text) =>
        text.Length == 0 || text.StartsWith("RIP: ", StringComparison.Ordinal) || text.StartsWith("RSP: ", StringComparison.Ordinal)
        || text.StartsWith("CR2: ", StringComparison.Ordinal) || text.Contains("Kernel panic", StringComparison.Ordinal)
        || text.StartsWith("Kernel Offset: ", StringComparison.Ordinal) || text.StartsWith("---[ end ", StringComparison.Ordinal)
        || text.StartsWith("Rebooting in ", StringComparison.Ordinal) || (text.Length > 4 && text[3] == ':' && char.IsAsciiLetterUpper(text[0]))
        || text.StartsWith("Code: ", StringComparison.Ordinal) || text.StartsWith("note: ", StringComparison.Ordinal);

    private static readonly string[] Consequences =
    [
        "Fatal exception", "panic_on_warn set", "panic_on_kmsan set", "hung_task: blocked tasks", "softlockup: hung tasks", "Hard LOCKUP", "RCU Stall",
        "stack-protector:", "Aiee, killing interrupt handler", "Attempted to kill", "panic_on_oom is enabled", "deadlocked on memory", "kernel: panic_on_",
        "corrupted stack end", "kernel stack overflow", "Oops - ", "Oops:", "Fatal error", "panic_on_taint",
    ];

    private static bool IsConsequence(string text) => Text.ContainsAny(text, Consequences);

    public Incident ToIncident()
    {
        (TitleDraft draft, string title, string? function) = IncidentTitle.Of(_head, _titled);
        ReportFacts facts = ReportFacts.Read(draft.Kind, _all);
        string word = ReportClass.Of(draft.Kind, facts, _all);
        List<string> others = [];
        if (draft.Other is { } other)
            others.Add(other.Replace("{0}", function is null ? "corrupted" : Machinery.StripSyscall(function), StringComparison.Ordinal));
        if (function is not null && Machinery.StripSyscall(function) != function && draft.Frame is not null)
            others.Add(TitleText.Clean(draft.Title.Replace("{0}", function, StringComparison.Ordinal)));
        return new()
        {
            Kind = draft.Kind,
            Severity = ReportClass.SeverityOf(draft.Kind, facts),
            Class = word,
            Head = _first.Text.Trim(),
            Title = title,
            OtherTitles = others,
            Function = function,
            IsCorrupted = draft.IsCorrupted || (draft.Frame is not null && function is null),
            FirstLine = _firstLine,
            LastLine = LastLine,
            Time = _first.Time,
            Context = _first.Context,
            PanicText = facts.PanicText,
            Cpu = facts.Cpu,
            Pid = facts.Pid,
            Comm = facts.Comm,
            Release = facts.Release,
            Taint = facts.Taint,
            Hardware = facts.Hardware,
            IsArmed = facts.IsArmed,
            Workqueue = facts.Workqueue,
            SourceLine = facts.SourceLine,
            OopsNumber = facts.OopsNumber,
            FaultAddress = facts.FaultAddress,
            ErrorCode = facts.ErrorCode,
            Registers = facts.Registers,
            Code = facts.Code,
            Trace = facts.Trace,
            Owner = facts.Owner,
            Signature = Sign(word, facts, function, title),
        };
    }

    // A report that was cut before its trace has only its head to go by.
    private CrashSignature Sign(string word, ReportFacts facts, string? function, string title)
    {
        IReadOnlyList<string> frames = SignatureFrames.Of(word, facts.Trace.Select(f => new SignatureFrame(f.Name, f.Module, f.IsReliable, f.IsRegisters)));
        if (frames.Count == 0 && function is not null)
            frames = [SignatureNames.Normalise(function)];
        string text = facts.PanicText is { } panic && !IsConsequence(panic) ? panic : _first.Text;
        return CrashSignature.Of(word, frames, text, title);
    }
}
