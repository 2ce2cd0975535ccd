using System.Numerics;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Kdump;

/// <summary>Writes the selected pages of a dump as a kdump-compressed one, version 6.</summary>
/// <remarks>
/// Goes through the selection twice: for the bitmaps, which are written block by block and never held, and for the data, which is read
/// once. Until the end the header says that the dump is incomplete, so an interrupted one is known as such and still opens.
/// </remarks>
public sealed class KdumpWriter
{
    private const int BlockWords = 4096;
    private const int GatheredData = 256 << 10;
    private const int GatheredDescriptors = 32 << 10;

    private readonly PhysicalMemory _memory;
    private readonly PageSelection _selection;
    private readonly DumpOutput _output;
    private readonly WriteOptions _options;
    private readonly KdumpHeaderArea _headers;
    private readonly bool _isBigEndian;
    private readonly ulong[] _bits = new ulong[BlockWords];
    private readonly ulong[] _stored = new ulong[BlockWords];
    private SequentialOutput _table = null!;
    private SequentialOutput _data = null!;
    private byte[] _descriptors = [];
    private ulong _memoryPages;
    private ulong _kept;
    private ulong _done;
    private ulong _zero;
    private ulong _lost;
    private long _zeroAt;
    private long _dataAt;

    private KdumpWriter(VmcoreFile source, PageSelection selection, DumpOutput output, WriteOptions options)
    {
        _memory = source.Physical;
        _isBigEndian = source.IsBigEndian;
        _selection = selection;
        _output = output;
        _options = options;
        _headers = new KdumpHeaderArea(source, options);
    }

    /// <summary>Writes a dump and finishes the output.</summary>
    /// <param name="source">The dump the pages come from.</param>
    /// <param name="selection">Which pages; all of the source's memory when everything is to be kept.</param>
    /// <param name="output">Where to; stays the caller's.</param>
    /// <param name="options">Codec, threads, dump level.</param>
    /// <exception cref="IOException">Source or output failed; what is written so far opens as an incomplete dump.</exception>
    public static WrittenDump Write(VmcoreFile source, PageSelection selection, DumpOutput output, WriteOptions options) =>
        new KdumpWriter(source, selection, output, options).Write();

    private WrittenDump Write()
    {
        _output.Write(0, _headers.Make(isIncomplete: true));
        _output.Extend(_headers.DescriptorOffset);
        WriteBitmaps();
        _zeroAt = _headers.DescriptorOffset + (long)_kept * PageDescriptor.Length;
        _dataAt = _zeroAt + _memory.PageSize;
        _output.Extend(_dataAt);
        _output.Write(_zeroAt, new byte[_memory.PageSize]);
        WritePages();
        if (_lost == 0)
            _output.Write(0, _headers.Make(isIncomplete: false));
        _output.Finish();
        return new WrittenDump(_memoryPages, _kept, _zero, _lost, _output.BytesWritten);
    }

    private void WriteBitmaps()
    {
        for (var page = 0UL; page < _headers.PageCount; page += BlockWords * 64)
        {
            var bits = _bits.AsSpan(0, WordsFrom(page));
            _memory.CopyMemoryBits(page, bits);
            _memoryPages += (ulong)PageBits.Count(bits);
            WriteBits(_headers.BitmapOffset, page, bits);
        }
        _selection((firstPage, keep) => ForEachStored(firstPage, keep, (page, bits) =>
        {
            _kept += (ulong)PageBits.Count(bits);
            WriteBits(_headers.BitmapOffset + _headers.BitmapLength, page, bits);
        }));
    }

    // A block without a page is a hole: zeros wherever it is read.
    private void WriteBits(long bitmap, ulong page, ReadOnlySpan<ulong> bits)
    {
        if (!bits.ContainsAnyExcept(0UL))
            return;
        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(bits);
        var room = _headers.BitmapLength - (long)(page / 8);
        _output.Write(bitmap + (long)(page / 8), bytes[..(int)Math.Min(bytes.Length, room)]);
    }

    private void WritePages()
    {
        using var pipeline = new PagePipeline(_memory, _options, WriteJob);
        var job = pipeline.Rent();
        _descriptors = new byte[job.Pages.Length * PageDescriptor.Length];
        _table = new SequentialOutput(_output, _headers.DescriptorOffset, GatheredDescriptors);
        _data = new SequentialOutput(_output, _dataAt, GatheredData);
        var left = _kept;
        _selection((firstPage, keep) => ForEachStored(firstPage, keep, (first, bits) =>
        {
            for (var i = 0; i < bits.Length; i++)
            {
                for (var word = bits[i]; word != 0; word &= word - 1)
                {
                    if (left-- == 0)
                        throw new InvalidOperationException("the second walk over the pages selects more than the first");
                    job.Pages[job.Count++] = first + (ulong)(i * 64 + BitOperations.TrailingZeroCount(word));
                    if (!job.IsFull)
                        continue;
                    pipeline.Submit(job);
                    job = pipeline.Rent();
                }
            }
        }));
        if (left != 0)
            throw new InvalidOperationException("the second walk over the pages selects fewer than the first");
        if (job.Count > 0)
            pipeline.Submit(job);
        pipeline.Drain();
        Flush();
    }

    private void WriteJob(PageJob job)
    {
        var fields = new FieldWriter(_descriptors, _isBigEndian);
        var at = _dataAt;
        for (var i = 0; i < job.Count; i++)
        {
            var size = job.Sizes[i];
            var entry = i * PageDescriptor.Length;
            var isEncoded = size > 0 && size < _memory.PageSize;
            fields.U64(entry, size switch { PageJob.Lost => 0, PageJob.Zero => (ulong)_zeroAt, _ => (ulong)at });
            fields.U32(entry + 8, size switch { PageJob.Lost => 0, PageJob.Zero => (uint)_memory.PageSize, _ => (uint)size });
            fields.U32(entry + 12, isEncoded ? (uint)_options.Codec : 0);
            fields.U64(entry + 16, 0);
            _lost += size == PageJob.Lost ? 1UL : 0;
            _zero += size == PageJob.Zero ? 1UL : 0;
            at += Math.Max(0, size);
        }
        _data.Append(job.Data.AsSpan(0, job.DataLength));
        if (_table.Room < job.Count * PageDescriptor.Length)
            Flush();
        _table.Append(_descriptors.AsSpan(0, job.Count * PageDescriptor.Length));
        _dataAt = at;
        _done += (ulong)job.Count;
        _options.Progress?.Invoke(_done, _kept);
    }

    // Data first: a descriptor never points at what is not there.
    private void Flush()
    {
        _data.Flush();
        _table.Flush();
    }

    // Hands on the block in pieces, with only those pages left that are memory and in the source.
    private void ForEachStored(ulong firstPage, ReadOnlySpan<ulong> keep, PageBlock block)
    {
        while (!keep.IsEmpty && firstPage < _headers.PageCount)
        {
            var count = Math.Min(keep.Length, WordsFrom(firstPage));
            var bits = _bits.AsSpan(0, count);
            var stored = _stored.AsSpan(0, count);
            _memory.CopyStoredBits(firstPage, stored);
            for (var i = 0; i < count; i++)
                bits[i] = keep[i] & stored[i];
            block(firstPage, bits);
            firstPage += (ulong)count * 64;
            keep = keep[count..];
        }
    }

    private int WordsFrom(ulong page) => (int)Math.Min(BlockWords, (_headers.PageCount - page + 63) / 64);
}
