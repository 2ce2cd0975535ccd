namespace Netdump.Vmcore.Memory;

/// <summary>How a walk along a list ended.</summary>
public enum ListEnd
{
    /// <summary>It goes on.</summary>
    None,

    /// <summary>Back at the head: the list is whole.</summary>
    Head,

    /// <summary>An entry was met again that is not the head: the list is corrupt, or was being changed.</summary>
    Cycle,

    /// <summary>An entry's next pointer could not be read.</summary>
    Unreadable,

    /// <summary>More entries than the caller wanted to follow.</summary>
    TooLong,
}

/// <summary>One walk along a circular list of the kernel (linux/types.h, struct list_head: next at 0, prev at 8).</summary>
/// <remarks>
/// A dump's lists may be caught half changed or be hostile. The walk ends after at most the given number of entries, and a cycle that
/// leaves the head out is seen by Brent's method, in constant memory, within three times its length.
/// </remarks>
public struct ListWalk
{
    private readonly KernelMemory _memory;
    private readonly ulong _head;
    private readonly int _maximum;
    private ulong _landmark;
    private int _untilLandmark;
    private int _stride;
    private int _count;

    internal ListWalk(KernelMemory memory, ulong head, int maximum)
    {
        _memory = memory;
        _head = Current = head;
        _maximum = maximum;
        _stride = _untilLandmark = 1;
        _landmark = head;
    }

    /// <summary>Address of the entry's list_head, after <see cref="MoveNext"/> said true.</summary>
    public ulong Current { get; private set; }

    /// <summary>How the walk ended; None while it goes on.</summary>
    public ListEnd End { get; private set; }

    /// <summary>Goes to the next entry.</summary>
    public bool MoveNext()
    {
        if (End != ListEnd.None)
            return false;
        if (!_memory.TryReadUInt64(Current, out var next))
            End = ListEnd.Unreadable;
        else if (next == _head)
            End = ListEnd.Head;
        else if (next == _landmark)
            End = ListEnd.Cycle;
        else if (_count == _maximum)
            End = ListEnd.TooLong;
        if (End != ListEnd.None)
            return false;
        _count++;
        Current = next;
        if (--_untilLandmark == 0)
        {
            _landmark = next;
            _untilLandmark = _stride = Math.Min(_stride, 1 << 29) * 2;
        }
        return true;
    }
}
