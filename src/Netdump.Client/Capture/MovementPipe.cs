using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Capture;

/// <summary>
/// The child's end of the pipe to pid 1: how much was moved so far, as u64 little-endian, told at most five times a second.
/// A full pipe is no loss: the next number holds the whole.
/// </summary>
public sealed class MovementWriter(SafeFileHandle pipe)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private TimeSpan _next;
    private ulong _total;

    /// <summary>Adds what was moved.</summary>
    public void Add(ulong amount, TimeSpan now)
    {
        _total += amount;
        if (amount == 0 || now < _next) return;
        _next = now + Interval;
        Span<byte> number = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(number, _total);
        _ = Descriptors.Write(pipe, number);
    }
}

/// <summary>pid 1's end.</summary>
public sealed class MovementReader(SafeFileHandle pipe) : IDisposable
{
    private readonly byte[] _buffer = new byte[sizeof(ulong) * 64];

    /// <summary>The descriptor, to wait on.</summary>
    public SafeFileHandle Pipe => pipe;

    /// <summary>Reads what is there.</summary>
    /// <param name="total">The newest number, 0 when none came.</param>
    /// <returns>False when the child's end is closed: it ended.</returns>
    public bool TryRead(out ulong total)
    {
        total = 0;
        while (true)
        {
            int got = Descriptors.Read(pipe, _buffer);
            if (got <= 0) return got == -Errno.Again || got == -Errno.Interrupted;
            if (got >= sizeof(ulong)) total = BinaryPrimitives.ReadUInt64LittleEndian(_buffer.AsSpan(got / sizeof(ulong) * sizeof(ulong) - sizeof(ulong)));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => pipe.Dispose();
}
