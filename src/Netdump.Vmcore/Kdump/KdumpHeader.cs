using System.Text;
using Netdump.Vmcore.Codecs;

namespace Netdump.Vmcore.Kdump;

/// <summary>Header and sub-header of a kdump-compressed (or old diskdump) file, checked against the file's length.</summary>
/// <remarks>
/// Nothing in such a file says its word size or byte order: the machine's usual ones are tried first, then the others, and taken is what
/// makes a plausible header. Source: makedumpfile's diskdump_mod.h; fields newer than header_version are taken as absent.
/// </remarks>
public sealed class KdumpHeader
{
    /// <summary>header_version that is written, and the newest that is known; a newer file is read as if it were of this.</summary>
    public const int NewestVersion = 6;

    /// <summary>More pages than this are refused: 512 TiB of 4 KiB pages, far above any machine.</summary>
    public const ulong PageLimit = 1UL << 37;

    internal const int UtsnameOffset = 12;
    internal const int UtsnameLength = 65;
    private const int LongestHeader = 464;
    private const int MaximumNotes = 64 << 20;

    private KdumpHeader(in Shape shape, KdumpFields fields, long fileLength)
    {
        Is64 = shape.Is64;
        IsBigEndian = shape.IsBigEndian;
        IsDiskdump = shape.IsDiskdump;
        Version = fields.Version;
        Utsname = fields.Utsname;
        Timestamp = fields.Timestamp;
        Status = fields.Status;
        BlockSize = fields.BlockSize;
        ProcessorCount = fields.ProcessorCount;
        PageCount = fields.PageCount;
        BitmapOffset = (long)BlockSize * (1 + fields.SubHeaderBlocks);
        BitmapLength = (long)BlockSize * fields.BitmapBlocks;
        // In 64 bits: a hostile count times a block is below 2^48.
        var needed = (long)((PageCount + 7) / 8 + (ulong)BlockSize - 1) / BlockSize;
        HasSingleBitmap = fields.BitmapBlocks < 2 * needed;
        DescriptorOffset = BitmapOffset + BitmapLength;
        if (DescriptorOffset > fileLength)
            throw new VmcoreFormatException(
                fileLength, $"the file ends inside its bitmaps, {fields.BitmapBlocks} blocks of {BlockSize} bytes up to offset 0x{DescriptorOffset:x}");
    }

    /// <summary>Whether words of the header have 8 bytes.</summary>
    public bool Is64 { get; }

    /// <summary>Whether the file's integers are big-endian.</summary>
    public bool IsBigEndian { get; }

    /// <summary>Whether it is the older DISKDUMP: no notes, no VMCOREINFO.</summary>
    public bool IsDiskdump { get; }

    /// <summary>header_version.</summary>
    public int Version { get; }

    /// <summary>sysname, nodename, release, version, machine, domainname; empty where the writer did not know them (QEMU).</summary>
    public IReadOnlyList<string> Utsname { get; }

    /// <summary>When the kernel crashed; null when the header says 0 or nonsense.</summary>
    public DateTimeOffset? Timestamp { get; }

    /// <summary>status: the codecs used, and whether the file was finished.</summary>
    public uint Status { get; }

    /// <summary>Whether the writer marked the file as incomplete (it ran out of space).</summary>
    public bool IsMarkedIncomplete => (Status & IncompleteStatus) != 0;

    /// <summary>block_size: bytes of a block, which is a page.</summary>
    public int BlockSize { get; }

    /// <summary>nr_cpus.</summary>
    public int ProcessorCount { get; }

    /// <summary>max_mapnr: highest page plus one.</summary>
    public ulong PageCount { get; }

    /// <summary>dump_level, when the file has it.</summary>
    public int? DumpLevel { get; private init; }

    /// <summary>phys_base as it was written; VMCOREINFO's is better (QEMU writes a wrong one).</summary>
    public ulong? PhysicalBase { get; private init; }

    /// <summary>Whether this is one file of a split set.</summary>
    public bool IsSplit { get; private init; }

    /// <summary>First page whose descriptor is in this file.</summary>
    public ulong StartPage { get; private init; }

    /// <summary>First page behind those whose descriptors are in this file.</summary>
    public ulong EndPage { get; private init; }

    /// <summary>Where the notes lie; length 0 when there are none.</summary>
    public (long Offset, int Length) Notes { get; private init; }

    /// <summary>Where the text of VMCOREINFO lies; length 0 when there is none.</summary>
    public (long Offset, int Length) Info { get; private init; }

    /// <summary>Where makedumpfile's list of erased memory lies; length 0 when there is none.</summary>
    public (long Offset, int Length) EraseInfo { get; private init; }

    internal const uint IncompleteStatus = 0x08;

