namespace Netdump.Protocols.NetConsole;

/// <summary>
/// The offsets of one sender's classic LOG text (redhat-netdump.md 4.5): text is kept in order of arrival, exact copies are dropped,
/// a gap is told once, and offset 0 begins a boot.
/// </summary>
internal sealed class ClassicLog
{
    private const int Remembered = 32;
    private static readonly TimeSpan CopyDelay = TimeSpan.FromSeconds(5);
    private readonly (uint Offset, int Length, int Hash, TimeSpan At)[] _pieces = new (uint, int, int, TimeSpan)[Remembered];
    private int _count;
    private uint _next;

    /// <summary>Takes a piece; false for a copy of one that came within the last seconds.</summary>
    public bool Add(uint offset, ReadOnlySpan<byte> text, TimeSpan now, out BootVerdict boot, out uint missing)
    {
        boot = BootVerdict.Same;
        missing = 0;
        HashCode hasher = default;
        hasher.AddBytes(text);
        int hash = hasher.ToHashCode();
        for (int i = 0; i < Math.Min(_count, Remembered); i++)
            if (_pieces[i].Offset == offset && _pieces[i].Length == text.Length && _pieces[i].Hash == hash && now - _pieces[i].At < CopyDelay) return false;

        // The offset has 32 bits and may wrap: distances, not values, are compared.
        int ahead = unchecked((int)(offset - _next));
        if (offset == 0) boot = BootVerdict.New;
        else if (_count == 0) boot = BootVerdict.First;
        else if (ahead > 0) missing = (uint)ahead;
        if (offset == 0) _count = 0;
        if (_count == 0 || ahead >= 0) _next = unchecked(offset + (uint)text.Length);
        _pieces[_count % Remembered] = (offset, text.Length, hash, now);
        _count = _count == int.MaxValue ? Remembered : _count + 1;
        return true;
    }
}
