namespace Netdump.Client.Host;

/// <summary>What makes the kernel panic, and so is dumped, beside what panics anyway. A set of the words an operator writes.</summary>
[Flags]
public enum TriggerSet
{
    /// <summary><c>none</c>: only what panics by itself.</summary>
    None = 0,

    /// <summary><c>oops</c>: a fault of the kernel that otherwise kills a process alone (kernel.panic_on_oops).</summary>
    Oops = 1,

    /// <summary><c>lockup</c>: a processor that no longer schedules, or no longer takes interrupts (kernel.softlockup_panic, kernel.hardlockup_panic).</summary>
    Lockup = 2,

    /// <summary><c>hung</c>: a process that waits for minutes and cannot be killed (kernel.hung_task_panic).</summary>
    Hung = 4,

    /// <summary><c>nmi</c>: a non-maskable interrupt of unknown origin, as a hypervisor's or a management card's button sends it (kernel.unknown_nmi_panic).</summary>
    Nmi = 8,

    /// <summary><c>all</c> of them.</summary>
    All = Oops | Lockup | Hung | Nmi,
}

/// <summary>The kernel's settings behind <see cref="TriggerSet"/> (Documentation/admin-guide/sysctl/kernel.rst).</summary>
public static class Triggers
{
    private const string Directory = "/proc/sys/kernel/";

    private static readonly (TriggerSet Trigger, string Word, string[] Settings)[] Table =
    [
        (TriggerSet.Oops, "oops", ["panic_on_oops"]),
        (TriggerSet.Lockup, "lockup", ["softlockup_panic", "hardlockup_panic"]),
        (TriggerSet.Hung, "hung", ["hung_task_panic"]),
        (TriggerSet.Nmi, "nmi", ["unknown_nmi_panic"]),
    ];

    /// <summary>The words there are, for messages.</summary>
    public const string Words = "oops, lockup, hung, nmi, all or none";

    /// <summary>Reads words separated by commas or white space; null when one is unknown, or <c>none</c> is not alone.</summary>
    public static TriggerSet? Parse(string text)
    {
        string[] words = text.ToLowerInvariant().Split([',', ' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);
        if (words is ["none"]) return TriggerSet.None;
        TriggerSet set = TriggerSet.None;
        foreach (string word in words)
        {
            TriggerSet one = word == "all" ? TriggerSet.All : Table.FirstOrDefault(t => t.Word == word).Trigger;
            if (one == TriggerSet.None) return null;
            set |= one;
        }
        return set == TriggerSet.None ? null : set;
    }

    /// <summary>The set as <see cref="Parse"/> reads it.</summary>
    public static string Text(TriggerSet set) =>
        set == TriggerSet.None ? "none" : string.Join(',', Table.Where(t => set.HasFlag(t.Trigger)).Select(t => t.Word));

    /// <summary>Path of a setting.</summary>
    public static string PathOf(string setting) => Directory + setting;

    /// <summary>The settings of a set that this kernel has.</summary>
    public static IEnumerable<string> Settings(HostFiles host, TriggerSet set) =>
        Table.Where(t => set.HasFlag(t.Trigger)).SelectMany(t => t.Settings).Where(s => host.Exists(PathOf(s)));

    /// <summary>Words of a set for which this kernel has no setting at all.</summary>
    public static TriggerSet Missing(HostFiles host, TriggerSet set) =>
        Table.Where(t => set.HasFlag(t.Trigger) && !t.Settings.Any(s => host.Exists(PathOf(s)))).Aggregate(TriggerSet.None, (all, t) => all | t.Trigger);

    /// <summary>Those of a set that are not in force: a setting of theirs is 0.</summary>
    public static TriggerSet Off(HostFiles host, TriggerSet set) =>
        Table.Where(t => set.HasFlag(t.Trigger) && Settings(host, t.Trigger).Any(s => host.Read(PathOf(s)) == "0")).Aggregate(TriggerSet.None, (all, t) => all | t.Trigger);

    /// <summary>
    /// The settings as they are, and whether what was asked for is so. Code <c>triggers</c>: something asked for is off. Code <c>nmi</c>: nothing
    /// was asked for but what <c>start</c> sets by itself, and a host that hangs leaves no dump.
    /// </summary>
    /// <param name="host">The host's files.</param>
    /// <param name="wanted">What is to be in force.</param>
    /// <param name="chosen">An operator chose it.</param>
    public static Check Examine(HostFiles host, TriggerSet wanted, bool chosen)
    {
        string fact = string.Join(' ', Settings(host, TriggerSet.All).Select(s => $"{s}={host.Read(PathOf(s))}"));
        if (fact.Length == 0) fact = "this kernel shows none";
        TriggerSet off = Off(host, wanted);
        if (off != TriggerSet.None)
            return new(CheckLevel.Warn, "triggers", $"{fact}; {Text(off)} was asked for and is off", "netdump restart, and take it out of /etc/sysctl.d", "triggers");
        TriggerSet blind = Off(host, TriggerSet.Lockup | TriggerSet.Nmi);
        if (!chosen && blind != TriggerSet.None)
            return new(CheckLevel.Warn, "triggers", fact, $"netdump start --triggers {Text(wanted | blind)}   (a hung host leaves no dump today; TRIGGERS= in the configuration keeps it)", "nmi");
        string? powerless = Powerless(host, wanted);
        return powerless is null ? new(CheckLevel.Ok, "triggers", fact)
            : new(CheckLevel.Warn, "triggers", $"{fact}; {powerless}", $"sysctl kernel.{powerless.Split('=')[0]}={(powerless.StartsWith("hung", StringComparison.Ordinal) ? 120 : 1)}", "triggers");
    }

    /// <summary>A detector that is switched off, without which a trigger of the set never fires; null when all can.</summary>
    private static string? Powerless(HostFiles host, TriggerSet wanted)
    {
        (TriggerSet Trigger, string Detector, string Why)[] detectors =
        [
            (TriggerSet.Lockup, "soft_watchdog", "no soft lockup is noticed"),
            (TriggerSet.Hung, "hung_task_timeout_secs", "no hung task is noticed"),
        ];
        foreach ((TriggerSet trigger, string detector, string why) in detectors)
            if (wanted.HasFlag(trigger) && host.Read(PathOf(detector)) == "0") return $"{detector}=0: {why}";
        return null;
    }
}
