namespace Netdump.Client.Capture;

/// <summary>
/// Counts what really moves: pages that went out for the first time. A server that breaks off again and again lets the count begin
/// anew only <see cref="MaximumReturns"/> times; after that only pages beyond the farthest point count, so that such a server
/// cannot keep a host for ever.
/// </summary>
public sealed class Movement
{
    /// <summary>How often sending may begin anew and count from its start.</summary>
    public const int MaximumReturns = 3;

    private ulong _last;
    private ulong _farthest;
    private int _returns;

    /// <summary>Takes the bytes sent in the running session so far; gives those that are movement.</summary>
    public ulong Advance(ulong sent)
    {
        if (sent < _last && _returns < MaximumReturns)
        {
            _returns++;
            _farthest = 0;
        }
        _last = sent;
        if (sent <= _farthest) return 0;
        ulong moved = sent - _farthest;
        _farthest = sent;
        return moved;
    }
}
