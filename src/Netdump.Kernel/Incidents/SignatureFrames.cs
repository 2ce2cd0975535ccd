namespace Netdump.Kernel.Incidents;

/// <summary>Chooses the frames of a signature: the same for a log's call trace and for a walk of the dump's memory.</summary>
public static class SignatureFrames
{
    /// <summary>The most frames of a signature.</summary>
    public const int Maximum = 3;

    private const int FarthestLookedAt = 256;

    /// <summary>The frames of a signature.</summary>
    /// <param name="word">The crash's class.</param>
    /// <param name="trace">The stack, innermost first, from where the kernel stopped or from the fault's registers.</param>
    public static IReadOnlyList<string> Of(string word, IEnumerable<SignatureFrame> trace)
    {
        List<SignatureFrame> frames = Named(trace);
        int from = FaultingContext(word, frames);
        from = CrashClass.IsHang(word) ? SkipWaits(frames, SkipPanicPath(frames, from)) : SkipHelpers(frames, from);
        List<string> chosen = [];
        for (int i = from; i < frames.Count && chosen.Count < Maximum && !IsStop(frames[i]); i++)
        {
            string frame = frames[i].Module is { } module ? $"{module}!{frames[i].Name}" : frames[i].Name;
            if (chosen.Count == 0 || chosen[^1] != frame)
                chosen.Add(frame);
        }
        return chosen;
    }

    // A recursion counts once, however deep: a stack that ran over is full of it.
    private static List<SignatureFrame> Named(IEnumerable<SignatureFrame> trace)
    {
        List<SignatureFrame> frames = [];
        foreach (SignatureFrame frame in trace)
        {
            if (!frame.IsReliable || frame.Name.Length == 0)
                continue;
            SignatureFrame named = frame with { Name = SignatureNames.Normalise(frame.Name) };
            if (frames.Count > 0 && frames[^1].Name == named.Name && frames[^1].Module == named.Module)
                continue;
            if (frames.Count == FarthestLookedAt)
                break;
            frames.Add(named);
        }
        return frames;
    }

    // Where an exception or a watchdog's interrupt came, what it interrupted is what matters; what its handling added lies
    // inside of it. Kernels before 4.15 print no registers there: then the entry's own frames tell.
    private static int FaultingContext(string word, List<SignatureFrame> frames)
    {
        for (int i = 0; i < frames.Count; i++)
        {
            if (i == 0 ? frames[0].IsRegisters : Interrupts(word, frames[i - 1].Name) && (frames[i].IsRegisters || !Interrupts(word, frames[i].Name)))
                return i;
        }
        return 0;
    }

    private static bool Interrupts(string word, string entry) => word switch
    {
        CrashClass.SoftLockup or CrashClass.RcuStall => entry.EndsWith("apic_timer_interrupt", StringComparison.Ordinal)
            || entry is "el1h_64_irq" or "el1_irq" or "el1h_64_irq_handler",
        CrashClass.HardLockup => entry is "nmi" or "end_repeat_nmi" or "asm_exc_nmi" or "exc_nmi" or "el1h_64_irq" or "el1h_64_fiq",
        CrashClass.Sysrq or CrashClass.Nmi or CrashClass.OutOfMemory or CrashClass.Panic or CrashClass.HungTask => false,
        _ => entry.StartsWith("asm_exc_", StringComparison.Ordinal) || entry.StartsWith("el1h_64_sync", StringComparison.Ordinal)
            || entry is "page_fault" or "async_page_fault" or "invalid_op" or "general_protection" or "divide_error" or "double_fault" or "el1_sync",
    };

    private static bool IsWait(in SignatureFrame frame) =>
        SignatureNames.IsWait(frame.Name) || (frame.Module is null && (SignatureNames.IsHelper(frame.Name) || SignatureNames.IsPanicPath(frame.Name)));

    // Nothing but waits, down to the entry: then the outermost of them says most.
    private static int SkipWaits(List<SignatureFrame> frames, int from)
    {
        int i = from;
        for (; i < frames.Count && !IsStop(frames[i]); i++)
        {
            if (!IsWait(frames[i]))
                return i;
        }
        return Math.Max(from, i - 1);
    }

    private static int SkipPanicPath(List<SignatureFrame> frames, int from)
    {
        while (from < frames.Count && frames[from].Module is null && SignatureNames.IsPanicPath(frames[from].Name))
            from++;
        return from;
    }

    // A helper goes only while it is innermost, built in, and a frame that is no stop follows.
    private static int SkipHelpers(List<SignatureFrame> frames, int from)
    {
        from = SkipPanicPath(frames, from);
        while (from + 1 < frames.Count && frames[from].Module is null && SignatureNames.IsHelper(frames[from].Name) && !IsStop(frames[from + 1]))
            from = SkipPanicPath(frames, from + 1);
        return from;
    }

    private static bool IsStop(in SignatureFrame frame) => frame.Module is null && SignatureNames.IsStop(frame.Name);
}
