using System.Buffers.Binary;

namespace Netdump.Vmcore.Elf;

/// <summary>The ELF header and program headers of a 64-bit little-endian core file: where each range of memory lies in the file.</summary>
/// <remarks>
/// Sources: elf.h (Elf64_Ehdr, Elf64_Phdr, PN_XNUM) and fs/proc/vmcore.c. The program headers are taken from e_phoff with e_phentsize,
/// not from where they usually are: QEMU puts section headers before them.
/// </remarks>
public sealed class ElfCoreHeader
{
    /// <summary>Bytes of the fixed ELF header: enough for a first <see cref="MeasureTables"/>.</summary>
    public const int FileHeaderLength = 64;

    /// <summary>The most bytes from the file's start that headers may take; more is refused, so that a hostile header costs bounded memory.</summary>
    public const int MaximumLength = 64 << 20;

    /// <summary>e_machine of x86_64.</summary>
    public const ushort MachineX64 = 62;

    private const int ProgramHeaderLength = 56;
    private const int SectionHeaderLength = 64;
    private const ushort ExtendedCount = 0xffff; // PN_XNUM: the count is sh_info of section header 0
    private const ushort TypeCore = 4;
    private const ulong PhysicalLimit = 1UL << 52; // the widest physical address of x86_64 and arm64
    private const int ChunkAlignment = 4096;

    private readonly ElfSegment[] _segments;

    private ElfCoreHeader(ushort machine, uint flags, ElfSegment[] segments)
    {
        Machine = machine;
        Flags = flags;
        _segments = segments;
        HeaderAreaLength = FirstChunk(segments);
    }

    /// <summary>e_machine: <see cref="MachineX64"/> or another.</summary>
    public ushort Machine { get; }

    /// <summary>e_flags; makedumpfile sets bit 0 in a dump that ran out of space.</summary>
    public uint Flags { get; }

    /// <summary>All program headers in their order in the file.</summary>
    public IReadOnlyList<ElfSegment> Segments => _segments;

    /// <summary>File offset of the notes (p_offset of the first PT_NOTE), 0 when there are none.</summary>
    public long NotesOffset => Notes?.Offset ?? 0;

    /// <summary>Bytes of notes (p_filesz of the first PT_NOTE), 0 when there are none.</summary>
    public long NotesLength => Notes?.FileSize ?? 0;

    /// <summary>
    /// Bytes before the first chunk of memory: ELF header, program headers and notes. A chunk of /proc/vmcore begins at the page border below
    /// its PT_LOAD's offset, so in such a file this is a multiple of 4096. 0 when no PT_LOAD has bytes in the file.
    /// </summary>
    public long HeaderAreaLength { get; }

    /// <summary>Physical address behind the highest byte of memory the segments describe; 0 when there is none.</summary>
    public ulong PhysicalEnd
    {
        get
        {
            var end = 0UL;
            foreach (var segment in _segments)
                if (segment.IsMemory)
                    end = Math.Max(end, segment.PhysicalEnd);
            return end;
        }
    }

    private ElfSegment? Notes
    {
        get
        {
            foreach (var segment in _segments)
                if (segment.Type == ElfSegment.Note && segment.FileSize > 0)
                    return segment;
            return null;
        }
    }

    /// <summary>How many bytes from the file's start <see cref="Parse"/> needs, as far as the given bytes tell.</summary>
    /// <param name="start">The first bytes of the file, at least <see cref="FileHeaderLength"/>.</param>
    /// <returns>The number of bytes; when it is more than were given, read as many and ask again (with PN_XNUM the count itself lies further on).</returns>
    /// <exception cref="VmcoreFormatException">Not a 64-bit little-endian ELF core, or its tables are larger than <see cref="MaximumLength"/>.</exception>
    public static int MeasureTables(ReadOnlySpan<byte> start)
    {
        var tables = Tables.Parse(start);
        return tables.Count is { } count ? tables.End(count) : tables.SectionEnd;
    }

    /// <summary>Reads header and program headers.</summary>
    /// <param name="headerArea">The file from its first byte, long enough to hold all program headers (see <see cref="MeasureTables"/>).</param>
    /// <exception cref="VmcoreFormatException">Not a 64-bit little-endian ELF core, cut short, or a field contradicts another.</exception>
    public static ElfCoreHeader Parse(ReadOnlySpan<byte> headerArea)
    {
        var tables = Tables.Parse(headerArea);
        if (tables.Count is not { } count)
            throw new VmcoreFormatException(headerArea.Length, $"the file ends before section header 0, which lies up to offset 0x{tables.SectionEnd:x}");
        var end = tables.End(count);
        if (end > headerArea.Length)
            throw new VmcoreFormatException(headerArea.Length, $"the file ends inside its {count} program headers, which lie up to offset 0x{end:x}");

        var segments = new ElfSegment[count];
        for (var i = 0; i < segments.Length; i++)
        {
            var at = tables.Offset + i * tables.EntryLength;
            segments[i] = ParseSegment(headerArea.Slice(at, ProgramHeaderLength), at);
        }
        return new ElfCoreHeader(tables.Machine, tables.Flags, segments);
    }

