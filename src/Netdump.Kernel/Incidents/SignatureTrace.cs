using Netdump.Kernel.Symbols;
using Netdump.Kernel.Unwind;

namespace Netdump.Kernel.Incidents;

/// <summary>A stack out of a dump's memory, as a signature sees it.</summary>
public static class SignatureTrace
{
    /// <summary>The frames of a stack with their names.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="stack">One of its stacks.</param>
    public static IReadOnlyList<SignatureFrame> Of(CrashedKernel kernel, KernelStack stack)
    {
        var trace = new List<SignatureFrame>(stack.Frames.Count);
        foreach (StackFrame frame in stack.Frames)
        {
            if (frame.Kind == FrameKind.User)
                break;
            SymbolMatch match = default;
            _ = kernel.Symbols?.TryResolve(frame.Lookup, out match);
            string name = match.Name ?? "";
            // A panic saves registers inside its own functions: no exception came there.
            bool came = frame.Kind == FrameKind.Registers
                && !(trace.Count == 0 && match.Module is null && SignatureNames.IsPanicPath(SignatureNames.Normalise(name)));
            trace.Add(new SignatureFrame(name, match.Module, frame.IsReliable, came));
        }
        return trace;
    }
}
