using System.Buffers.Binary;
using System.Text;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Vmcore;
using Netdump.Vmcore.Flattened;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Packed;
using Netdump.Vmcore.Tests;
using Netdump.Vmcore.Tests.Kdump;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>Header and sub-header of a kdump-compressed file, of each word size and byte order.</summary>
public sealed class KdumpHeaders : FuzzTarget
{
    // Signature and version; the machine's name; time to nr_cpus; the sub-header; a note.
    private static readonly (int At, int Length)[] Places = [(0, 12), (272, 10), (404, 60), (4096, 104), (4200, 24)];

    public override int MaximumLength => Places.Sum(place => place.Length);

    public override IReadOnlyList<byte[]> Tokens => ["KDUMP   "u8.ToArray(), "DISKDUMP"u8.ToArray(), "x86_64"u8.ToArray(), "i686\0\0"u8.ToArray(), [0, 16, 0, 0], [0, 0, 16, 0]];

    public override IEnumerable<byte[]> Seeds => KdumpFiles.Shapes().Select(dump => MemoryDump.Gather(dump.Build(), Places));

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        using MemoryBytes file = new(MemoryDump.LayOut(input, Places, 32768));
        KdumpHeader header = KdumpHeader.Read(file);
        Require(header.PageCount <= KdumpHeader.PageLimit, "no machine has so many pages");
        Require(header.StartPage <= header.EndPage && header.EndPage <= header.PageCount, "a part is part of the whole");
        Require(header.BitmapOffset > 0 && header.DescriptorOffset <= file.Length, "the bitmaps are in the file");
        Require((ulong)header.BitmapLength / (header.HasSingleBitmap ? 1UL : 2) >= (header.PageCount + 7) / 8, "a bitmap has a bit for each page");
        foreach ((long offset, int length) in new[] { header.Notes, header.Info, header.EraseInfo })
            Require(offset >= 0 && length >= 0 && offset + length <= file.Length, "notes lie in the file");
    }
}

/// <summary>A whole kdump-compressed file: headers, bitmaps, descriptors, pages of each codec.</summary>
public sealed class KdumpFiles : FuzzTarget
{
    private const int Bitmap = 8192;

    // As in KdumpHeaders, then the two bitmaps, then descriptors and data.
    private static readonly (int At, int Length)[] Places = [(0, 12), (272, 10), (404, 60), (4096, 104), (4200, 80), (Bitmap, 8), (Bitmap + 4096, 8), (Bitmap + 8192, 900)];

    public override int MaximumLength => Places.Sum(place => place.Length);

    public override double Share => 0.5;

    public override IReadOnlyList<byte[]> Tokens => ["KDUMP   "u8.ToArray(), "VMCOREINFO\0\0"u8.ToArray(), [0, 16, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0x20, 0, 0, 0], [0x28, 0xb5, 0x2f, 0xfd]];

