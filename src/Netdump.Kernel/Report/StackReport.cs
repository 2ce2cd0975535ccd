using Netdump.Kernel.Symbols;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Report;

/// <summary>Stacks in the report's form.</summary>
internal sealed class StackReport(CrashedKernel kernel)
{
    private readonly KernelSymbols? _symbols = kernel.Symbols;
    private readonly string _walk = kernel.Machine == Machines.X64 ? "orc" : "frame-pointer";

    /// <summary>All frames, innermost first.</summary>
    public IReadOnlyList<ReportFrame> Frames(KernelStack stack)
    {
        var frames = new ReportFrame[stack.Frames.Count];
        for (var i = 0; i < frames.Length; i++)
            frames[i] = Frame(stack.Frames[i]);
        return frames;
    }

    /// <summary>One frame.</summary>
    public ReportFrame Frame(in StackFrame frame)
    {
        var pc = $"0x{frame.Pc:x}";
        var trust = frame.Kind switch
        {
            FrameKind.Registers => "registers",
            FrameKind.User => "user",
            FrameKind.Recovered => "recovered",
            FrameKind.Guess => "scan",
            _ => _walk,
        };
        if (frame.Kind == FrameKind.User || _symbols is null
            || !_symbols.TryResolve(frame.Lookup, out SymbolMatch match))
            return new ReportFrame(pc, null, null, null, frame.IsReliable, trust);
        return new ReportFrame(pc, match.Name, (long)(frame.Pc - match.Start), match.Module, frame.IsReliable, trust);
    }

    /// <summary>Name of the function a frame is in; null when it is not known.</summary>
    public string? NameOf(in StackFrame frame) => _symbols is not null && _symbols.TryResolve(frame.Lookup, out SymbolMatch match) ? match.Name : null;
}