    private static ElfSegment ParseSegment(ReadOnlySpan<byte> header, int at)
    {
        var type = BinaryPrimitives.ReadUInt32LittleEndian(header);
        var flags = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        var offset = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        var virtualAddress = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
        var physicalAddress = BinaryPrimitives.ReadUInt64LittleEndian(header[24..]);
        var fileSize = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        var memorySize = BinaryPrimitives.ReadUInt64LittleEndian(header[40..]);
        var alignment = BinaryPrimitives.ReadUInt64LittleEndian(header[48..]);

        if (fileSize == 0)
            offset = 0; // QEMU writes all ones here for a range it left out
        if (fileSize > long.MaxValue || offset > long.MaxValue - fileSize)
            throw new VmcoreFormatException(at + 8, $"segment with offset 0x{offset:x} and size 0x{fileSize:x} ends beyond any file");
        if (type == ElfSegment.Load && fileSize > memorySize)
            throw new VmcoreFormatException(at + 32, $"memory segment has 0x{fileSize:x} bytes in the file for 0x{memorySize:x} bytes of memory");
        if (type == ElfSegment.Load && physicalAddress != ElfSegment.NoPhysicalAddress
            && (physicalAddress > PhysicalLimit || memorySize > PhysicalLimit - physicalAddress))
            throw new VmcoreFormatException(at + 24, $"memory segment at physical address 0x{physicalAddress:x} of 0x{memorySize:x} bytes ends above 2^52");
        return new ElfSegment(type, flags, (long)offset, virtualAddress, physicalAddress, (long)fileSize, memorySize, alignment);
    }

    private static long FirstChunk(ElfSegment[] segments)
    {
        var first = long.MaxValue;
        foreach (var segment in segments)
        {
            if (segment.Type != ElfSegment.Load || segment.FileSize == 0)
                continue;
            var chunk = segment.Offset;
            var inPage = (long)(segment.PhysicalAddress % ChunkAlignment);
            if (chunk % ChunkAlignment == inPage)
                chunk -= inPage;
            first = Math.Min(first, chunk);
        }
        return first == long.MaxValue ? 0 : first;
    }

    /// <summary>What the fixed header says of the tables behind it.</summary>
    private readonly record struct Tables(ushort Machine, uint Flags, int Offset, int EntryLength, int? Count, int SectionEnd)
    {
        public static Tables Parse(ReadOnlySpan<byte> file)
        {
            if (!file.StartsWith("\u007fELF"u8))
                throw new VmcoreFormatException(0, $"not an ELF core but {FileKind.Describe(file)}");
            if (file.Length < FileHeaderLength)
                throw new VmcoreFormatException(file.Length, $"the file has {file.Length} bytes, an ELF header takes {FileHeaderLength}");
            if (file[4] != 2)
                throw new VmcoreFormatException(4, $"ELF class {file[4]}: only 64-bit cores are read");
            if (file[5] != 1)
                throw new VmcoreFormatException(5, $"ELF byte order {file[5]}: only little-endian cores are read");
            var type = BinaryPrimitives.ReadUInt16LittleEndian(file[16..]);
            if (type != TypeCore)
                throw new VmcoreFormatException(16, $"ELF type {type}, a core has {TypeCore}");

            var programHeaders = BinaryPrimitives.ReadUInt64LittleEndian(file[32..]);
            var sectionHeaders = BinaryPrimitives.ReadUInt64LittleEndian(file[40..]);
            var entryLength = BinaryPrimitives.ReadUInt16LittleEndian(file[54..]);
            int? count = BinaryPrimitives.ReadUInt16LittleEndian(file[56..]);
            if (programHeaders is < FileHeaderLength or > MaximumLength)
                throw new VmcoreFormatException(32, $"program headers at offset 0x{programHeaders:x}, outside the first {MaximumLength} bytes");
            if (entryLength < ProgramHeaderLength)
                throw new VmcoreFormatException(54, $"program headers of {entryLength} bytes, {ProgramHeaderLength} are needed");
            if (count == 0)
                throw new VmcoreFormatException(56, "no program headers: the file describes no memory");

            var sectionEnd = 0;
            if (count == ExtendedCount)
            {
                if (sectionHeaders is < FileHeaderLength or > MaximumLength - SectionHeaderLength)
                    throw new VmcoreFormatException(40, $"section header 0, which counts the program headers, at offset 0x{sectionHeaders:x}");
                sectionEnd = (int)sectionHeaders + SectionHeaderLength;
                count = null;
                if (file.Length >= sectionEnd)
                {
                    var extended = BinaryPrimitives.ReadUInt32LittleEndian(file[((int)sectionHeaders + 44)..]);
                    if (extended is 0 or > int.MaxValue)
                        throw new VmcoreFormatException((long)sectionHeaders + 44, $"section header 0 counts {extended} program headers");
                    count = (int)extended;
                }
            }
            return new Tables(
                BinaryPrimitives.ReadUInt16LittleEndian(file[18..]), BinaryPrimitives.ReadUInt32LittleEndian(file[48..]),
                (int)programHeaders, entryLength, count, sectionEnd);
        }

        public int End(int count)
        {
            var end = Offset + (long)count * EntryLength;
            if (end > MaximumLength)
                throw new VmcoreFormatException(56, $"{count} program headers of {EntryLength} bytes end beyond the first {MaximumLength} bytes");
            return Math.Max((int)end, SectionEnd);
        }
    }
}
