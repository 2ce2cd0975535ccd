namespace Netdump.Kernel.Incidents;

/// <summary>One incident found in a log. What the log does not say is null, empty or 0.</summary>
public sealed record Incident
{
    /// <summary>What sort.</summary>
    public required IncidentKind Kind { get; init; }

    /// <summary>How grave.</summary>
    public required IncidentSeverity Severity { get; init; }

    /// <summary>The signature's word for the sort (<see cref="CrashClass"/>).</summary>
    public required string Class { get; init; }

    /// <summary>The line it was known by, without prefix.</summary>
    public required string Head { get; init; }

    /// <summary>One line for the whole of it, cleaned of what changes from boot to boot.</summary>
    public required string Title { get; init; }

    /// <summary>Further titles it goes under: two incidents with any title in common may be one bug.</summary>
    public IReadOnlyList<string> OtherTitles { get; init; } = [];

    /// <summary>The function in the title.</summary>
    public string? Function { get; init; }

    /// <summary>Whether the report is cut or mixed with another, so that the title names no function where it should.</summary>
    public bool IsCorrupted { get; init; }

    /// <summary>Number of its first line in the log, from 1.</summary>
    public required long FirstLine { get; init; }

    /// <summary>Number of its last line.</summary>
    public required long LastLine { get; init; }

    /// <summary>Time since boot of its first line.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>Who printed it, see <see cref="ConsoleLine.Context"/>.</summary>
    public string Context { get; init; } = "";

    /// <summary>How often it came, itself included: one that comes again and again is kept once.</summary>
    public int Count { get; init; } = 1;

    /// <summary>The text of its panic line after "not syncing: ", or null when it did not lead to a panic or none was printed.</summary>
    public string? PanicText { get; init; }

    /// <summary>The CPU.</summary>
    public int? Cpu { get; init; }

    /// <summary>The process: the one that was running, or for a hung task the one that waits.</summary>
    public int? Pid { get; init; }

    /// <summary>That process's name.</summary>
    public string? Comm { get; init; }

    /// <summary>The kernel's release.</summary>
    public string? Release { get; init; }

    /// <summary>The letters of the taint, without G.</summary>
    public string? Taint { get; init; }

    /// <summary>The machine's name.</summary>
    public string? Hardware { get; init; }

    /// <summary>Whether a capture kernel was loaded ("Kdump: loaded").</summary>
    public bool IsArmed { get; init; }

    /// <summary>The work queue and its function, or null.</summary>
    public string? Workqueue { get; init; }

    /// <summary>The kernel's own file and line of BUG, WARN and UBSAN: <c>mm/slub.c:123</c>.</summary>
    public string? SourceLine { get; init; }

    /// <summary>The number in <c>[#N]</c>: how many oopses there were so far; 0 when there is none.</summary>
    public int OopsNumber { get; init; }

    /// <summary>The address that faulted, by the rules of docs/incidents.md.</summary>
    public ulong? FaultAddress { get; init; }

    /// <summary>The error code of the fault, or arm64's ESR.</summary>
    public ulong? ErrorCode { get; init; }

    /// <summary>Registers of the place that faulted, named as the log names them, lower case.</summary>
    public IReadOnlyList<KeyValuePair<string, ulong>> Registers { get; init; } = [];

    /// <summary>The line of code bytes as printed, or null.</summary>
    public string? Code { get; init; }

    /// <summary>The call trace, innermost first: what <c>RIP:</c> or <c>pc :</c> names and then the frames of the first trace.</summary>
    public IReadOnlyList<LogFrame> Trace { get; init; } = [];

    /// <summary>The process that holds the lock a hung task waits for, when the kernel said so.</summary>
    public int? Owner { get; init; }

    /// <summary>The signature of this incident alone.</summary>
    public required CrashSignature Signature { get; init; }

    /// <summary>The value of a register, or null.</summary>
    /// <param name="name">Lower case.</param>
    public ulong? Register(string name)
    {
        foreach ((string key, ulong value) in Registers)
        {
            if (key == name)
                return value;
        }
        return null;
    }
}
