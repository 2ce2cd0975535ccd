using Netdump.Kernel.Incidents;

namespace Netdump.Kernel.Report.Findings;

/// <summary>The fault itself: its address, the line of the kernel's source, modules at the place, the stack's end.</summary>
internal static class FaultFindings
{
    private const int NearFrames = 3;

    // Taint letters of a module that its kernel's makers did not ship: P, F, C, O, K (tainted-kernels.rst). E alone is every unsigned build.
    private const string Foreign = "PFCOK";

    public static IEnumerable<ReportFinding> Of(CrashFacts facts, IReadOnlyList<ReportFrame> stack, IReadOnlyList<ReportModule> modules)
    {
        if (CrashClass.IsDeliberate(facts.Class))
            yield return Finding.Of("deliberate", Finding.Note, "The crash was asked for: it is kept apart from faults.", null, ("class", facts.Class));
        if (facts is { FaultAddress: { } address, Address: { } meaning })
            yield return Finding.Of(meaning.Id, Finding.Critical, $"The address that could not be used is {meaning.Words}.", "netdump bt FILE", ("address", address), ("access", facts.Access));
        else if (facts.Class == CrashClass.ReadOnlyWrite)
            yield return Finding.Of("fault-wx", Finding.Critical, "Memory that is read-only was written, or memory that holds no code was executed.", "netdump bt FILE", ("address", facts.FaultAddress));
        if (facts.Incident is { SourceLine: { } line, Class: CrashClass.Bug or CrashClass.Warn })
            yield return Finding.Of("bug-line", Finding.Critical, $"The check that failed is at {line} of the kernel's source.", "netdump bt FILE", ("line", facts.Incident.FirstLine), ("source", line));
        if (facts.Class == CrashClass.StackOverflow)
            yield return Finding.Of("stack-overflow", Finding.Critical, "A kernel stack ran over its end: look for the function that repeats, or for large local variables.", "netdump bt FILE", ("sp", facts.Stack?.Frames is [var frame, ..] ? frame.Sp : null));
        foreach (var name in stack.Take(NearFrames).Select(f => f.Module).OfType<string>().Distinct(StringComparer.Ordinal))
        {
            var taint = modules.FirstOrDefault(m => m.Name == name)?.Taint ?? "";
            var foreign = taint.Any(letter => Foreign.Contains(letter, StringComparison.Ordinal));
            yield return Finding.Of(
                "module-on-stack", foreign && !CrashClass.IsDeliberate(facts.Class) ? Finding.Critical : Finding.Note,
                $"The module {name}{(foreign ? ", which did not come with the kernel," : "")} is among the innermost frames.",
                $"netdump mod FILE", ("module", name), ("taint", taint.Length > 0 ? taint : null));
        }
    }
}
