namespace Netdump.Vmcore.Packed;

/// <summary>A stream whose first bytes were looked at; they come again. Counts what was read.</summary>
internal sealed class PeekedStream : Stream
{
    private readonly Stream _inner;
    private readonly byte[] _start;
    private int _given;

    /// <summary>Reads the first bytes.</summary>
    /// <param name="inner">Is closed with this stream.</param>
    /// <param name="length">How many; fewer only when the stream has no more.</param>
    public PeekedStream(Stream inner, int length)
    {
        _inner = inner;
        var start = new byte[length];
        _start = start[..inner.ReadAtLeast(start, length, throwOnEndOfStream: false)];
    }

    /// <summary>The first bytes.</summary>
    public ReadOnlySpan<byte> Start => _start;

    /// <summary>Bytes read.</summary>
    public long Count { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => Count;
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        int got;
        if (_given < _start.Length)
        {
            got = Math.Min(buffer.Length, _start.Length - _given);
            _start.AsSpan(_given, got).CopyTo(buffer);
            _given += got;
        }
        else
            got = _inner.Read(buffer);
        Count += got;
        return got;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _inner.Dispose();
        base.Dispose(disposing);
    }
}
