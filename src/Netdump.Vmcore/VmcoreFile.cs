using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Log;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore;

/// <summary>An open dump: headers and notes read and checked, memory at hand.</summary>
public sealed class VmcoreFile : IDisposable
{
    private const int DefaultPageSize = 4096;

    private VmcoreFile(DumpBytes bytes, ElfCoreHeader header, IReadOnlyList<ElfNote> notes)
    {
        Bytes = bytes;
        Header = header;
        Notes = notes;
        Processors = header.Machine == ElfCoreHeader.MachineX64 ? ProcessorStatus.From(notes) : [];
        foreach (var note in notes)
            if (note.Name == "VMCOREINFO" && Info is null)
                Info = VmcoreInfo.Parse(note.Description.Span);
        PageSize = Info?.PageSize ?? DefaultPageSize;
        Physical = new PhysicalMemory(bytes, header, PageSize);
        foreach (var segment in header.Segments)
            if (segment.FileSize > 0)
                LengthNeeded = Math.Max(LengthNeeded, segment.Offset + segment.FileSize);
    }

    /// <summary>The file.</summary>
    public DumpBytes Bytes { get; }

    /// <summary>ELF header and program headers.</summary>
    public ElfCoreHeader Header { get; }

    /// <summary>All notes in the file's order.</summary>
    public IReadOnlyList<ElfNote> Notes { get; }

    /// <summary>The registers of each CPU that saved them; empty for machines other than x86_64.</summary>
    public IReadOnlyList<ProcessorStatus> Processors { get; }

    /// <summary>VMCOREINFO, or null when the core carries none.</summary>
    public VmcoreInfo? Info { get; }

    /// <summary>Bytes of a page: the kernel's PAGESIZE, 4096 without VMCOREINFO.</summary>
    public int PageSize { get; }

    /// <summary>Physical memory.</summary>
    public PhysicalMemory Physical { get; }

    /// <summary>Bytes the segments say the file has.</summary>
    public long LengthNeeded { get; }

    /// <summary>Whether the file ends before its segments do.</summary>
    public bool IsTruncated => Bytes.Length < LengthNeeded;

    /// <summary>Opens an ELF core. A file cut short inside its memory opens (see <see cref="IsTruncated"/>), one without its headers does not.</summary>
    /// <exception cref="VmcoreFormatException">Not a 64-bit ELF core, or its headers or notes are cut short or corrupt.</exception>
    /// <exception cref="IOException">The file cannot be opened or read; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static VmcoreFile Open(string path)
    {
        var bytes = DumpBytes.Open(path);
        try
        {
            var header = ReadHeader(bytes);
            return new VmcoreFile(bytes, header, ReadNotes(bytes, header));
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <summary>The dead kernel's virtual memory, with a cache of its own: one for each thread.</summary>
    /// <exception cref="VmcoreFormatException">A machine other than x86_64 and arm64, or VMCOREINFO lacks what translation needs.</exception>
    public KernelMemory OpenKernelMemory() => new(Physical.Read, RequireInfo(), Header.Machine, Physical.EndPage * (ulong)PageSize);

    /// <summary>Reads the dead kernel's log, oldest record first.</summary>
    /// <exception cref="VmcoreFormatException">The log cannot be found in this dump; the message says why.</exception>
    public IReadOnlyList<LogRecord> ReadLog() => KernelLog.Read(OpenKernelMemory().Read, RequireInfo());

    /// <summary>Finds the dead kernel's log, to go through it record by record in little memory.</summary>
    /// <exception cref="VmcoreFormatException">The log cannot be found in this dump; the message says why.</exception>
    public LogRing OpenLog() => KernelLog.Open(OpenKernelMemory().Read, RequireInfo());

    /// <inheritdoc/>
    public void Dispose() => Bytes.Dispose();

    private VmcoreInfo RequireInfo() => Info ?? throw new VmcoreFormatException(-1, "the dump carries no VMCOREINFO: kernel memory cannot be translated");

    private static ElfCoreHeader ReadHeader(DumpBytes bytes)
    {
        var area = ReadExactly(bytes, 0, (int)Math.Min(ElfCoreHeader.FileHeaderLength, bytes.Length));
        // Twice at most: with PN_XNUM the first answer only reaches the section header that holds the count.
        for (var needed = ElfCoreHeader.MeasureTables(area); needed > area.Length; needed = ElfCoreHeader.MeasureTables(area))
            area = ReadExactly(bytes, 0, needed);
        return ElfCoreHeader.Parse(area);
    }

    private static IReadOnlyList<ElfNote> ReadNotes(DumpBytes bytes, ElfCoreHeader header)
    {
        if (header.NotesLength == 0)
            return [];
        if (header.NotesLength > ElfCoreHeader.MaximumLength)
            throw new VmcoreFormatException(header.NotesOffset, $"{header.NotesLength} bytes of notes, {ElfCoreHeader.MaximumLength} at most are read");
        return ElfNotes.Parse(ReadExactly(bytes, header.NotesOffset, (int)header.NotesLength), header.NotesOffset);
    }

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
