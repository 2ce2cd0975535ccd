namespace Netdump.Vmcore.Kdump;

/// <summary>Offsets of the fields of disk_dump_header and kdump_sub_header by word size and padding (makedumpfile's diskdump_mod.h).</summary>
/// <remarks>The word is the dumped kernel's long; i386 aligns 8-byte fields to 4 (packed), arm to 8 (padded).</remarks>
internal sealed record KdumpLayout
{
    public required int Word { get; init; }

    public required int Timestamp { get; init; }

    public required int Status { get; init; }

    public int BlockSize => Status + 4;

    public int SubHeaderBlocks => Status + 8;

    public int BitmapBlocks => Status + 12;

    public int PageLimit32 => Status + 16;

    public int ProcessorCount => Status + 36;

    /// <summary>Bytes of the header up to the list of tasks.</summary>
    public int HeaderLength => Status + 40;

    public int DumpLevel => Word;

    public int Split => Word + 4;

    public int StartPage32 => Word + 8;

    public int EndPage32 => StartPage32 + Word;

    public required int InfoOffset { get; init; }

    public int InfoSize => InfoOffset + 8;

    public required int NotesOffset { get; init; }

    public int NotesSize => NotesOffset + 8;

    public required int EraseOffset { get; init; }

    public int EraseSize => EraseOffset + 8;

    public required int StartPage { get; init; }

    public int EndPage => StartPage + 8;

    public int PageLimit => StartPage + 16;

    /// <summary>Bytes of the sub-header of version 6.</summary>
    public int SubHeaderLength => StartPage + 24;

    public static KdumpLayout Of64 { get; } = new()
    {
        Word = 8,
        Timestamp = 408,
        Status = 424,
        InfoOffset = 32,
        NotesOffset = 48,
        EraseOffset = 64,
        StartPage = 80,
    };

    public static KdumpLayout Packed32 { get; } = new()
    {
        Word = 4,
        Timestamp = 404,
        Status = 412,
        InfoOffset = 20,
        NotesOffset = 32,
        EraseOffset = 44,
        StartPage = 56,
    };

    public static KdumpLayout Padded32 { get; } = new()
    {
        Word = 4,
        Timestamp = 404,
        Status = 412,
        InfoOffset = 24,
        NotesOffset = 40,
        EraseOffset = 56,
        StartPage = 72,
    };
}