    public override IEnumerable<byte[]> Seeds => Shapes().Select(dump => MemoryDump.Gather(dump.Build(), Places));

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        using VmcoreFile file = MemoryBytes.Open(MemoryDump.LayOut(input, Places, 8192));
        if (file.Kdump is null) return;
        string? difference = MemoryDump.Differences(file, mostRanges: 8, pagesOfRange: 8);
        Require(difference is null, difference ?? "");
        PageCounts counts = file.Physical.CountPages();
        Require(counts.Lost <= counts.Stored && counts.Stored <= file.Physical.EndPage, "counts are of pages");
        _ = Utsname.Find(file);
        _ = (file.IsComplete, file.Machine, file.Processors.Count, file.MissingPages.Count, ((KdumpMemory)file.Physical).ExplainCorrupt(0));
    }

    /// <summary>Small sound dumps of each kind of header, with pages of each codec.</summary>
    internal static IEnumerable<SyntheticKdump> Shapes()
    {
        byte[] note = SyntheticCore.Note("VMCOREINFO", 0, "OSRELEASE=4.19.0\nPAGESIZE=4096\n"u8);
        for (int shape = 0; shape < 7; shape++)
        {
            SyntheticKdump dump = new()
            {
                Is64 = shape is not (1 or 2),
                IsPadded = shape == 2,
                IsBigEndian = shape == 3,
                Signature = shape == 4 ? "DISKDUMP" : "KDUMP   ",
                Version = shape is 4 or 5 ? 5 : 6,
                HasSingleBitmap = shape == 4,
                Split = shape is 5 or 6 ? (2, 40) : null,
                Utsname = ["Linux", "host", "4.19", "#1", shape switch { 1 => "i686", 2 => "armv7l", 3 => "ppc64", _ => "x86_64" }, ""],
                Limit = 64,
                Notes = shape == 3 ? [] : note,
                InfoInNotes = shape == 3 ? -1 : 24,
                InfoLength = 31,
            };
            dump.AddMemory(4, 5);
            dump.AddPage(1, Packed(Vmcore.Codecs.PageCodec.Zlib, 1), 1);
            dump.AddPage(2, Packed(Vmcore.Codecs.PageCodec.Zstd, 2), 0x20);
            dump.AddPage(3, [0xfe, 0x01, 0x00, .. Enumerable.Repeat((byte)0xfe, 62), 0], 4); // snappy: one byte, then copies of it; sound enough
            dump.AddPage(7, Packed(Vmcore.Codecs.PageCodec.Zlib, 7), 1);
            dump.AddPage(9, []);
            dump.AddPage(30, [18, 5, 0x20, .. new byte[15], 0xd9, 0, 0, 17, 0, 0], 2); // LZO: one byte, then a copy of it
            dump.AddPage(50, [], 0, 4096);
            yield return dump;
        }
    }

    private static byte[] Packed(Vmcore.Codecs.PageCodec codec, byte filling)
    {
        using Vmcore.Codecs.PageEncoder encoder = new(codec);
        byte[] output = new byte[4096];
        return output[..encoder.Encode([.. Enumerable.Repeat(filling, 4096)], output)];
    }
}

/// <summary>A whole ELF core of either class and byte order: segments that overlap, begin inside a page, or are cut short.</summary>
public sealed class ElfCores : FuzzTarget
{
    public override int MaximumLength => 2048;

    public override double Share => 0.5;

    public override IReadOnlyList<byte[]> Tokens =>
        [[1, 0, 0, 0, 7, 0, 0, 0], [4, 0, 0, 0], [0xff, 0xff], [0, 16, 0, 0, 0, 0, 0, 0], [11, 0, 0, 0, 31, 0, 0, 0, 0, 0, 0, 0, .. "VMCOREINFO\0\0"u8], "PAGESIZE=65536\n"u8.ToArray()];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            for (int shape = 0; shape < 6; shape++)
            {
                SyntheticCore core = new()
                {
                    Packed = true,
                    Is64 = shape % 2 == 0,
                    HeadersAt = shape % 2 == 0 ? 64 : 52,
                    EntryLength = shape % 2 == 0 ? 56 : 32,
                    IsBigEndian = shape is 2 or 3,
                    ExtendedCount = shape == 4,
                    Machine = (ushort)(shape switch { 0 or 4 => 62, 1 => 3, 2 => 21, 3 => 8, _ => 183 }),
                };
                core.AddNote("CORE", 1, SyntheticCore.Status(5));
                core.AddNote("VMCOREINFO", 0, Encoding.ASCII.GetBytes("OSRELEASE=4.19.0\nPAGESIZE=4096\n"));
                core.AddMemory(0x1000, [.. Enumerable.Repeat((byte)7, 300)], 0x2000);
                core.AddMemory(0x3100, [.. Enumerable.Repeat((byte)8, 200)]);
                core.AddMemory(0x3180, [.. Enumerable.Repeat((byte)9, 200)], 0xe80);
                yield return core.Build();
            }
        }
    }

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        using VmcoreFile file = MemoryBytes.Open([.. input]);
        if (file.Elf is null) return;
        string? difference = MemoryDump.Differences(file, mostRanges: 8, pagesOfRange: 4);
        Require(difference is null, difference ?? "");
        PageCounts counts = file.Physical.CountPages();
        Require(counts.Lost <= counts.Stored && counts.Stored <= counts.Memory, "counts are of pages");
        ulong[] memory = new ulong[4], stored = new ulong[4];
        file.Physical.CopyMemoryBits(0, memory);
        file.Physical.CopyStoredBits(0, stored);
        Require(!memory.Zip(stored).Any(pair => (pair.Second & ~pair.First) != 0), "what is stored is memory");
        _ = Utsname.Find(file);
        _ = (file.IsComplete, file.LengthNeeded, file.Processors.Count, file.Elf.PhysicalEnd);
    }
}

