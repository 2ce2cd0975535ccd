using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Flattened;

/// <summary>Arranges a flattened stream while it comes in: each record goes to its place, so memory is bounded however long the stream is.</summary>
public static class FlattenedArranger
{
    private const int BufferLength = 256 << 10;

    /// <summary>Reads a stream up to its end mark, or to its end.</summary>
    /// <param name="stream">The flattened stream from its first byte.</param>
    /// <param name="output">Takes the bytes of the dump.</param>
    /// <param name="limit">Bytes of the dump at most: a record beyond is refused before it is written.</param>
    /// <param name="progress">Is told bytes received, now and then; how many are to come nobody knows.</param>
    /// <returns>Whether the end mark came: without it the dump is incomplete.</returns>
    /// <exception cref="VmcoreFormatException">The stream is not flattened, or a record cannot be.</exception>
    /// <exception cref="IOException">The stream or the output failed.</exception>
    public static bool Arrange(Stream stream, DumpOutput output, long limit = FlattenedFormat.LongestDump, Action<long>? progress = null)
    {
        var buffer = new byte[BufferLength];
        var at = (long)stream.ReadAtLeast(buffer.AsSpan(0, FlattenedFormat.FileHeaderLength), FlattenedFormat.FileHeaderLength, throwOnEndOfStream: false);
        FlattenedFormat.CheckFileHeader(buffer.AsSpan(0, (int)at));
        var header = new byte[FlattenedFormat.RecordHeaderLength];
        while (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) == header.Length)
        {
            if (!FlattenedFormat.ReadRecord(header, at, out var offset, out var size))
                return true;
            if (offset > limit || size > limit - offset)
                throw new VmcoreFormatException(at, $"flattened record of {size} bytes at dump offset 0x{offset:x}, {limit} bytes are allowed");
            at += header.Length;
            for (var left = size; left > 0;)
            {
                var got = stream.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
                if (got == 0)
                    return false;
                output.Write(offset, buffer.AsSpan(0, got));
                (offset, left, at) = (offset + got, left - got, at + got);
            }
            progress?.Invoke(at);
        }
        return false;
    }
}
