using System.Text;

namespace Netdump.Vmcore.Elf;

/// <summary>One note of a core file.</summary>
/// <param name="Name">Owner without its NUL: <c>CORE</c>, <c>VMCOREINFO</c>, <c>LINUX</c> (a driver's dump), <c>QEMU</c> ...</param>
/// <param name="Type">n_type; its meaning depends on the name.</param>
/// <param name="Description">The note's bytes.</param>
/// <param name="Offset">Where the description begins in the file.</param>
public sealed record ElfNote(string Name, uint Type, ReadOnlyMemory<byte> Description, long Offset);

/// <summary>The list of notes in a PT_NOTE segment (elf.h, Elf64_Nhdr).</summary>
public static class ElfNotes
{
    /// <summary>More notes than this are refused: each CPU has one or two, and no machine has as many.</summary>
    public const int MaximumCount = 1 << 16;

    private const int HeaderLength = 12;

    /// <summary>Reads the notes. Names and descriptions are padded to 4 bytes, in 64-bit cores too; an all-zero header ends the list.</summary>
    /// <param name="area">The segment's bytes.</param>
    /// <param name="fileOffset">Where the segment begins in the file, for <see cref="ElfNote.Offset"/> and errors.</param>
    /// <param name="isBigEndian">Byte order of the machine that wrote them.</param>
    /// <exception cref="VmcoreFormatException">A note is larger than what is left of the segment, or there are too many.</exception>
    public static IReadOnlyList<ElfNote> Parse(ReadOnlyMemory<byte> area, long fileOffset, bool isBigEndian = false)
    {
        var notes = new List<ElfNote>();
        var bytes = area.Span;
        var fields = new FieldReader(bytes, isBigEndian);
        var at = 0;
        while (bytes.Length - at >= HeaderLength)
        {
            var nameLength = fields.U32(at);
            var length = fields.U32(at + 4);
            var type = fields.U32(at + 8);
            if (nameLength == 0 && length == 0 && type == 0)
                break;
            var left = (uint)(bytes.Length - at - HeaderLength);
            var paddedName = Padded(nameLength);
            if (paddedName > left || length > left - paddedName)
                throw new VmcoreFormatException(
                    fileOffset + at, $"note with a name of {nameLength} and a description of {length} bytes where {left} are left");
            if (notes.Count == MaximumCount)
                throw new VmcoreFormatException(fileOffset + at, $"more than {MaximumCount} notes");

            var nameAt = at + HeaderLength;
            var descriptionAt = nameAt + (int)paddedName;
            var name = Encoding.Latin1.GetString(bytes.Slice(nameAt, (int)Math.Min(nameLength, 64)).TrimEnd((byte)0));
            notes.Add(new ElfNote(name, type, area.Slice(descriptionAt, (int)length), fileOffset + descriptionAt));
            at = (int)Math.Min(bytes.Length, descriptionAt + (long)Padded(length));
        }
        return notes;
    }

    // In 64 bits: 0xffffffff must not become 0.
    private static ulong Padded(uint length) => (length + 3UL) & ~3UL;
}
