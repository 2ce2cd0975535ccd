using Microsoft.Win32.SafeHandles;

namespace Netdump.Vmcore.Output;

/// <summary>Writes a dump to a part of a block device. What lay there before shows nowhere: gaps are filled with zeros.</summary>
/// <param name="device">Open for writing; stays the caller's.</param>
/// <param name="start">Where the dump begins, in bytes.</param>
/// <param name="room">Bytes it may have.</param>
public sealed class DeviceOutput(SafeFileHandle device, long start, long room) : DumpOutput
{
    private const int ZeroPiece = 1 << 16;
    private static readonly byte[] Zeros = new byte[ZeroPiece];

    /// <summary>Bytes of the dump so far.</summary>
    public long Length { get; private set; }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        Extend(offset);
        if (offset > room - bytes.Length) throw new IOException($"the device has room for {room} bytes of dump, and it has more");
        RandomAccess.Write(device, bytes, start + offset);
        Length = Math.Max(Length, offset + bytes.Length);
        BytesWritten += bytes.Length;
    }

    /// <inheritdoc/>
    public override void Extend(long length)
    {
        if (length > room) throw new IOException($"the device has room for {room} bytes of dump, and it has more");
        while (Length < length)
        {
            int piece = (int)Math.Min(ZeroPiece, length - Length);
            RandomAccess.Write(device, Zeros.AsSpan(0, piece), start + Length);
            Length += piece;
        }
    }

    /// <inheritdoc/>
    public override void Finish() => RandomAccess.FlushToDisk(device);

    /// <summary>Does nothing: the device stays the caller's.</summary>
    public override void Dispose()
    {
    }
}
