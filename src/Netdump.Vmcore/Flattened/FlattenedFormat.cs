using System.Buffers.Binary;

namespace Netdump.Vmcore.Flattened;

/// <summary>The flattened format (makedumpfile -F): after a header of 4096 bytes records of offset, size and bytes; all integers big-endian.</summary>
internal static class FlattenedFormat
{
    public const int FileHeaderLength = 4096;

    public const int RecordHeaderLength = 16;

    /// <summary>A dump's bytes may not lie beyond this: a hostile record could name 2^62.</summary>
    public const long LongestDump = 1L << 52;

    public static ReadOnlySpan<byte> Signature => "makedumpfile\0\0\0\0"u8;

    public static byte[] FileHeader()
    {
        var header = new byte[FileHeaderLength];
        Signature.CopyTo(header);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(16), 1); // type
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(24), 1); // version
        return header;
    }

    /// <summary>Checks type and version.</summary>
    /// <exception cref="VmcoreFormatException">Another type or version than 1, or no flattened stream.</exception>
    public static void CheckFileHeader(ReadOnlySpan<byte> header)
    {
        if (!header.StartsWith(Signature))
            throw new VmcoreFormatException(0, "not a flattened dump");
        if (header.Length < FileHeaderLength)
            throw new VmcoreFormatException(header.Length, $"the flattened dump ends inside its header of {FileHeaderLength} bytes");
        var type = BinaryPrimitives.ReadInt64BigEndian(header[16..]);
        if (type != 1)
            throw new VmcoreFormatException(16, $"flattened dump of type {type}, 1 is known");
        var version = BinaryPrimitives.ReadInt64BigEndian(header[24..]);
        if (version != 1)
            throw new VmcoreFormatException(24, $"flattened dump of version {version}, 1 is known");
    }

    /// <summary>Reads a record's header.</summary>
    /// <param name="header">16 bytes.</param>
    /// <param name="at">Where they stand in the stream, for errors.</param>
    /// <param name="offset">Where the record's bytes belong in the dump.</param>
    /// <param name="size">How many they are.</param>
    /// <returns>False for the end mark.</returns>
    /// <exception cref="VmcoreFormatException">A negative offset, no bytes, or bytes beyond any dump.</exception>
    public static bool ReadRecord(ReadOnlySpan<byte> header, long at, out long offset, out long size)
    {
        offset = BinaryPrimitives.ReadInt64BigEndian(header);
        size = BinaryPrimitives.ReadInt64BigEndian(header[8..]);
        if (offset == -1 && size == -1)
            return false;
        if (offset < 0)
            throw new VmcoreFormatException(at, $"flattened record at dump offset {offset}");
        if (size <= 0)
            throw new VmcoreFormatException(at + 8, $"flattened record of {size} bytes");
        if (offset > LongestDump || size > LongestDump - offset)
            throw new VmcoreFormatException(at, $"flattened record of {size} bytes at dump offset 0x{offset:x}, beyond any dump");
        return true;
    }
}
