namespace Netdump.Kernel.Unwind;

/// <summary>The frames of a walk as it finds them, at most so many.</summary>
internal sealed class WalkFrames
{
    /// <summary>The most frames of one stack: more than any real one has.</summary>
    public const int Maximum = 500;

    private readonly List<StackFrame> _frames = [];
    private readonly Dictionary<int, FrameRegisters> _registers = [];

    public bool IsFull => _frames.Count >= Maximum;

    public int Count => _frames.Count;

    public void Add(StackFrame frame, FrameRegisters? registers = null)
    {
        if (registers is not null)
            _registers.Add(_frames.Count, registers);
        _frames.Add(frame);
    }

    /// <summary>The stack, when the walk has ended.</summary>
    /// <param name="stopped">Why before the stack's end; null at its end.</param>
    public KernelStack ToStack(string? stopped) => new(_frames, _registers, stopped);
}