/// <summary>A flattened stream: arranged while it comes in, and looked up in place. Both must give the same dump.</summary>
public sealed class FlattenedStreams : FuzzTarget
{
    private const int Most = 1 << 16;

    private static readonly (int At, int Length)[] Places = [(0, 32), (4096, 600)];

    public override int MaximumLength => Places.Sum(place => place.Length);

    public override IReadOnlyList<byte[]> Tokens => [[.. Enumerable.Repeat((byte)0xff, 16)], Record(0, 4), Record(100, 300), "makedumpfile\0\0\0\0"u8.ToArray()];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            byte[] header = [.. "makedumpfile\0\0\0\0"u8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
            yield return [.. header, .. Record(8, 5), 1, 2, 3, 4, 5, .. Record(0, 3), 6, 7, 8, .. Record(6, 4), 9, 10, 11, 12, .. Enumerable.Repeat((byte)0xff, 16)];
            yield return [.. header, .. Record(70, 60), .. Enumerable.Repeat((byte)3, 60), .. Record(40, 20), .. new byte[20]];
        }
    }

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        byte[] file = MemoryDump.LayOut(input, Places, 0);
        using MemoryOutput output = new(Most);
        bool hasEnd = FlattenedArranger.Arrange(new MemoryStream(file), output);
        using FlattenedBytes inPlace = FlattenedBytes.Open(new MemoryBytes(file));
        Require(inPlace.IsWhole == hasEnd, "a stream has its end mark or not");
        Require(inPlace.Length == output.Length, "the dump ends where its last record does");
        byte[] bytes = new byte[Math.Min(Most, inPlace.Length)];
        Require(inPlace.Read(0, bytes) == bytes.Length && bytes.AsSpan().SequenceEqual(output.Bytes.AsSpan(0, bytes.Length)), "both ways give the same bytes");
        Require(inPlace.Read(inPlace.Length - 1, bytes) <= 1 && inPlace.Read(inPlace.Length, bytes) == 0, "nothing is behind the end");
    }

    private static byte[] Record(long offset, long size)
    {
        byte[] header = new byte[16];
        BinaryPrimitives.WriteInt64BigEndian(header, offset);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(8), size);
        return header;
    }
}

/// <summary>A packed dump: what comes out is a file, or it is said why not.</summary>
public sealed class PackedDumps : FuzzTarget
{
    public override int MaximumLength => 200; // a block of four bytes unpacks to 128 KiB

    public override double Share => 0.1;

    public override IReadOnlyList<byte[]> Tokens => [[0x28, 0xb5, 0x2f, 0xfd], [0x1f, 0x8b, 8, 0]];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            using MemoryStream gzip = new();
            using (System.IO.Compression.GZipStream packer = new(gzip, System.IO.Compression.CompressionLevel.Fastest)) packer.Write(new byte[10_000]);
            yield return gzip.ToArray();
            yield return [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00, 0x29, 0x00, 0x00, (byte)'d', (byte)'u', (byte)'m', (byte)'p', (byte)'s', 0x99, 0xe9, 0xd8, 0x51];
            yield return [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x03, 0x00, 0x02, 7];
        }
    }

    public override bool IsExpected(Exception exception) => exception is VmcoreFormatException;

    public override void Run(ReadOnlySpan<byte> input)
    {
        using PeekedStream stream = new(new MemoryStream([.. input]), 16);
        (FileBytes bytes, _) = Spool.Unpack(PackedStreams.PackingOf(stream.Start), stream, "input", input.Length, null);
        using (bytes) Require(bytes.Length >= 0 && bytes.Read(bytes.Length, new byte[1]) == 0, "the unpacked file has an end");
    }
}
