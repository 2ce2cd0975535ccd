using Netdump.Vmcore.Kdump;

namespace Netdump.Vmcore.Elf;

/// <summary>Reads what lies before a dump's memory: an ELF core's headers, and the notes of either format.</summary>
internal static class DumpNotes
{
    public static ElfCoreHeader ReadHeader(DumpBytes bytes)
    {
        var area = ReadExactly(bytes, 0, (int)Math.Min(ElfCoreHeader.FileHeaderLength, bytes.Length));
        // Twice at most: with PN_XNUM the first answer only reaches the section header that holds the count.
        for (var needed = ElfCoreHeader.MeasureTables(area); needed > area.Length; needed = ElfCoreHeader.MeasureTables(area))
            area = ReadExactly(bytes, 0, needed);
        return ElfCoreHeader.Parse(area);
    }

    public static byte[] Of(DumpBytes bytes, ElfCoreHeader header)
    {
        if (header.NotesLength > ElfCoreHeader.MaximumLength)
            throw new VmcoreFormatException(header.NotesOffset, $"{header.NotesLength} bytes of notes, {ElfCoreHeader.MaximumLength} at most are read");
        return header.NotesLength == 0 ? [] : ReadExactly(bytes, header.NotesOffset, (int)header.NotesLength);
    }

    public static byte[] Of(DumpBytes bytes, KdumpHeader header) =>
        header.Notes.Length == 0 ? [] : ReadExactly(bytes, header.Notes.Offset, header.Notes.Length);

    public static VmcoreInfo? FindInfo(IReadOnlyList<ElfNote> notes)
    {
        foreach (var note in notes)
            if (note.Name == "VMCOREINFO")
                return VmcoreInfo.Parse(note.Description.Span);
        return null;
    }

    public static VmcoreInfo? ReadInfo(DumpBytes bytes, KdumpHeader header) =>
        header.Info.Length == 0 ? null : VmcoreInfo.Parse(ReadExactly(bytes, header.Info.Offset, header.Info.Length));

    private static byte[] ReadExactly(DumpBytes bytes, long offset, int length)
    {
        // Checked before the array is made: a few hostile bytes must not cost megabytes.
        if (length > bytes.Length || offset > bytes.Length - length)
            throw new VmcoreFormatException(bytes.Length, $"the file ends inside its headers, which lie up to offset 0x{offset + length:x}");
        var area = GC.AllocateUninitializedArray<byte>(length);
        return bytes.Read(offset, area) == length
            ? area
            : throw new VmcoreFormatException(offset, $"the file became shorter than {bytes.Length} bytes while it was read");
    }
}
