namespace Netdump.Kernel.Unwind;

/// <summary>A stack of the kernel.</summary>
/// <param name="Start">Its lowest address.</param>
/// <param name="End">Behind its highest.</param>
/// <param name="Mark">As the kernel's log marks its frames: TASK, IRQ, NMI, #DF ...</param>
internal readonly record struct StackArea(ulong Start, ulong End, string Mark)
{
    /// <summary>Whether a stack pointer is of this stack: an empty one points behind it.</summary>
    public bool HasPointer(ulong sp) => sp > Start && sp <= End;

    /// <summary>
    /// Whether a stack pointer ran over the low end of this stack of a task into the page that guards it: a stack overflow, whose caller's
    /// frame is on the stack still.
    /// </summary>
    public bool IsOverrunAt(ulong sp) => Mark == "TASK" && sp <= Start && Start - sp < GuardSize;

    // A page; with CONFIG_VMAP_STACK none is mapped there.
    private const ulong GuardSize = 4096;
}

/// <summary>The stacks that one walk may be on. A stack that was left is not entered again.</summary>
internal sealed class StackAreas
{
    private readonly IReadOnlyList<StackArea> _areas;
    private readonly bool _isComplete;
    private readonly HashSet<ulong> _left = [];
    private StackArea? _current;
    private ulong _sp;

    /// <param name="areas">The stacks that are known.</param>
    /// <param name="isComplete">Whether there can be no others; else an address that none has is believed as long as it grows.</param>
    public StackAreas(IReadOnlyList<StackArea> areas, bool isComplete)
    {
        _areas = areas;
        _isComplete = isComplete;
    }

    /// <summary>Mark of the stack that the walk is on.</summary>
    public string? Mark => _current?.Mark;

    /// <summary>Where the current stack ends; 64 KiB on, when it is not known.</summary>
    public ulong End => _current?.End ?? unchecked(_sp + 0x10000 < _sp ? ulong.MaxValue : _sp + 0x10000);

    /// <summary>The mark for a stack pointer.</summary>
    public string? MarkOf(ulong sp) => Find(sp)?.Mark;

    /// <summary>Begins, or goes on, at a stack pointer.</summary>
    /// <returns>Null, or why a walk cannot have come there.</returns>
    public string? Enter(ulong sp)
    {
        var area = Find(sp);
        if (area is null && (_isComplete || sp < 0x8000_0000_0000_0000))
            return $"the stack pointer 0x{sp:x} is on no stack of this task";
        if (_sp != 0 && area == _current && sp <= _sp)
            return $"the stack pointer goes back from 0x{_sp:x} to 0x{sp:x}";
        if (area != _current)
        {
            if (_current is { } left)
                _left.Add(left.Start);
            if (area is { } next && _left.Contains(next.Start))
                return $"the stack pointer 0x{sp:x} is on a stack that was left before";
        }
        (_current, _sp) = (area, sp);
        return null;
    }

    /// <summary>Whether words may be read there.</summary>
    public bool MayRead(ulong address)
    {
        if (!_isComplete)
            return address >= 0x8000_0000_0000_0000;
        foreach (var area in _areas)
            if (address >= area.Start && address < area.End)
                return true;
        return false;
    }

    private StackArea? Find(ulong sp)
    {
        foreach (var area in _areas)
            if (area.HasPointer(sp))
                return area;
        foreach (var area in _areas)
            if (area.IsOverrunAt(sp))
                return area;
        return null;
    }
}
