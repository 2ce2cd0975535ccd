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
            _ = kernel.Symbols?.TryResolve(frame.IsReturnAddress ? frame.Pc - 1 : frame.Pc, out match);
            string name = match.Name ?? "";
            // A panic saves registers inside its own functions: no exception came there.
            bool came = frame.Kind == FrameKind.Registers
                && !(trace.Count == 0 && match.Module is null && SignatureNames.IsPanicPath(SignatureNames.Normalise(name)));
            trace.Add(new SignatureFrame(name, match.Module, frame.IsReliable, came));
        }
        return trace;
    }

    /// <summary>The frames of a signature, from the stack of the processor that crashed; empty when it cannot be walked.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="word">The crash's class.</param>
    /// <param name="hung">Of hung tasks the PID of the one to blame, whose stack it is then.</param>
    public static IReadOnlyList<string> FramesOfCrash(CrashedKernel kernel, string word, int? hung = null)
    {
        if (word == CrashClass.HungTask)
        {
            return hung is { } pid && kernel.Tasks.Find(pid) is { } task && kernel.Unwinder is { } walker
                ? SignatureFrames.Of(word, Of(kernel, walker.Of(task.Address))) : [];
        }
        int? cpu = kernel.Facts.Panic.CrashingProcessor ?? kernel.Facts.Panic.Processor;
        return cpu is { } number && kernel.Unwinder is { } unwinder ? SignatureFrames.Of(word, Of(kernel, unwinder.OfProcessor(number))) : [];
    }
}
