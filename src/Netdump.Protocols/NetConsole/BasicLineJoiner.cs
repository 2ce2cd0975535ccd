namespace Netdump.Protocols.NetConsole;

/// <summary>
/// Puts lines together again that one sender's basic datagrams cut at 1000 bytes: a datagram without a closing newline is continued
/// by the next one that does not begin like a record, if it comes within <see cref="PieceTimeout"/> (netconsole.md 2.2).
/// </summary>
public sealed class BasicLineJoiner
{
    /// <summary>How long the rest of a cut line is waited for.</summary>
    public static readonly TimeSpan PieceTimeout = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A line longer than this is delivered in parts. No kernel prints one half as long (netconsole.md 2.1), and it is what each of many
    /// thousand made-up senders may make us hold.
    /// </summary>
    public const int MaximumPending = 8 * 1024;

    private byte[] _pending = [];
    private byte[] _spare = [];
    private int _length;
    private TimeSpan _pendingAt;

    /// <summary>When an unfinished line is given up; <see cref="TimeSpan.MaxValue"/> without one.</summary>
    public TimeSpan NextDeadline => _length == 0 ? TimeSpan.MaxValue : _pendingAt + PieceTimeout;

    /// <summary>Whether a line is unfinished and may still go on.</summary>
    public bool IsPending(TimeSpan now) => _length > 0 && now < _pendingAt + PieceTimeout;

    /// <summary>
    /// Takes a datagram and returns the lines that are complete now, each ended by a newline (but for the last of an overlong datagram).
    /// Both spans are valid until the next call.
    /// </summary>
    /// <param name="datagram">Raw text.</param>
    /// <param name="now">Time of arrival.</param>
    /// <param name="abandoned">An unfinished line from before that this datagram does not continue, without a newline; mostly empty.</param>
    public ReadOnlySpan<byte> Add(ReadOnlySpan<byte> datagram, TimeSpan now, out ReadOnlySpan<byte> abandoned)
    {
        abandoned = default;
        if (_length > 0)
        {
            if (IsPending(now) && !BeginsRecord(datagram) && _length + datagram.Length <= MaximumPending) return Continue(datagram, now);
            abandoned = TakePending();
        }

        int end = datagram.LastIndexOf((byte)'\n') + 1;
        if (datagram.Length - end > MaximumPending) end = datagram.Length;
        Keep(datagram[end..], now);
        return datagram[..end];
    }

    /// <summary>Yields an unfinished line whose time has come, or any with <paramref name="now"/> at its maximum.</summary>
    public bool TryTakeExpired(TimeSpan now, out ReadOnlySpan<byte> line)
    {
        line = default;
        if (_length == 0 || IsPending(now)) return false;
        line = TakePending();
        return true;
    }

    private static bool BeginsRecord(ReadOnlySpan<byte> datagram)
    {
        int newline = datagram.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = newline < 0 ? datagram : datagram[..newline];
        return BasicLine.Parse(line).HasPrefix || BasicLine.TryReadDropped(line, out _);
    }

    private ReadOnlySpan<byte> Continue(ReadOnlySpan<byte> datagram, TimeSpan now)
    {
        int before = _length;
        Reserve(before + datagram.Length);
        datagram.CopyTo(_pending.AsSpan(before));
        int length = before + datagram.Length;
        int end = _pending.AsSpan(before, datagram.Length).LastIndexOf((byte)'\n') + 1;
        if (end == 0)
        {
            _length = length;
            _pendingAt = now;
            return default;
        }

        ReadOnlySpan<byte> joined = TakePending(length);
        ReadOnlySpan<byte> tail = joined[(before + end)..];
        Keep(tail, now);
        return joined[..(before + end)];
    }

    /// <summary>Hands the pending bytes out and goes on with the other buffer, so that both can be used until the next call.</summary>
    private ReadOnlySpan<byte> TakePending() => TakePending(_length);

    private ReadOnlySpan<byte> TakePending(int length)
    {
        (_pending, _spare) = (_spare, _pending);
        _length = 0;
        return _spare.AsSpan(0, length);
    }

    private void Keep(ReadOnlySpan<byte> tail, TimeSpan now)
    {
        if (tail.IsEmpty) return;
        Reserve(tail.Length);
        tail.CopyTo(_pending);
        _length = tail.Length;
        _pendingAt = now;
    }

    private void Reserve(int length)
    {
        if (_pending.Length < length) Array.Resize(ref _pending, Math.Max(1024, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length)));
    }
}
