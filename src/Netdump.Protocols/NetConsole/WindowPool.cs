using System.Numerics;

namespace Netdump.Protocols.NetConsole;

/// <summary>
/// Memory for records that wait for their turn, shared by all streams of one thread: bounded as a whole and reused, so that neither
/// steady disorder nor a flood of random numbers costs more. Not thread-safe.
/// </summary>
public sealed class WindowPool
{
    // Buffers of 256 bytes to 128 KiB; a longer datagram, of many holes, does not wait.
    private const int SmallestBits = 8;
    private const int LargestBits = 17;
    private const int SpareLimit = 2 * 1024 * 1024;
    private const int SpareWindows = 64;

    private readonly Stack<byte[]>[] _spares = new Stack<byte[]>[LargestBits - SmallestBits + 1];
    private readonly Stack<OrderWindow> _windows = new();
    private readonly int _limit;
    private int _spareBytes;

    /// <summary>A pool that hands out at most <paramref name="limit"/> bytes at a time.</summary>
    public WindowPool(int limit = 32 * 1024 * 1024)
    {
        _limit = limit;
        for (int i = 0; i < _spares.Length; i++) _spares[i] = new Stack<byte[]>();
    }

    /// <summary>Bytes handed out at this moment, bookkeeping included.</summary>
    public int Used { get; private set; }

    /// <summary>A buffer of at least this many bytes; null when it would be too long or the limit is reached.</summary>
    internal byte[]? TryRent(int length)
    {
        int bits = BitsOf(length);
        if (bits > LargestBits || !TryCharge(1 << bits)) return null;
        if (!_spares[bits - SmallestBits].TryPop(out byte[]? spare)) return new byte[1 << bits];
        _spareBytes -= spare.Length;
        return spare;
    }

    internal void Return(byte[] buffer)
    {
        Used -= buffer.Length;
        if (_spareBytes + buffer.Length > SpareLimit) return;
        _spareBytes += buffer.Length;
        _spares[BitsOf(buffer.Length) - SmallestBits].Push(buffer);
    }

    /// <summary>An empty window; null when the limit is reached.</summary>
    internal OrderWindow? TryRentWindow()
    {
        bool spare = _windows.TryPeek(out OrderWindow? window);
        window ??= new OrderWindow(this);
        if (!TryCharge(window.OwnBytes)) return null;
        if (spare) _windows.Pop();
        return window;
    }

    internal void Return(OrderWindow window)
    {
        Used -= window.OwnBytes;
        if (_windows.Count < SpareWindows) _windows.Push(window);
    }

    internal bool TryCharge(int bytes)
    {
        if (Used > _limit - bytes) return false;
        Used += bytes;
        return true;
    }

    private static int BitsOf(int length) => Math.Max(SmallestBits, 32 - BitOperations.LeadingZeroCount((uint)Math.Max(length, 1) - 1));
}
