using System.Buffers.Binary;
using Netdump.Vmcore.Flattened;

namespace Netdump.Vmcore.Output;

/// <summary>Writes a dump as a flattened stream, for a pipe or a socket (<c>makedumpfile -R</c> makes a file of it).</summary>
public sealed class FlattenedOutput : DumpOutput
{
    /// <summary>The most bytes of a record that makedumpfile itself writes; larger ones are cut.</summary>
    private const int LongestRecord = 64 << 10;

    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private readonly byte[] _record = new byte[FlattenedFormat.RecordHeaderLength];
    private bool _begun;

    /// <summary>Writes to a stream.</summary>
    /// <param name="stream">Need not seek.</param>
    /// <param name="leaveOpen">Whether the stream outlives this output.</param>
    public FlattenedOutput(Stream stream, bool leaveOpen = false)
    {
        _stream = stream;
        _leaveOpen = leaveOpen;
    }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        Begin();
        while (!bytes.IsEmpty)
        {
            var part = bytes[..Math.Min(bytes.Length, LongestRecord)];
            WriteRecord(offset, part.Length);
            _stream.Write(part);
            BytesWritten += part.Length;
            offset += part.Length;
            bytes = bytes[part.Length..];
        }
    }

    /// <summary>Does nothing: what no record covers is zero, and the dumps that are written end with bytes.</summary>
    public override void Extend(long length)
    {
    }

    /// <inheritdoc/>
    public override void Finish()
    {
        Begin();
        WriteRecord(-1, -1);
        _stream.Flush();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (!_leaveOpen)
            _stream.Dispose();
    }

    private void Begin()
    {
        if (_begun)
            return;
        _begun = true;
        _stream.Write(FlattenedFormat.FileHeader());
        BytesWritten += FlattenedFormat.FileHeaderLength;
    }

    private void WriteRecord(long offset, long size)
    {
        BinaryPrimitives.WriteInt64BigEndian(_record, offset);
        BinaryPrimitives.WriteInt64BigEndian(_record.AsSpan(8), size);
        _stream.Write(_record);
        BytesWritten += _record.Length;
    }
}
