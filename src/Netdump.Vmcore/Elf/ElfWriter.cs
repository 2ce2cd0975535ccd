using System.Numerics;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Elf;

/// <summary>Writes the selected pages of a dump as an ELF core, as makedumpfile -E does: what is left out is memory beyond p_filesz.</summary>
/// <remarks>
/// A segment ends where at least 256 pages in a row are left out; shorter gaps are zeros in the file (holes, where the disk knows them).
/// With many gaps only longer ones end a segment, so that the program headers stay below 65535, which every reader takes. With bit 1 of the
/// dump level pages of zeros are left out too; to know them before the headers, memory is then read twice.
/// </remarks>
public sealed class ElfWriter
{
    private const int ShortestGap = 256;
    private const int MostSegments = 32 << 10;
    private const int MostImages = 16 << 10;
    private const int BlockWords = 4096;
    private const int FileHeaderLength = 64;
    private const int ProgramHeaderLength = 56;
    private const uint IncompleteFlag = 1;

    private readonly VmcoreFile _source;
    private readonly PhysicalMemory _memory;
    private readonly PageSelection _selection;
    private readonly DumpOutput _output;
    private readonly WriteOptions _options;
    private readonly ulong _page;
    private readonly SegmentList _segments = new(ShortestGap, MostSegments);
    private readonly ulong[] _bits = new ulong[BlockWords];
    private readonly ulong[] _mask = new ulong[BlockWords];
    private readonly byte[] _notes;
    private readonly DirectMap _places;
    private List<(long InFile, ulong Address, ulong Physical, ulong Length)> _images = [];
    private ulong _kept;
    private ulong _done;
    private ulong _zero;
    private ulong _lost;

    private ElfWriter(VmcoreFile source, PageSelection selection, DumpOutput output, WriteOptions options)
    {
        if (source.IsBigEndian)
            throw new NotSupportedException("ELF cores are written of little-endian machines only: write a kdump-compressed dump");
        (_source, _memory, _selection, _output, _options) = (source, source.Physical, selection, output, options);
        _page = (ulong)source.PageSize;
        _notes = source.NotesArea.ToArray();
        _places = new DirectMap(source);
    }

    /// <summary>Writes a core and finishes the output.</summary>
    /// <param name="source">The dump the pages come from.</param>
    /// <param name="selection">Which pages.</param>
    /// <param name="output">Where to; stays the caller's.</param>
    /// <param name="options">Dump level and progress; codec and threads mean nothing here.</param>
    /// <exception cref="IOException">Source or output failed; the core is then marked as incomplete (bit 0 of e_flags).</exception>
    /// <exception cref="NotSupportedException">A big-endian machine.</exception>
    public static WrittenDump Write(VmcoreFile source, PageSelection selection, DumpOutput output, WriteOptions options) =>
        new ElfWriter(source, selection, output, options).Write();

    private bool DropsZeros => (_options.DumpLevel & 1) != 0;

    private WrittenDump Write()
    {
        FindSegments();
        var segments = _segments.Finish();
        _images = FindImages(segments);
        long notesAt = FileHeaderLength + (1 + _images.Count + segments.Count) * ProgramHeaderLength;
        var memoryAt = RoundUp(notesAt + _notes.Length);
        _output.Write(0, Headers(segments, notesAt, memoryAt, isIncomplete: true));
        if (_notes.Length > 0)
            _output.Write(notesAt, _notes);
        var end = WritePages(segments, memoryAt);
        _output.Extend(end);
        if (_lost == 0)
            _output.Write(0, Headers(segments, notesAt, memoryAt, isIncomplete: false));
        _output.Finish();
        return new WrittenDump(_memory.PageCount, _kept, _zero, _lost, _output.BytesWritten);
    }

    // Memory and what is kept of it, both in ascending order, make the segments.
    private void FindSegments()
    {
        using var reader = DropsZeros ? _memory.OpenReader(_options.IsMapped) : null;
        var described = 0UL;
        _selection((firstPage, keep) => ForEachKept(firstPage, keep, (first, bits) =>
        {
            Describe(described, first);
            for (var i = 0; i < bits.Length; i++)
            {
                for (var word = bits[i]; word != 0; word &= word - 1)
                {
                    var page = first + (ulong)(i * 64 + BitOperations.TrailingZeroCount(word));
                    if (reader is not null && reader.Read(page, out var bytes) == PageState.Present && ZeroPage.IsZero(bytes))
                    {
                        _zero++;
                        _bits[i] &= ~(word & (0 - word));
                    }
                    else
                        _kept++;
                }
            }
            _memory.CopyMemoryBits(first, _mask.AsSpan(0, bits.Length));
            _segments.Add(first, _mask.AsSpan(0, bits.Length), _bits.AsSpan(0, bits.Length));
            described = first + (ulong)bits.Length * 64;
        }));
        Describe(described, _memory.EndPage);
    }

    // Memory that no block of the selection speaks of.
    private void Describe(ulong from, ulong to)
    {
        var none = new ulong[1024];
        var mask = new ulong[1024];
        for (; from < to; from += (ulong)none.Length * 64)
        {
            var words = (int)Math.Min((ulong)none.Length, (to - from + 63) / 64);
            _memory.CopyMemoryBits(from, mask.AsSpan(0, words));
            _segments.Add(from, mask.AsSpan(0, words), none.AsSpan(0, words));
        }
    }

