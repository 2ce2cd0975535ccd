using System.Globalization;

namespace Netdump.Kernel.Unwind;

/// <summary>Stacks in the form of the crash utility's <c>bt</c> (version 9.0.2), without its header line.</summary>
/// <remarks>
/// Sleeping tasks come out byte for byte. Of one that ran, crash also shows the frames of the crash itself, which it finds by searching
/// the stack; here are those from the saved registers on.
/// </remarks>
public static class CrashStackText
{
    /// <summary>Writes the frames of a stack.</summary>
    public static void Write(CrashedKernel kernel, KernelStack stack, TextWriter output)
    {
        var number = 0;
        for (var i = 0; i < stack.Frames.Count; i++)
        {
            var frame = stack.Frames[i];
            if (frame.Kind is FrameKind.User or FrameKind.Registers)
            {
                if (frame.Kind == FrameKind.Registers)
                    output.Write($"    [exception RIP: {Place(kernel, frame)}]\n");
                StackText.WriteRegisters(stack.RegistersAt(i), output);
                continue;
            }
            var (name, module) = Name(kernel, frame);
            output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{$"#{number++}",3} [{frame.Sp - 8:x16}] {(frame.IsReliable ? "" : "? ")}{name} at {frame.Pc:x16}{(module is null ? "" : $" [{module}]")}\n"));
        }
        if (stack.Frames.Count == 0 && stack.Stopped is not null)
            output.Write($"    (no stack: {stack.Stopped})\n");
    }

    private static (string Name, string? Module) Name(CrashedKernel kernel, StackFrame frame) =>
        kernel.Symbols is { } symbols && symbols.TryResolve(frame.Lookup, out var match)
            ? (match.Name, match.Module)
            : ("(unknown)", null);

    private static string Place(CrashedKernel kernel, StackFrame frame) =>
        kernel.Symbols is { } symbols && symbols.TryResolve(frame.Pc, out var match)
            ? string.Create(CultureInfo.InvariantCulture, $"{match.Name}+{frame.Pc - match.Start}")
            : $"unknown or invalid address: {frame.Pc:x}";
}