    internal const uint CodecStatus = (uint)(PageCodec.Zlib | PageCodec.Lzo | PageCodec.Snappy | PageCodec.Zstd);

    internal long BitmapOffset { get; }

    internal long BitmapLength { get; }

    /// <summary>One bitmap only, which says what is in the file (old diskdump).</summary>
    internal bool HasSingleBitmap { get; }

    internal long StoredBitmapOffset => HasSingleBitmap ? BitmapOffset : BitmapOffset + BitmapLength / 2;

    internal long DescriptorOffset { get; }

    /// <summary>Whether a file's first bytes are of this format.</summary>
    public static bool IsKdump(ReadOnlySpan<byte> start) => start.StartsWith("KDUMP   "u8) || start.StartsWith("DISKDUMP"u8);

    /// <summary>Reads and checks both headers.</summary>
    /// <exception cref="VmcoreFormatException">A field contradicts the file or another field; the message names it.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public static KdumpHeader Read(DumpBytes bytes)
    {
        Span<byte> start = stackalloc byte[LongestHeader];
        var length = bytes.Read(0, start);
        if (length < LongestHeader)
            throw new VmcoreFormatException(length, $"the file has {length} bytes, a kdump header takes {LongestHeader}");
        var shape = FindShape(start);
        var fields = KdumpFields.Parse(start, shape);
        if (fields.Version < 1)
            return new KdumpHeader(shape, fields, bytes.Length) { EndPage = fields.PageCount };
        return WithSubHeader(bytes, shape, fields);
    }

    private static Shape FindShape(ReadOnlySpan<byte> start)
    {
        var isDiskdump = start[0] == 'D';
        var machine = Machines.ByName(KdumpFields.UtsnameField(start, 4));
        var is64 = Machines.HasLongWords(machine) ?? true;
        VmcoreFormatException? first = null;
        foreach (var candidate in (Shape[])[new(is64, false, isDiskdump), new(is64, true, isDiskdump), new(!is64, false, isDiskdump), new(!is64, true, isDiskdump)])
        {
            try
            {
                KdumpFields.Parse(start, candidate);
                return candidate;
            }
            catch (VmcoreFormatException trouble)
            {
                first ??= trouble;
            }
        }
        throw first!;
    }

    private static KdumpHeader WithSubHeader(DumpBytes bytes, in Shape shape, KdumpFields fields)
    {
        var at = (long)fields.BlockSize;
        Span<byte> area = stackalloc byte[KdumpLayout.Of64.SubHeaderLength];
        var length = bytes.Read(at, area);
        if (length < area.Length)
            throw new VmcoreFormatException(at + length, $"the file ends inside its sub-header, {KdumpLayout.Of64.SubHeaderLength} bytes at offset 0x{at:x}");
        var sub = new FieldReader(area, shape.IsBigEndian);
        var layout = shape.Is64 ? KdumpLayout.Of64
            : IsPacked(sub, fields) ? KdumpLayout.Packed32 : KdumpLayout.Padded32;
        var (version, limit) = (fields.Version, fields.PageCount);
        if (version >= 6)
            fields = fields with { PageCount = limit = Checked(sub.U64(layout.PageLimit), at + layout.PageLimit, "max_mapnr_64") };
        var isSplit = version >= 2 && sub.U32(layout.Split) != 0;
        var (start, end) = (0UL, limit);
        if (isSplit)
        {
            (start, end) = version >= 6
                ? (sub.U64(layout.StartPage), sub.U64(layout.EndPage))
                : (sub.Word(layout.StartPage32, shape.Is64), sub.Word(layout.EndPage32, shape.Is64));
            if (start > end || end > limit)
                throw new VmcoreFormatException(at + (version >= 6 ? layout.StartPage : layout.StartPage32), $"start_pfn {start} and end_pfn {end} of {limit} pages");
        }
        CheckBitmap(fields, at, version, layout);
        return new KdumpHeader(shape, fields, bytes.Length)
        {
            DumpLevel = (int)sub.U32(layout.DumpLevel),
            PhysicalBase = shape.Is64 ? sub.U64(0) : sub.U32(0),
            IsSplit = isSplit,
            StartPage = start,
            EndPage = end,
            Info = version >= 3 ? Area(sub, layout.InfoOffset, shape, "vmcoreinfo", VmcoreInfo.KernelLimit * 16) : default,
            Notes = version >= 4 ? Area(sub, layout.NotesOffset, shape, "note", MaximumNotes) : default,
            EraseInfo = version >= 5 ? Area(sub, layout.EraseOffset, shape, "eraseinfo", MaximumNotes) : default,
        };

        (long Offset, int Length) Area(FieldReader reader, int field, Shape words, string name, int most)
        {
            var offset = reader.U64(field);
            var size = reader.Word(field + 8, words.Is64);
            if (size == 0)
                return default;
            if (size > (ulong)most)
                throw new VmcoreFormatException(at + field + 8, $"size_{name} is {size} bytes, {most} at most are read");
            if (offset > (ulong)bytes.Length || size > (ulong)bytes.Length - offset)
                throw new VmcoreFormatException(at + field, $"offset_{name} 0x{offset:x} and size_{name} {size} end beyond the file's {bytes.Length} bytes");
            return ((long)offset, (int)size);
        }
    }

