namespace Netdump.Vmcore.Elf;

/// <summary>The ELF header and program headers of a core file, of either class and byte order: where each range of memory lies in the file.</summary>
/// <remarks>
/// Sources: elf.h (Elf64_Ehdr, Elf32_Ehdr, Elf64_Phdr, Elf32_Phdr, PN_XNUM) and fs/proc/vmcore.c. Class and machine are two things: a
/// capture kernel of i386 serves 64-bit headers where memory lies above 4 GiB. The program headers are taken from e_phoff with e_phentsize,
/// not from where they usually are: QEMU puts section headers before them.
/// </remarks>
public sealed class ElfCoreHeader
{
    /// <summary>Bytes of the fixed ELF header: enough for a first <see cref="MeasureTables"/>.</summary>
    public const int FileHeaderLength = 64;

    /// <summary>The most bytes from the file's start that headers may take; more is refused, so that a hostile header costs bounded memory.</summary>
    public const int MaximumLength = 64 << 20;

    private const ushort ExtendedCount = 0xffff; // PN_XNUM: the count is sh_info of section header 0
    private const ushort TypeCore = 4;
    private const ulong PhysicalLimit = 1UL << 52; // the widest physical address of x86_64 and arm64
    private const int ChunkAlignment = 4096;

    private readonly ElfSegment[] _segments;

    private ElfCoreHeader(in Tables tables, ElfSegment[] segments)
    {
        Machine = tables.Machine;
        Flags = tables.Flags;
        Is64 = tables.Is64;
        IsBigEndian = tables.IsBigEndian;
        _segments = segments;
        HeaderAreaLength = FirstChunk(segments);
    }

    /// <summary>e_machine: see <see cref="Machines"/>.</summary>
    public ushort Machine { get; }

    /// <summary>Whether the headers are ELFCLASS64.</summary>
    public bool Is64 { get; }

    /// <summary>Whether headers and notes (and the machine's memory) are big-endian.</summary>
    public bool IsBigEndian { get; }

    /// <summary>Whether e_flags says that the dump ran out of space (bit 0, set by makedumpfile).</summary>
    public bool IsMarkedIncomplete => (Flags & 1) != 0;

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

    /// <summary>Whether all of several memory segments claim physical address 0: nothing here says where memory was.</summary>
    public bool LacksPhysicalAddresses
    {
        get
        {
            var count = 0;
            foreach (var segment in _segments)
            {
                if (segment.Type != ElfSegment.Load)
                    continue;
                if (segment.PhysicalAddress != 0)
                    return false;
                count++;
            }
            return count > 1;
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
    /// <param name="start">The first bytes of the file, <see cref="FileHeaderLength"/> or all it has.</param>
    /// <returns>The number of bytes; when it is more than were given, read as many and ask again (with PN_XNUM the count itself lies further on).</returns>
    /// <exception cref="VmcoreFormatException">Not an ELF core, or its tables are larger than <see cref="MaximumLength"/>.</exception>
    public static int MeasureTables(ReadOnlySpan<byte> start)
    {
        var tables = Tables.Parse(start);
        return tables.Count is { } count ? tables.End(count) : tables.SectionEnd;
    }

    /// <summary>Reads header and program headers.</summary>
    /// <param name="headerArea">The file from its first byte, long enough to hold all program headers (see <see cref="MeasureTables"/>).</param>
    /// <exception cref="VmcoreFormatException">Not an ELF core, cut short, or a field contradicts another.</exception>
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
            segments[i] = ParseSegment(headerArea.Slice(at, tables.Sizes.ProgramHeader), at, tables);
        }
        return new ElfCoreHeader(tables, segments);
    }

