using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Threading.Channels;

namespace Netdump.Client.Send.Secure;

/// <summary>
/// The vmcore on its way into blocks. Whoever writes waits while all blocks are unacknowledged, so a slow network holds everything back and memory
/// stays bounded. What the server had from an earlier process is made again, digested and not sent. One thread writes, one task takes blocks.
/// </summary>
internal sealed class BlockStream : Stream
{
    private readonly BlockingCollection<UploadBlock> _free = [];
    private readonly Channel<UploadBlock> _filled = Channel.CreateUnbounded<UploadBlock>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly IncrementalHash _digests = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly long _had;
    private readonly Action _wait;
    private readonly TimeSpan _interval;
    private UploadBlock? _block;
    private long _length;
    private long _blocks;
    private bool _isCounted = true;

    /// <summary>Begins the stream.</summary>
    /// <param name="blocks">The memory to use, at least two blocks.</param>
    /// <param name="had">Bytes that the server has already.</param>
    /// <param name="wait">Is called while a writer waits, every <paramref name="interval"/>; throws to end the wait.</param>
    /// <param name="interval">How often.</param>
    public BlockStream(IEnumerable<UploadBlock> blocks, long had, Action wait, TimeSpan interval)
    {
        foreach (UploadBlock block in blocks) _free.Add(block);
        _had = had;
        _wait = wait;
        _interval = interval;
    }

    /// <summary>Pages of memory that have gone into the stream.</summary>
    public ulong Pages { get; set; }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => _length;

    /// <inheritdoc/>
    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int count = Math.Min(buffer.Length, Room.Length);
            buffer[..count].CopyTo(Room);
            buffer = buffer[count..];
            Advance(count);
        }
    }

    /// <summary>Where the next bytes go, for those who read into it instead of writing a copy; never empty.</summary>
    public Span<byte> Room => (_block ??= Rent()).Room;

    /// <summary>So many bytes were put at <see cref="Room"/>.</summary>
    public void Advance(int count)
    {
        _block!.Advance(count);
        _length += count;
        if (_block.IsFull) Submit();
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Nothing: a block goes out when it is full.</summary>
    public override void Flush()
    {
    }

    /// <summary>The stream is at its end: the last block goes out.</summary>
    /// <returns>How many blocks there were and the digest over their digests; null when an earlier process cut them otherwise.</returns>
    public (long Blocks, byte[] Digest)? Complete()
    {
        if (_block is { Length: > 0 }) Submit();
        _filled.Writer.Complete();
        return _isCounted ? (_blocks, _digests.GetHashAndReset()) : null;
    }

    /// <summary>The blocks to send, in order.</summary>
    public IAsyncEnumerable<UploadBlock> TakeAsync(CancellationToken cancellation) => _filled.Reader.ReadAllAsync(cancellation);

    /// <summary>The server has the block: its memory is free.</summary>
    public void Return(UploadBlock block) => _free.Add(block);

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _digests.Dispose();
            _free.Dispose();
        }
        base.Dispose(disposing);
    }

    private UploadBlock Rent()
    {
        UploadBlock? block;
        while (!_free.TryTake(out block, _interval)) _wait();
        block.Begin(_length);
        return block;
    }

    private void Submit()
    {
        UploadBlock block = _block!;
        block.Seal(Pages);
        _digests.AppendData(block.Digest);
        _blocks++;
        if (block.End <= _had)
        {
            block.Begin(_length); // filled again
            return;
        }
        if (block.Offset < _had)
        {
            _isCounted = false;
            block.CutBefore(_had);
        }
        _block = null;
        _filled.Writer.TryWrite(block);
    }
}
