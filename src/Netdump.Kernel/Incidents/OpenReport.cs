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
    private bool _ended, _cut, _skip;

    public OpenReport(Head head, in ConsoleLine line, long firstLine, long headLine)
    {
        _head = head;
        _first = line;
        _firstLine = firstLine;
        LastLine = headLine;
        Append(line.Text);
        _lastTime = line.Time;
    }

    /// <summary>Number of its last line so far.</summary>
    public long LastLine { get; private set; }

    /// <summary>Whether lines of other CPUs belong to it: the kernel asked them where they are.</summary>
    public bool TakesProcessors { get; private set; }

    /// <summary>Takes a line; false when the report ended before it.</summary>
    public bool Take(in ConsoleLine line, Head head, long number)
    {
        if (_all.Count >= MostLines || _characters >= MostCharacters)
            return false;
        if (line.Time is { } now && _lastTime is { } last && now - last > Silence)
            return false;
        bool panic = head == Head.KernelPanic;
        if (head != Head.None && (panic ? !IsConsequence(line.Text) : HeadLines.BeginsSecondReport(line.Text, head)))
            return false;
        if (_ended && !panic && head == Head.None && !IsAfterEnd(line.Text))
            return false;
        _ended = line.Text.StartsWith("---[ end ", StringComparison.Ordinal);
        _cut |= HeadLines.BeginsSecondReport(line.Text, head);
        TakesProcessors |= line.Text.Contains("Sending NMI from CPU", StringComparison.Ordinal);
        _skip |= panic && _titled.Count > (_all[0].Contains("KMSAN", StringComparison.Ordinal) ? LinesBeforePanicOfKmsan : LinesBeforePanic);
        _lastTime = line.Time ?? _lastTime;
        LastLine = number;
        Append(line.Text);
        return true;
    }

    private void Append(string text)
    {
        _characters += text.Length;
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
            Signature = CrashSignature.Of(
                word, SignatureFrames.Of(word, facts.Trace.Select(f => new SignatureFrame(f.Name, f.Module, f.IsReliable, f.IsRegisters))), facts.PanicText, title),
        };
    }
}
