namespace Netdump.Kernel.Unwind;

/// <summary>What a frame's program counter is.</summary>
public enum FrameKind
{
    /// <summary>Where a function that was called will return to.</summary>
    Call,

    /// <summary>Where the processor was: when it died, or when an exception or interrupt came. Exact, no return address.</summary>
    Registers,

    /// <summary>Where the process was in user mode; the last frame.</summary>
    User,

    /// <summary>Found by the call instruction before it, since the function inside says nothing about its stack (<c>__crash_kexec</c>).</summary>
    Recovered,

    /// <summary>A word on the stack that looks like a return address, and may be a stale one: to be shown with a <c>?</c>.</summary>
    Guess,
}

/// <summary>One frame of a stack.</summary>
/// <param name="Pc">Program counter. That of a function that called another is where it goes on: look its name up at Pc - 1.</param>
/// <param name="Sp">Stack pointer when the function that was called has returned; a return address lies 8 bytes below on x86_64.</param>
/// <param name="Kind">What the program counter is.</param>
/// <param name="IsReliable">False for guesses and all frames beyond one.</param>
/// <param name="IsReturnAddress">Whether to look up one byte before <paramref name="Pc"/>.</param>
public readonly record struct StackFrame(ulong Pc, ulong Sp, FrameKind Kind, bool IsReliable, bool IsReturnAddress)
{
    /// <summary>Address to look the function's name up at: a call may be the last instruction of its function.</summary>
    public ulong Lookup => IsReturnAddress && Pc > 0 ? Pc - 1 : Pc;

    /// <summary>Which stack it lies on, as the kernel's log marks it: TASK, IRQ, NMI, #DF, #DB, #MC, #VC; null for user mode, or when it is not known.</summary>
    public string? Stack { get; init; }
}

/// <summary>The calls that a task or processor was in, from the innermost.</summary>
public sealed class KernelStack
{
    private readonly IReadOnlyDictionary<int, FrameRegisters> _registers;

    internal KernelStack(IReadOnlyList<StackFrame> frames, IReadOnlyDictionary<int, FrameRegisters> registers, string? stopped)
    {
        Frames = frames;
        _registers = registers;
        Stopped = stopped;
    }

    /// <summary>The frames, innermost first.</summary>
    public IReadOnlyList<StackFrame> Frames { get; }

    /// <summary>Why the walk stopped before the stack's end, in words for a reader; null when it came to the end.</summary>
    public string? Stopped { get; }

    /// <summary>Indices of the frames whose registers are known, innermost first.</summary>
    public IEnumerable<int> FramesWithRegisters => _registers.Keys.Order();

    /// <summary>The registers at a frame of kind Registers or User; null when they are not known.</summary>
    public FrameRegisters? RegistersAt(int frame) => _registers.GetValueOrDefault(frame);

    /// <summary>The same stack without the process's own frame.</summary>
    public KernelStack WithoutUser() => Frames.Count > 0 && Frames[^1].Kind == FrameKind.User ? new([.. Frames.SkipLast(1)], _registers, Stopped) : this;

    /// <summary>A stack without frames.</summary>
    internal static KernelStack None(string why) => new([], new Dictionary<int, FrameRegisters>(), why);
}
