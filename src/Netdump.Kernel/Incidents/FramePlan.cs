namespace Netdump.Kernel.Incidents;

/// <summary>How the function of a title is chosen from the frames that were found.</summary>
internal enum FrameChoice
{
    /// <summary>The first.</summary>
    First,

    /// <summary>The frame above the first anchor: a stall is met anywhere in the code that loops.</summary>
    Stall,

    /// <summary>The first frame that does not wait; tasks that wait for RCU or the network lock go together.</summary>
    Hung,
}

internal enum FramePartKind
{
    /// <summary>Goes on behind the first line that holds a word.</summary>
    Seek,

    /// <summary>The same, and the function that follows the word is a frame.</summary>
    Capture,

    /// <summary>The line that names the instruction's place.</summary>
    Registers,

    /// <summary>The place where a lock was taken: <c>at: f+0x..</c>, or a line of its own that begins with an address.</summary>
    At,

    /// <summary>The frames up to the next stack's start.</summary>
    Stack,
}

/// <summary>One step on the way to a title's frame.</summary>
internal readonly record struct FramePart(FramePartKind Kind, params string[] Words)
{
    public static readonly FramePart Registers = new(FramePartKind.Registers);
    public static readonly FramePart Trace = new(FramePartKind.Seek, "Call Trace", "Call trace", "Backtrace:");
    public static readonly FramePart Stack = new(FramePartKind.Stack);
    public static readonly FramePart At = new(FramePartKind.At);

    public static FramePart Seek(params string[] words) => new(FramePartKind.Seek, words);

    public static FramePart Capture(params string[] words) => new(FramePartKind.Capture, words);
}

/// <summary>Where a report names its culprit.</summary>
/// <param name="Parts">The steps, each from where the one before ended.</param>
internal sealed record FramePlan(params FramePart[] Parts)
{
    /// <summary>The instruction's place, then the call trace.</summary>
    public static readonly FramePlan RegistersThenTrace = new(FramePart.Registers, FramePart.Trace, FramePart.Stack) { Second = TraceOnly };

    /// <summary>The call trace.</summary>
    public static FramePlan TraceOnly => new(FramePart.Trace, FramePart.Stack);

    /// <summary>The instruction's place alone.</summary>
    public static FramePlan RegistersOnly => new(FramePart.Registers);

    /// <summary>Further functions that are never the culprit of this kind.</summary>
    public NameWords? Skip { get; init; }

    /// <summary>Which of the frames.</summary>
    public FrameChoice Choice { get; init; }

    /// <summary>Tried when these parts give none.</summary>
    public FramePlan? Second { get; init; }

    /// <summary>Whether functions of the machinery may be named.</summary>
    public bool IsUnskipped { get; init; }

    /// <summary>The function, or null.</summary>
    /// <param name="lines">The report's lines.</param>
    /// <param name="from">The line it begins at.</param>
    public string? Find(IReadOnlyList<string> lines, int from)
    {
        List<string> frames = [];
        Collect(lines, from, frames);
        return Choose(frames) ?? (Second is null ? null : (Second with { Skip = Skip, Choice = Choice }).Find(lines, from));
    }

    private string? Choose(List<string> frames) => Choice switch
    {
        FrameChoice.Stall => ChooseStall(frames),
        FrameChoice.Hung => ChooseHung(frames),
        _ => frames.Count > 0 ? frames[0] : null,
    };

    private void Collect(IReadOnlyList<string> lines, int from, List<string> frames)
    {
        int line = from;
        for (int part = 0; part < Parts.Length; part++)
        {
            bool found = false;
            for (; line < lines.Count && !found; line++)
            {
                ReadOnlySpan<char> text = lines[line];
                if (FrameText.IsFaultInjection(text))
                    return;
                if (Parts[part].Kind != FramePartKind.Stack)
                {
                    found = Match(Parts[part], text, frames);
                    continue;
                }
                if (FrameText.BeginsStack(text))
                {
                    found = true; // the next part goes on behind it
                    continue;
                }
                if (part + 1 < Parts.Length && Match(Parts[part + 1], text, frames))
                {
                    part++;
                    found = true;
                    continue;
                }
                FrameText.Functions(text, out ReadOnlySpan<char> first, out ReadOnlySpan<char> second);
                Append(first, frames);
                Append(second, frames);
            }
        }
    }

    private bool Match(in FramePart part, ReadOnlySpan<char> text, List<string> frames)
    {
        switch (part.Kind)
        {
            case FramePartKind.Registers:
                if (!FrameText.IsRegisters(text, out ReadOnlySpan<char> place))
                    return false;
                Append(place, frames);
                return true;
            case FramePartKind.At:
                ReadOnlySpan<char> at = text.Contains("at: ", StringComparison.Ordinal) ? Text.After(text, "at: ") : text is ['[', ..] ? text : [];
                ReadOnlySpan<char> locker = Text.Function(Text.SkipAddresses(at.TrimStart(' ')));
                Append(locker, frames);
                return !locker.IsEmpty;
            case FramePartKind.Seek:
                return Text.ContainsAny(text, part.Words);
            case FramePartKind.Capture:
                foreach (string word in part.Words)
                {
                    ReadOnlySpan<char> name = Text.Function(Text.SkipAddresses(Text.After(text, word).TrimStart(' ')));
                    if (name.IsEmpty)
                        continue;
                    Append(name, frames);
                    return true;
                }
                return false;
            default:
                return false;
        }
    }

    private void Append(ReadOnlySpan<char> name, List<string> frames)
    {
        if (!name.IsEmpty && (IsUnskipped || !Machinery.Match(name)) && (Skip is null || !Skip.Match(name)))
            frames.Add(name.ToString());
    }

    private static string? ChooseStall(List<string> frames)
    {
        string? above = frames.Count > 0 ? frames[0] : null;
        foreach (string frame in frames)
        {
            if (Machinery.IsStallAnchor(Machinery.StripSyscall(frame)) || Machinery.IsStallAnchor(frame))
                return frame.Contains("smp_call_function", StringComparison.Ordinal) ? "smp_call_function" : above;
            above = frame;
        }
        return null;
    }

    private static readonly string[] WaitsForRcu = ["synchronize_rcu", "synchronize_srcu", "synchronize_net", "synchronize_sched"];

    private static readonly NameWords Waits = new(
        "sched _lock _slowlock down rwsem completion kthread wait synchronize context_switch __switch_to cancel_delayed_work rcu_barrier");

    private static string? ChooseHung(List<string> frames)
    {
        foreach (string frame in frames)
        {
            if (frame.Contains("rtnl_lock", StringComparison.Ordinal))
                return frame;
            if (Text.ContainsAny(frame, WaitsForRcu))
                return "synchronize_rcu";
        }
        foreach (string frame in frames)
        {
            if (!Waits.Match(frame) && !SignatureNames.IsStop(frame))
                return frame;
        }
        // Nothing but waits: the outermost of them, unless it is the way into the kernel.
        int entry = frames.FindIndex(SignatureNames.IsStop);
        return entry > 0 ? frames[entry - 1] : null;
    }
}
