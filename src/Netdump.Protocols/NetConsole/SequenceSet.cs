namespace Netdump.Protocols.NetConsole;

/// <summary>
/// The sequence numbers seen in one boot, kept as ranges. Bounded: under a flood of random numbers the closest two ranges are joined,
/// which forgets that the numbers between them are missing.
/// </summary>
public sealed class SequenceSet
{
    /// <summary>Most ranges kept.</summary>
    public const int MaximumRanges = 128;

    // Inclusive bounds, ascending, never adjacent.
    private (ulong First, ulong Last)[] _ranges = [];
    private int _count;

    /// <summary>Ranges at this moment.</summary>
    public int RangeCount => _count;

    /// <summary>Whether a number has been added.</summary>
    public bool Contains(ulong number)
    {
        int at = FindLastFrom(number);
        return at >= 0 && number <= _ranges[at].Last;
    }

    /// <summary>Adds a number; false when it was there.</summary>
    public bool Add(ulong number)
    {
        int at = FindLastFrom(number);
        if (at >= 0 && number <= _ranges[at].Last) return false;
        bool extendsLeft = at >= 0 && _ranges[at].Last + 1 == number;
        bool extendsRight = at + 1 < _count && number + 1 == _ranges[at + 1].First;
        if (extendsLeft && extendsRight)
        {
            _ranges[at].Last = _ranges[at + 1].Last;
            RemoveAt(at + 1);
        }
        else if (extendsLeft)
        {
            _ranges[at].Last = number;
        }
        else if (extendsRight)
        {
            _ranges[at + 1].First = number;
        }
        else
        {
            Insert(at + 1, number);
        }

        return true;
    }

    /// <summary>Forgets everything: a new boot.</summary>
    public void Clear() => _count = 0;

    /// <summary>Index of the last range that begins at or before a number; -1 when none does.</summary>
    private int FindLastFrom(ulong number)
    {
        // Numbers nearly always go on where they ended.
        if (_count > 0 && number >= _ranges[_count - 1].First) return _count - 1;
        int low = 0;
        int high = _count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (_ranges[middle].First <= number) low = middle + 1;
            else high = middle - 1;
        }

        return high;
    }

    private void Insert(int at, ulong number)
    {
        if (_count == MaximumRanges)
        {
            JoinClosest();
            Add(number);
            return;
        }

        if (_count == _ranges.Length) Array.Resize(ref _ranges, Math.Max(4, _count * 2));
        Array.Copy(_ranges, at, _ranges, at + 1, _count - at);
        _ranges[at] = (number, number);
        _count++;
    }

    private void JoinClosest()
    {
        // Not among the highest: there the missing numbers may still be on their way.
        int closest = 0;
        for (int i = 1; i + 1 < _count / 2; i++)
            if (_ranges[i + 1].First - _ranges[i].Last < _ranges[closest + 1].First - _ranges[closest].Last) closest = i;
        _ranges[closest].Last = _ranges[closest + 1].Last;
        RemoveAt(closest + 1);
    }

    private void RemoveAt(int at)
    {
        Array.Copy(_ranges, at + 1, _ranges, at, _count - at - 1);
        _count--;
    }
}
