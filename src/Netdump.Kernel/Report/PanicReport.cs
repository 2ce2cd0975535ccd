using Netdump.Kernel.Code;
using Netdump.Kernel.Incidents;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Report;

/// <summary>The panic or oops in the report's form.</summary>
internal sealed class PanicReport(CrashedKernel? kernel, CrashFacts facts, StackReport? stacks)
{
    /// <summary>The stack from the frame to blame outwards; from the log where memory has none.</summary>
    public IReadOnlyList<ReportFrame> Blamed() => facts.CulpritStack is { Frames.Count: > 0 } culprit && stacks is not null ? stacks.Frames(culprit) : facts.Stack is { Frames.Count: > 0 } stack && stacks is not null
        ? [.. stacks.Frames(stack).Skip(facts.BlamedFrame)]
        : Logged();

    public ReportPanic Panic()
    {
        var fromMemory = facts.Stack is { Frames.Count: > 0 } && stacks is not null;
        IReadOnlyList<ReportFrame> stack = fromMemory ? stacks!.Frames(facts.Stack!) : Logged();
        FrameRegisters? registers = facts.Stack?.RegistersAt(facts.BlamedFrame);
        return new ReportPanic
        {
            Text = facts.Incident?.Head.Trim(),
            PanicText = facts.Incident?.PanicText is { } text ? $"Kernel panic - not syncing: {text}" : null,
            Cpu = facts.Cpu ?? facts.Incident?.Cpu,
            Where = facts.CulpritStack is null && stack.Count > facts.BlamedFrame && stack[facts.BlamedFrame] is { Symbol: { } symbol, Offset: var offset } ? $"{symbol}+0x{offset:x}" : null,
            Registers = registers is not null ? registers.All.ToDictionary(r => r.Key, r => $"0x{r.Value:x}", StringComparer.Ordinal)
                : facts.Incident is { Registers.Count: > 0 } said ? said.Registers.DistinctBy(r => r.Key).ToDictionary(r => r.Key, r => $"0x{r.Value:x}", StringComparer.Ordinal) : null,
            Code = registers is not null && kernel is not null ? CodeOf(kernel, registers, facts.Cpu) : [],
            Stack = stack,
            Source = fromMemory ? "memory" : "log",
        };
    }

    public ReportFault? Fault() => facts.FaultAddress is { } address
        ? new ReportFault($"0x{address:x}", facts.Access, facts.Address?.Words
            ?? (kernel is { Machine: Machines.X64 } && facts.Incident?.ErrorCode is { } code ? PageFaultError.Words(code) : "an address where nothing is mapped, or that may not be used so"))
        : null;

    private IReadOnlyList<ReportFrame> Logged() => facts.Incident is null ? []
        : [.. facts.Incident.Trace.Select(f => new ReportFrame(null, f.Name.Length > 0 ? f.Name : null, (long)f.Offset, f.Module, f.IsReliable, f.IsReliable ? "log" : "scan"))];

    // The instruction that failed is marked, with the memory it touched by the registers.
    private static IReadOnlyList<string> CodeOf(CrashedKernel kernel, FrameRegisters registers, int? cpu) => CodeAround.Of(kernel, registers, cpu) is not { } code ? []
        : [.. code.Lines.Select(l => $"{(l.IsCurrent ? '>' : ' ')} {l.Address:x16}  {l.Text ?? Convert.ToHexStringLower(l.Bytes.Span)}"
            + (l.IsCurrent ? string.Concat(code.Operands.Select(o => $"   <- {o.Text} = 0x{o.Address:x}")) : ""))];
}