    private static ulong Checked(ulong pages, long at, string name) => pages <= PageLimit
        ? pages
        : throw new VmcoreFormatException(at, $"{name} is {pages} pages, {PageLimit} at most are read");

    private static void CheckBitmap(KdumpFields fields, long at, int version, KdumpLayout layout)
    {
        if ((ulong)fields.BitmapBlocks * (ulong)fields.BlockSize < (fields.PageCount + 7) / 8)
            throw new VmcoreFormatException(
                version >= 6 ? at + layout.PageLimit : at,
                $"{fields.BitmapBlocks} bitmap blocks of {fields.BlockSize} bytes are too few for {fields.PageCount} pages");
    }

    // The packed place of offset_vmcoreinfo is judged: padding stands there in the other layout (libkdumpfile judges alike).
    private static bool IsPacked(FieldReader sub, KdumpFields fields)
    {
        if (fields.Version < 3)
            return true;
        var offset = sub.U64(KdumpLayout.Packed32.InfoOffset);
        var size = sub.U32(KdumpLayout.Packed32.InfoSize);
        if (offset == 0 && size == 0)
            return fields.Version < 4 || sub.U64(KdumpLayout.Packed32.NotesOffset) != 0 || !InHeaders(sub.U64(KdumpLayout.Padded32.NotesOffset), 0);
        return InHeaders(offset, size);

        bool InHeaders(ulong from, ulong length)
        {
            var end = (ulong)fields.BlockSize * (1 + (ulong)fields.SubHeaderBlocks);
            return from > (ulong)fields.BlockSize && from < end && length <= end - from;
        }
    }

    /// <summary>Word size and byte order taken for a file.</summary>
    internal readonly record struct Shape(bool Is64, bool IsBigEndian, bool IsDiskdump);

    /// <summary>The fields of disk_dump_header that are read.</summary>
    internal sealed record KdumpFields(
        int Version, IReadOnlyList<string> Utsname, DateTimeOffset? Timestamp, uint Status, int BlockSize, int SubHeaderBlocks, uint BitmapBlocks,
        ulong PageCount, int ProcessorCount)
    {
        public static string UtsnameField(ReadOnlySpan<byte> start, int index)
        {
            var field = start.Slice(UtsnameOffset + index * UtsnameLength, UtsnameLength);
            var end = field.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
        }

        public static KdumpFields Parse(ReadOnlySpan<byte> start, in Shape shape)
        {
            var layout = shape.Is64 ? KdumpLayout.Of64 : KdumpLayout.Packed32;
            var reader = new FieldReader(start, shape.IsBigEndian);
            var version = (int)reader.U32(8);
            if (version < 0)
                throw new VmcoreFormatException(8, $"header_version is {version}");
            var blockSize = reader.U32(layout.BlockSize);
            if (blockSize is < 4096 or > 65536 || (blockSize & (blockSize - 1)) != 0)
                throw new VmcoreFormatException(layout.BlockSize, $"block_size is {blockSize}, a page has 4096 to 65536 bytes");
            var subBlocks = (int)reader.U32(layout.SubHeaderBlocks);
            if (subBlocks is < 0 or > 1 << 20)
                throw new VmcoreFormatException(layout.SubHeaderBlocks, $"sub_hdr_size is {subBlocks} blocks");
            var bitmapBlocks = reader.U32(layout.BitmapBlocks);
            ulong pages = reader.U32(layout.PageLimit32);
            if ((ulong)bitmapBlocks * blockSize < (pages + 7) / 8)
                throw new VmcoreFormatException(
                    layout.BitmapBlocks, $"bitmap_blocks {bitmapBlocks} of {blockSize} bytes are too few for max_mapnr {pages}");
            var names = new string[6];
            for (var i = 0; i < names.Length; i++)
                names[i] = UtsnameField(start, i);
            var seconds = reader.Word(layout.Timestamp, shape.Is64);
            return new KdumpFields(
                shape.IsDiskdump ? 0 : version, names,
                seconds is > 0 and <= 253402300799 ? DateTimeOffset.FromUnixTimeSeconds((long)seconds) : null,
                reader.U32(layout.Status), (int)blockSize, subBlocks, bitmapBlocks, pages, (int)reader.U32(layout.ProcessorCount));
        }
    }
}
