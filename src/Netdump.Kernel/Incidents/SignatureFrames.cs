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
        List<SignatureFrame> frames = [.. trace.Where(f => f.IsReliable && f.Name.Length > 0).Take(FarthestLookedAt).Select(f => f with { Name = SignatureNames.Normalise(f.Name) })];
        int from = FaultingContext(word, frames);
        while (from < frames.Count && frames[from].Module is null && SignatureNames.IsPanicPath(frames[from].Name))
            from++;
        if (CrashClass.IsHang(word))
            from = SkipWaits(frames, from);
        else
            from = SkipHelpers(frames, from);
        List<string> chosen = [];
        for (int i = from; i < frames.Count && chosen.Count < Maximum && !IsStop(frames[i]); i++)
        {
            string frame = frames[i].Module is { } module ? $"{module}!{frames[i].Name}" : frames[i].Name;
            if (chosen.Count == 0 || chosen[^1] != frame)
                chosen.Add(frame);
        }
        return chosen;
    }

    // Where an exception or a watchdog's interrupt came, what it interrupted is what matters; what a fault's own handling
    // added lies inside of it.
    private static int FaultingContext(string word, List<SignatureFrame> frames)
    {
        for (int i = 0; i < frames.Count; i++)
        {
            if (frames[i].IsRegisters && (i == 0 || Interrupts(word, frames[i - 1].Name)))
                return i;
        }
        return 0;
    }

    private static bool Interrupts(string word, string entry) => word switch
    {
        CrashClass.Sysrq or CrashClass.Nmi or CrashClass.OutOfMemory or CrashClass.Panic => false,
        CrashClass.SoftLockup or CrashClass.RcuStall => entry.Contains("apic_timer_interrupt", StringComparison.Ordinal)
            || entry.StartsWith("asm_sysvec", StringComparison.Ordinal) || entry.StartsWith("el1h_64_irq", StringComparison.Ordinal),
        CrashClass.HardLockup => entry.Contains("nmi", StringComparison.Ordinal) || entry.StartsWith("el1h_64_", StringComparison.Ordinal),
        _ => SignatureNames.IsPanicPath(entry),
    };

    private static int SkipWaits(List<SignatureFrame> frames, int from)
    {
        for (int i = from; i < frames.Count && !IsStop(frames[i]); i++)
        {
            if (!SignatureNames.IsWait(frames[i].Name) && !(frames[i].Module is null && SignatureNames.IsHelper(frames[i].Name)))
                return i;
        }
        return from;
    }

    // A helper goes only while it is innermost, built in, and a frame that is no stop follows.
    private static int SkipHelpers(List<SignatureFrame> frames, int from)
    {
        while (from + 1 < frames.Count && frames[from].Module is null && SignatureNames.IsHelper(frames[from].Name) && !IsStop(frames[from + 1]))
            from++;
        return from;
    }

    private static bool IsStop(in SignatureFrame frame) => frame.Module is null && SignatureNames.IsStop(frame.Name);
}
