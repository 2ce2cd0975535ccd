namespace Netdump.Kernel.Incidents;

/// <summary>Ways to the culprit that several kinds of reports share.</summary>
internal static class FramePlans
{
    /// <summary>The place of the fault, then what called it.</summary>
    public static readonly FramePlan Fault = FramePlan.RegistersThenTrace;

    // A warning traps: what called it stands behind the trap's registers, or, before kernel 4.11, in a plain trace.
    public static FramePlan Warned(string? skip = null) => new(FramePart.Registers, FramePart.Stack)
    {
        Skip = skip is null ? null : new NameWords(skip),
        Second = FramePlan.TraceOnly,
    };

    public static FramePlan Trace(string skip) => FramePlan.TraceOnly with { Skip = new NameWords(skip) };

    /// <summary>Where a lock was taken.</summary>
    public static readonly FramePlan LockPlace = new(FramePart.At) { Second = FramePlan.TraceOnly };
}
