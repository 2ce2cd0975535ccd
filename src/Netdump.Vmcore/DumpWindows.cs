using System.Runtime.InteropServices;

namespace Netdump.Vmcore;

/// <summary>Reads a dump file front to back in large windows, without a copy where the file can be mapped. For one thread.</summary>
/// <remarks>
/// /proc/vmcore is served 4 KiB at a time by read() and whole windows at a time by mmap(), which is ten times faster. Where a window cannot be
/// mapped (fs/proc/vmcore.c: EAGAIN for a range, ENODEV or ENOSYS for the file) it is read instead. A file on a disk is always read: a
/// mapping of a file that someone cuts short would kill the process.
/// </remarks>
public sealed unsafe class DumpWindows : IDisposable
{
    /// <summary>Bytes of a window where nothing else is asked for, aligned to as much in the file.</summary>
    public const int WindowLength = 4 << 20;

    /// <summary>The most bytes one <see cref="Slice"/> may ask for: the largest page.</summary>
    public const int MaximumSlice = 64 << 10;

    private const int ErrorAgain = 11;

    // Two windows: pages that are asked for again lie a little behind the newest ones.
    private readonly Window[] _windows = [new(), new()];
    private readonly DumpBytes _bytes;
    private readonly int _windowLength;
    private byte[]? _straddling;
    private int _latest;

    /// <summary>Creates the reader.</summary>
    /// <param name="bytes">The file; stays the caller's.</param>
    /// <param name="mapped">Whether to map it (for /proc/vmcore); only a plain file can be.</param>
    /// <param name="windowLength">Bytes of a window: a power of two and at least 64 KiB.</param>
    public DumpWindows(DumpBytes bytes, bool mapped, int windowLength = WindowLength)
    {
        _bytes = bytes;
        _windowLength = windowLength;
        IsMapped = mapped && bytes is FileBytes;
    }

    /// <summary>Whether windows are mapped: false from the start for ordinary files, or after the file refused.</summary>
    public bool IsMapped { get; private set; }

    /// <summary>Bytes of the file, shorter than asked only at its end; valid until the next call.</summary>
    /// <param name="offset">Position in the file.</param>
    /// <param name="length">How many, at most <see cref="MaximumSlice"/>.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, MaximumSlice);
        if (offset >= _bytes.Length)
            return default;
        var inWindow = (int)(offset % _windowLength);
        if (inWindow + length > _windowLength)
        {
            _straddling ??= GC.AllocateUninitializedArray<byte>(MaximumSlice);
            return _straddling.AsSpan(0, _bytes.Read(offset, _straddling.AsSpan(0, length)));
        }
        var window = At(offset - inWindow);
        return inWindow >= window.Length ? default : window.Bytes.Slice(inWindow, Math.Min(length, window.Length - inWindow));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var window in _windows)
            window.Release();
    }

    private Window At(long start)
    {
        if (_windows[_latest].Start == start)
            return _windows[_latest];
        _latest ^= 1;
        var window = _windows[_latest];
        if (window.Start != start)
            Fill(window, start);
        return window;
    }

    private void Fill(Window window, long start)
    {
        window.Release();
        var length = (int)Math.Min(_windowLength, _bytes.Length - start);
        if (IsMapped)
        {
            var address = FileMapping.Map(((FileBytes)_bytes).Handle, start, (nuint)length);
            if (address != -1)
            {
                window.SetMapped(start, address, length);
                return;
            }
            if (Marshal.GetLastPInvokeError() != ErrorAgain)
                IsMapped = false;
        }
        window.SetRead(start, _bytes, _windowLength);
    }

    private sealed class Window
    {
        private byte[]? _buffer;
        private nint _mapping;

        public long Start { get; private set; } = -1;

        public int Length { get; private set; }

        public ReadOnlySpan<byte> Bytes => _mapping != 0 ? new ReadOnlySpan<byte>((void*)_mapping, Length) : _buffer.AsSpan(0, Length);

        public void SetMapped(long start, nint mapping, int length)
        {
            _mapping = mapping;
            Length = length;
            Start = start;
        }

        public void SetRead(long start, DumpBytes bytes, int windowLength)
        {
            _buffer ??= GC.AllocateUninitializedArray<byte>((int)Math.Min(windowLength, bytes.Length));
            Length = bytes.Read(start, _buffer);
            Start = start;
        }

        public void Release()
        {
            if (_mapping != 0)
                FileMapping.Unmap(_mapping, (nuint)Length);
            _mapping = 0;
            Length = 0;
            Start = -1;
        }
    }
}
