using System.IO.Compression;

namespace Netdump.Vmcore.Codecs;

/// <summary>Encodes single pages with zlib or zstd. Keeps its state between pages; for one thread.</summary>
public sealed unsafe class PageEncoder : IDisposable
{
    private readonly PageCodec _codec;
    private readonly int _level;
    private void* _libzstd;
    private void* _libdeflate;
    private readonly ZstdSharp.Compressor? _managedZstd;

    /// <summary>Prepares a codec.</summary>
    /// <param name="codec">None, Zlib or Zstd.</param>
    /// <param name="level">The codec's own: zlib 1 to 12 (native) or 9, zstd from -7 (fastest) to 22; 1 is makedumpfile's.</param>
    /// <exception cref="ArgumentOutOfRangeException">A codec that is read only.</exception>
    public PageEncoder(PageCodec codec, int level = 1)
        : this(codec, level, mayBeNative: true)
    {
    }

    internal PageEncoder(PageCodec codec, int level, bool mayBeNative)
    {
        _codec = codec;
        _level = level;
        switch (codec)
        {
            case PageCodec.None:
                break;
            case PageCodec.Zlib when mayBeNative && NativeLibraries.HasLibdeflate:
                _libdeflate = Libdeflate.CreateCompressor(Math.Clamp(level, 1, 12));
                break;
            case PageCodec.Zlib:
                break;
            case PageCodec.Zstd when mayBeNative && NativeLibraries.HasLibzstd:
                _libzstd = Libzstd.CreateCompressor();
                break;
            case PageCodec.Zstd:
                _managedZstd = new ZstdSharp.Compressor(level);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(codec), codec, "pages are written with zlib, zstd or none");
        }
    }

    /// <summary>Encodes one page.</summary>
    /// <param name="page">The page.</param>
    /// <param name="output">As long as the page at least.</param>
    /// <returns>Bytes written; 0 when encoding gains nothing, so that the page is to be stored as it is.</returns>
    public int Encode(ReadOnlySpan<byte> page, Span<byte> output)
    {
        // With room to spare libzstd does without a test behind each symbol.
        if (_libzstd is null)
            output = output[..Math.Min(output.Length, page.Length - 1)];
        switch (_codec)
        {
            case PageCodec.Zlib when _libdeflate is not null:
                fixed (byte* from = page, to = output)
                    return (int)Libdeflate.CompressZlib(_libdeflate, from, (nuint)page.Length, to, (nuint)output.Length);
            case PageCodec.Zlib:
                return Deflate(page, output);
            case PageCodec.Zstd when _libzstd is not null:
                fixed (byte* from = page, to = output)
                {
                    var size = Libzstd.Compress(_libzstd, to, (nuint)output.Length, from, (nuint)page.Length, _level);
                    return size < (nuint)page.Length ? (int)size : 0; // else no gain, or an error: those are the highest values
                }
            case PageCodec.Zstd:
                return _managedZstd!.TryWrap(page, output, out var written) ? written : 0;
            default:
                return 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_libzstd is not null)
            _ = Libzstd.FreeCompressor(_libzstd);
        if (_libdeflate is not null)
            Libdeflate.FreeCompressor(_libdeflate);
        _libzstd = null;
        _libdeflate = null;
        _managedZstd?.Dispose();
    }

    private int Deflate(ReadOnlySpan<byte> page, Span<byte> output)
    {
        fixed (byte* to = output)
        {
            using var memory = new UnmanagedMemoryStream(to, output.Length, output.Length, FileAccess.Write);
            try
            {
                using (var stream = new ZLibStream(memory, new ZLibCompressionOptions { CompressionLevel = Math.Clamp(_level, 1, 9) }, leaveOpen: true))
                    stream.Write(page);
                return (int)memory.Position;
            }
            catch (NotSupportedException)
            {
                return 0; // the output is full
            }
        }
    }
}
