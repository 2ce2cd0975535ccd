using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Netdump.Protocols.NetConsole;
using Netdump.Protocols.Upload;
using Netdump.Vmcore.Log;

namespace Netdump.Client.Send.Secure;

/// <summary>The body of a request that tells when bytes of it went out, so that a slow network is told from a dead one.</summary>
internal abstract class MovingContent : HttpContent
{
    /// <summary>Is called after each piece.</summary>
    public Action? Moved { get; set; }

    protected sealed override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => WriteAsync(stream, CancellationToken.None);

    protected sealed override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) => WriteAsync(stream, cancellationToken);

    protected abstract Task WriteAsync(Stream stream, CancellationToken cancellation);
}

/// <summary>A block of the vmcore.</summary>
internal sealed class BlockContent : MovingContent
{
    private const int Piece = 256 << 10;
    private readonly UploadBlock _block;

    public BlockContent(UploadBlock block)
    {
        _block = block;
        Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
    }

    protected override async Task WriteAsync(Stream stream, CancellationToken cancellation)
    {
        ReadOnlyMemory<byte> rest = _block.Bytes;
        _block.Sent = 0;
        while (!rest.IsEmpty)
        {
            ReadOnlyMemory<byte> piece = rest[..Math.Min(Piece, rest.Length)];
            await stream.WriteAsync(piece, cancellation);
            rest = rest[piece.Length..];
            _block.Sent += piece.Length;
            Moved?.Invoke();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _block.Length;
        return true;
    }
}

/// <summary>A text whose length is not known before it is made: in chunks, cut before it is longer than a server takes.</summary>
internal abstract class TextContent : MovingContent
{
    private const int Piece = 32 << 10;
    private const int Reserve = 256 << 10; // more than one record or task has
    private readonly ArrayBufferWriter<byte> _text = new(Piece * 2);
    private long _length;

    protected TextContent(string type) => Headers.ContentType = new MediaTypeHeaderValue(type);

    /// <summary>Makes the text piece by piece.</summary>
    /// <param name="text">Takes it.</param>
    /// <returns>Nothing; each step is a moment at which the text so far may be sent.</returns>
    protected abstract IEnumerable<bool> Make(IBufferWriter<byte> text);

    protected sealed override async Task WriteAsync(Stream stream, CancellationToken cancellation)
    {
        _length = 0;
        _text.ResetWrittenCount();
        foreach (bool _ in Make(_text))
        {
            if (_text.WrittenCount >= Piece) await FlushAsync(stream, cancellation);
            if (_length + _text.WrittenCount > UploadPaths.LongestText - Reserve) break;
        }
        await FlushAsync(stream, cancellation);
    }

    protected sealed override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private async Task FlushAsync(Stream stream, CancellationToken cancellation)
    {
        await stream.WriteAsync(_text.WrittenMemory, cancellation);
        _length += _text.WrittenCount;
        _text.ResetWrittenCount();
        Moved?.Invoke();
    }
}

/// <summary>The dead kernel's log as extended records.</summary>
internal sealed class LogContent(DeadLog log) : TextContent(UploadPaths.RecordsType)
{
    protected override IEnumerable<bool> Make(IBufferWriter<byte> text)
    {
        ExtendedRecordWriter writer = new();
        foreach (LogRecord record in log.Read())
        {
            DeadLog.Begin(writer, record);
            writer.WriteWhole(text);
            yield return true;
        }
    }
}

/// <summary>The dead kernel's tasks.</summary>
internal sealed class TasksContent(Func<IEnumerable<string>> make) : TextContent("text/plain")
{
    protected override IEnumerable<bool> Make(IBufferWriter<byte> text)
    {
        IEnumerator<string>? pieces = null;
        try
        {
            while (TryNext(ref pieces, text)) yield return true;
        }
        finally
        {
            pieces?.Dispose();
        }
    }

    private bool TryNext(ref IEnumerator<string>? pieces, IBufferWriter<byte> text)
    {
        try
        {
            pieces ??= make().GetEnumerator();
            if (!pieces.MoveNext()) return false;
            Encoding.UTF8.GetBytes(pieces.Current, text);
            return true;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            // The dead kernel's memory may hold anything; its dump is worth more than its state.
            Encoding.UTF8.GetBytes($"netdump: the list of tasks ends here: {failure.Message}\n", text);
            return false;
        }
    }
}
