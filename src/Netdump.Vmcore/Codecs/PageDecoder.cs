using System.Buffers.Binary;
using System.IO.Compression;
using Snappier;

namespace Netdump.Vmcore.Codecs;

/// <summary>Decodes single pages. Keeps its state between pages; for one thread.</summary>
/// <remarks>Never writes more than the page it was given, whatever the input claims: a page that inflates further is corrupt.</remarks>
public sealed unsafe class PageDecoder : IDisposable
{
    private readonly bool _mayBeNative;
    private void* _libzstd;
    private void* _libdeflate;
    private ZstdSharp.Decompressor? _managedZstd;

    /// <summary>Creates a decoder that takes native codecs where the process has them.</summary>
    public PageDecoder()
        : this(mayBeNative: true)
    {
    }

    internal PageDecoder(bool mayBeNative) => _mayBeNative = mayBeNative;

    /// <summary>Decodes one page.</summary>
    /// <param name="codec">How it is stored.</param>
    /// <param name="input">The stored bytes, at most as many as the page has.</param>
    /// <param name="page">The page to fill.</param>
    /// <returns>False when the input is not exactly one page in that encoding; the page then holds anything.</returns>
    public bool TryDecode(PageCodec codec, ReadOnlySpan<byte> input, Span<byte> page)
    {
        switch (codec)
        {
            case PageCodec.None:
                if (input.Length != page.Length)
                    return false;
                input.CopyTo(page);
                return true;
            case PageCodec.Zlib:
                return _mayBeNative && NativeLibraries.HasLibdeflate ? InflateNative(input, page) : Inflate(input, page);
            case PageCodec.Zstd:
                return HoldsOnePage(input, page.Length)
                    && (_mayBeNative && NativeLibraries.HasLibzstd ? DecodeZstdNative(input, page) : DecodeZstd(input, page));
            case PageCodec.Snappy:
                return DecodeSnappy(input, page);
            case PageCodec.Lzo:
                return Lzo.TryDecode(input, page);
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_libzstd is not null)
            _ = Libzstd.FreeDecompressor(_libzstd);
        if (_libdeflate is not null)
            Libdeflate.FreeDecompressor(_libdeflate);
        _libzstd = null;
        _libdeflate = null;
        _managedZstd?.Dispose();
        _managedZstd = null;
    }

    private bool InflateNative(ReadOnlySpan<byte> input, Span<byte> page)
    {
        if (_libdeflate is null)
            _libdeflate = Libdeflate.CreateDecompressor();
        fixed (byte* from = input, to = page)
            return Libdeflate.DecompressZlib(_libdeflate, from, (nuint)input.Length, to, (nuint)page.Length, out var consumed, out var produced) == 0
                && produced == (nuint)page.Length && consumed == (nuint)input.Length;
    }

    private static bool Inflate(ReadOnlySpan<byte> input, Span<byte> page)
    {
        if (input.IsEmpty)
            return false;
        fixed (byte* from = input)
        {
            using var memory = new UnmanagedMemoryStream(from, input.Length);
            using var stream = new ZLibStream(memory, CompressionMode.Decompress);
            try
            {
                // One byte more must not come: a page that goes on is none.
                return stream.ReadAtLeast(page, page.Length, throwOnEndOfStream: false) == page.Length && stream.ReadByte() < 0
                    && HasAdler32(input, page);
            }
            catch (Exception corrupt) when (corrupt is InvalidDataException or IOException)
            {
                return false; // zlib itself fails with the second: the stream asks for a dictionary
            }
        }
    }

    // The stream stops at its end mark without complaint about what follows; the check value is the last thing in the input.
    private static bool HasAdler32(ReadOnlySpan<byte> input, ReadOnlySpan<byte> page)
    {
        uint a = 1, b = 0;
        foreach (var value in page)
        {
            a = (a + value) % 65521;
            b = (b + a) % 65521;
        }
        return input.Length > 4 && BinaryPrimitives.ReadUInt32BigEndian(input[^4..]) == (b << 16 | a);
    }

    // RFC 8878, 3.1.1: the frame must say its content's size, and must be the last. Checked before a decoder allocates anything.
    private static bool HoldsOnePage(ReadOnlySpan<byte> input, int pageSize)
    {
        if (input.Length < 6 || BinaryPrimitives.ReadUInt32LittleEndian(input) != 0xfd2fb528)
            return false;
        var descriptor = input[4];
        var isSingleSegment = (descriptor & 0x20) != 0;
        var at = 5 + (isSingleSegment ? 0 : 1) + ((descriptor & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 });
        var sizeLength = (descriptor >> 6) switch { 0 => isSingleSegment ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
        if (sizeLength == 0 || input.Length < at + sizeLength)
            return false;
        var size = sizeLength switch
        {
            1 => input[at],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(input[at..]) + 256UL,
            4 => BinaryPrimitives.ReadUInt32LittleEndian(input[at..]),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(input[at..]),
        };
        return size == (ulong)pageSize;
    }

    private bool DecodeZstdNative(ReadOnlySpan<byte> input, Span<byte> page)
    {
        if (_libzstd is null)
            _libzstd = Libzstd.CreateDecompressor();
        fixed (byte* from = input, to = page)
            return Libzstd.Decompress(_libzstd, to, (nuint)page.Length, from, (nuint)input.Length) == (nuint)page.Length;
    }

    private bool DecodeZstd(ReadOnlySpan<byte> input, Span<byte> page)
    {
        _managedZstd ??= new ZstdSharp.Decompressor();
        try
        {
            return _managedZstd.TryUnwrap(input, page, out var written) && written == page.Length;
        }
        catch (ZstdSharp.ZstdException)
        {
            return false;
        }
    }

    private static bool DecodeSnappy(ReadOnlySpan<byte> input, Span<byte> page)
    {
        try
        {
            return !input.IsEmpty && Snappy.GetUncompressedLength(input) == page.Length
                && Snappy.TryDecompress(input, page, out var written) && written == page.Length;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}