    private long WritePages(IReadOnlyList<WrittenSegment> segments, long at)
    {
        using var reader = _memory.OpenReader(_options.IsMapped);
        var current = 0;
        var end = at + segments.Sum(s => (long)(s.FilePages * _page));
        _selection((firstPage, keep) => ForEachKept(firstPage, keep, (first, bits) =>
        {
            for (var i = 0; i < bits.Length; i++)
            {
                for (var word = bits[i]; word != 0; word &= word - 1)
                {
                    var page = first + (ulong)(i * 64 + BitOperations.TrailingZeroCount(word));
                    while (page >= segments[current].First + segments[current].Pages)
                        at += (long)(segments[current++].FilePages * _page);
                    WritePage(reader, page, segments[current], at);
                }
            }
            _options.Progress?.Invoke(_done, _kept);
        }));
        return end;
    }

    private void WritePage(PageReader reader, ulong page, in WrittenSegment segment, long at)
    {
        if (reader.Read(page, out var bytes) is not PageState.Present)
        {
            _lost++;
            _done++;
            return;
        }
        if (ZeroPage.IsZero(bytes))
        {
            _zero += DropsZeros ? 0UL : 1;
            _done += DropsZeros ? 0UL : 1;
            return; // a hole, or beyond the segment's bytes
        }
        _output.Write(at + (long)((page - segment.First) * _page), bytes);
        _done++;
    }

    private byte[] Headers(IReadOnlyList<WrittenSegment> segments, long notesAt, long memoryAt, bool isIncomplete)
    {
        var area = new byte[FileHeaderLength + (1 + _images.Count + segments.Count) * ProgramHeaderLength];
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(area, 0);
        var header = new FieldWriter(area, isBigEndian: false);
        header.U16(16, 4); // ET_CORE
        header.U16(18, _source.Machine);
        header.U32(20, 1);
        header.U64(32, FileHeaderLength);
        header.U32(48, isIncomplete ? IncompleteFlag : 0);
        header.U16(52, FileHeaderLength);
        header.U16(54, ProgramHeaderLength);
        header.U16(56, (ushort)(1 + _images.Count + segments.Count));
        Segment(area.AsSpan(FileHeaderLength), ElfSegment.Note, 0, notesAt, 0, 0, (ulong)_notes.Length, (ulong)_notes.Length);
        var at = FileHeaderLength + ProgramHeaderLength;
        foreach (var image in _images)
        {
            Segment(
                area.AsSpan(at), ElfSegment.Load, 7, memoryAt + image.InFile, image.Address, image.Physical, image.Length, image.Length);
            at += ProgramHeaderLength;
        }
        foreach (var segment in segments)
        {
            var physical = segment.First * _page;
            // A segment without bytes has the place it would have: at offset 0, where makedumpfile puts it, gdb finds this header once more
            // and takes every thread twice.
            Segment(
                area.AsSpan(at), ElfSegment.Load, 7, memoryAt,
                _places.AddressOf(physical), physical, segment.FilePages * _page, segment.Pages * _page);
            memoryAt += (long)(segment.FilePages * _page);
            at += ProgramHeaderLength;
        }
        return area;
    }

    // The second address of the image and the stacks gets headers of its own that point at the same bytes of the file: nothing is written twice.
    private List<(long InFile, ulong Address, ulong Physical, ulong Length)> FindImages(IReadOnlyList<WrittenSegment> segments)
    {
        var images = new List<(long, ulong, ulong, ulong)>();
        foreach (var (start, end, address) in _places.Images)
        {
            var inFile = 0L;
            foreach (var segment in segments)
            {
                var from = Math.Max(start, segment.First * _page);
                var to = Math.Min(end, (segment.First + segment.FilePages) * _page);
                if (from < to && images.Count < MostImages)
                    images.Add((inFile + (long)(from - segment.First * _page), address + (from - start), from, to - from));
                inFile += (long)(segment.FilePages * _page);
            }
        }
        return images;
    }

    private static void Segment(
        Span<byte> bytes, uint type, uint flags, long offset, ulong virtualAddress, ulong physical, ulong fileSize, ulong memorySize)
    {
        var header = new FieldWriter(bytes, isBigEndian: false);
        header.U32(0, type);
        header.U32(4, flags);
        header.U64(8, (ulong)offset);
        header.U64(16, virtualAddress);
        header.U64(24, physical);
        header.U64(32, fileSize);
        header.U64(40, memorySize);
        header.U64(48, type == ElfSegment.Note ? 4UL : 0);
    }

    private void ForEachKept(ulong firstPage, ReadOnlySpan<ulong> keep, PageBlock block)
    {
        while (!keep.IsEmpty && firstPage < _memory.EndPage)
        {
            var count = Math.Min(keep.Length, (int)Math.Min(BlockWords, (_memory.EndPage - firstPage + 63) / 64));
            _memory.CopyStoredBits(firstPage, _mask.AsSpan(0, count));
            for (var i = 0; i < count; i++)
                _bits[i] = keep[i] & _mask[i];
            block(firstPage, _bits.AsSpan(0, count));
            firstPage += (ulong)count * 64;
            keep = keep[count..];
        }
    }

    private long RoundUp(long at) => (at + (long)_page - 1) / (long)_page * (long)_page;
}