    private static ElfSegment ParseSegment(ReadOnlySpan<byte> header, int at, in Tables tables)
    {
        var fields = new FieldReader(header, tables.IsBigEndian);
        var type = fields.U32(0);
        ulong offset, virtualAddress, physicalAddress, fileSize, memorySize, alignment;
        uint flags;
        if (tables.Is64)
        {
            (flags, offset, virtualAddress, physicalAddress) = (fields.U32(4), fields.U64(8), fields.U64(16), fields.U64(24));
            (fileSize, memorySize, alignment) = (fields.U64(32), fields.U64(40), fields.U64(48));
        }
        else
        {
            (offset, virtualAddress, physicalAddress) = (fields.U32(4), fields.U32(8), fields.U32(12));
            (fileSize, memorySize, flags, alignment) = (fields.U32(16), fields.U32(20), fields.U32(24), fields.U32(28));
            if (physicalAddress == uint.MaxValue)
                physicalAddress = ElfSegment.NoPhysicalAddress;
        }

        if (fileSize == 0)
            offset = 0; // QEMU writes all ones here for a range it left out
        if (fileSize > long.MaxValue || offset > long.MaxValue - fileSize)
            throw new VmcoreFormatException(at + tables.Sizes.SegmentOffset, $"segment with offset 0x{offset:x} and size 0x{fileSize:x} ends beyond any file");
        if (type == ElfSegment.Load && fileSize > memorySize)
            throw new VmcoreFormatException(at + tables.Sizes.SegmentFileSize, $"memory segment has 0x{fileSize:x} bytes in the file for 0x{memorySize:x} bytes of memory");
        if (type == ElfSegment.Load && physicalAddress != ElfSegment.NoPhysicalAddress
            && (physicalAddress > PhysicalLimit || memorySize > PhysicalLimit - physicalAddress))
            throw new VmcoreFormatException(at + tables.Sizes.SegmentPhysical, $"memory segment at physical address 0x{physicalAddress:x} of 0x{memorySize:x} bytes ends above 2^52");
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

    /// <summary>Lengths of structures and offsets of fields that differ between the classes (elf.h).</summary>
    private readonly record struct ClassSizes(
        int FileHeader, int ProgramHeader, int SectionHeader, int SectionInfo,
        int TableOffset, int SectionOffset, int FlagsOffset, int EntryLength, int EntryCount,
        int SegmentOffset, int SegmentPhysical, int SegmentFileSize)
    {
        public static readonly ClassSizes Of64 = new(64, 56, 64, 44, 32, 40, 48, 54, 56, 8, 24, 32);
        public static readonly ClassSizes Of32 = new(52, 32, 40, 28, 28, 32, 36, 42, 44, 4, 12, 16);
    }

    /// <summary>What the fixed header says of the tables behind it.</summary>
    private readonly record struct Tables(
        bool Is64, bool IsBigEndian, ushort Machine, uint Flags, int Offset, int EntryLength, int? Count, int SectionEnd)
    {
        public ClassSizes Sizes => Is64 ? ClassSizes.Of64 : ClassSizes.Of32;

        public static Tables Parse(ReadOnlySpan<byte> file)
        {
            if (!file.StartsWith("\u007fELF"u8))
                throw new VmcoreFormatException(0, $"not an ELF core but {FileKind.Describe(file)}");
            if (file.Length < ClassSizes.Of32.FileHeader)
                throw new VmcoreFormatException(file.Length, $"the file has {file.Length} bytes, an ELF header takes {FileHeaderLength}");
            if (file[4] is not (1 or 2))
                throw new VmcoreFormatException(4, $"ELF class {file[4]}, 1 is 32-bit and 2 is 64-bit");
            if (file[5] is not (1 or 2))
                throw new VmcoreFormatException(5, $"ELF byte order {file[5]}, 1 is little-endian and 2 is big-endian");
            var (is64, isBigEndian) = (file[4] == 2, file[5] == 2);
            var sizes = is64 ? ClassSizes.Of64 : ClassSizes.Of32;
            if (file.Length < sizes.FileHeader)
                throw new VmcoreFormatException(file.Length, $"the file has {file.Length} bytes, an ELF header takes {FileHeaderLength}");
            var fields = new FieldReader(file, isBigEndian);
            var type = fields.U16(16);
            if (type != TypeCore)
                throw new VmcoreFormatException(16, $"ELF type {type}, a core has {TypeCore}");

            var machine = fields.U16(18);
            var programHeaders = fields.Word(sizes.TableOffset, is64);
            var sectionHeaders = fields.Word(sizes.SectionOffset, is64);
            var entryLength = fields.U16(sizes.EntryLength);
            int? count = fields.U16(sizes.EntryCount);
            if (count == 0)
                throw new VmcoreFormatException(
                    sizes.EntryCount,
                    $"no program headers: this {(is64 ? 64 : 32)}-bit {(isBigEndian ? "big" : "little")}-endian core of {Machines.NameOf(machine)} describes no memory");
            if (programHeaders < (ulong)sizes.FileHeader || programHeaders > MaximumLength)
                throw new VmcoreFormatException(
                    sizes.TableOffset, $"program headers at offset 0x{programHeaders:x}, outside the first {MaximumLength} bytes");
            if (entryLength < sizes.ProgramHeader)
                throw new VmcoreFormatException(sizes.EntryLength, $"program headers of {entryLength} bytes, {sizes.ProgramHeader} are needed");

            var sectionEnd = 0;
            if (count == ExtendedCount)
            {
                if (sectionHeaders < (ulong)sizes.FileHeader || sectionHeaders > (ulong)(MaximumLength - sizes.SectionHeader))
                    throw new VmcoreFormatException(
                        sizes.SectionOffset, $"section header 0, which counts the program headers, at offset 0x{sectionHeaders:x}");
                sectionEnd = (int)sectionHeaders + sizes.SectionHeader;
                count = null;
                if (file.Length >= sectionEnd)
                {
                    var extended = fields.U32((int)sectionHeaders + sizes.SectionInfo);
                    if (extended is 0 or > int.MaxValue)
                        throw new VmcoreFormatException(
                            (long)sectionHeaders + sizes.SectionInfo, $"section header 0 counts {extended} program headers");
                    count = (int)extended;
                }
            }
            return new Tables(is64, isBigEndian, machine, fields.U32(sizes.FlagsOffset), (int)programHeaders, entryLength, count, sectionEnd);
        }

        public int End(int count)
        {
            var end = Offset + (long)count * EntryLength;
            if (end > MaximumLength)
                throw new VmcoreFormatException(
                    Sizes.EntryCount, $"{count} program headers of {EntryLength} bytes end beyond the first {MaximumLength} bytes");
            return Math.Max((int)end, SectionEnd);
        }
    }
}
