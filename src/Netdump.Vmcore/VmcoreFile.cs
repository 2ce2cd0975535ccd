using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Log;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Packed;

namespace Netdump.Vmcore;

/// <summary>An open dump of any format: headers and notes read and checked, memory at hand.</summary>
public sealed class VmcoreFile : IDisposable
{
    private const int DefaultPageSize = 4096;
    private const ulong MostMemory = 1UL << 48; // 256 TiB

    private readonly DumpBytes[] _files;
    private VmcoreInfo? _found;
    private bool _isSearched;

    private VmcoreFile(DumpBytes bytes, ElfCoreHeader elf, bool mapped)
    {
        _files = [bytes];
        Elf = elf;
        (Machine, IsBigEndian) = (elf.Machine, elf.IsBigEndian);
        NotesArea = DumpNotes.Of(bytes, elf);
        Notes = ElfNotes.Parse(NotesArea, elf.NotesOffset, IsBigEndian);
        Info = DumpNotes.FindInfo(Notes);
        if (Info is null && elf.LacksPhysicalAddresses)
            throw new VmcoreFormatException(elf.NotesOffset, "a core without physical addresses: of a process, not of a kernel");
        Processors = ProcessorStatus.From(Notes, Machine, IsBigEndian);
        Physical = new ElfMemory(bytes, elf, Info?.PageSize ?? DefaultPageSize, mapped);
        // Filtering and sending go through all of it, if only to say that it is not there.
        if (Physical.PageCount > MostMemory / (ulong)Physical.PageSize)
            throw new VmcoreFormatException(-1, $"the headers claim {Physical.PageCount} pages of memory ({Physical.PageCount * (ulong)Physical.PageSize >> 40} TiB), more than any machine has");
        foreach (var segment in elf.Segments)
            if (segment.FileSize > 0)
                LengthNeeded = Math.Max(LengthNeeded, segment.Offset + segment.FileSize);
    }

    private VmcoreFile(KdumpSet set)
    {
        _files = set.Files;
        Kdump = set.First.Header;
        var bytes = set.First.Bytes;
        IsBigEndian = Kdump.IsBigEndian;
        NotesArea = DumpNotes.Of(bytes, Kdump);
        Notes = ElfNotes.Parse(NotesArea, Kdump.Notes.Offset, IsBigEndian);
        Info = DumpNotes.FindInfo(Notes) ?? DumpNotes.ReadInfo(bytes, Kdump);
        Machine = Machines.ByName(Kdump.Utsname[4]);
        if (Machine == Machines.Unknown && Info is not null)
            Machine = MachineOf(Info);
        Processors = ProcessorStatus.From(Notes, Machine, IsBigEndian);
        MissingPages = set.MissingPages;
        Physical = new KdumpMemory(set.Parts);
        LengthNeeded = set.LengthNeeded;
    }

    /// <summary>The file; of a split dump the one with the lowest pages.</summary>
    public DumpBytes Bytes => _files[0];

    /// <summary>ELF header and program headers; null for a kdump-compressed dump.</summary>
    public ElfCoreHeader? Elf { get; }

    /// <summary>The header of a kdump-compressed dump, of a split one the file's with the lowest pages; null for an ELF core.</summary>
    public KdumpHeader? Kdump { get; }

    /// <summary>The dumped machine: see <see cref="Machines"/>.</summary>
    public ushort Machine { get; private set; }

    /// <summary>Byte order of the dumped machine.</summary>
    public bool IsBigEndian { get; }

    /// <summary>The notes as they lie in the file, an ELF PT_NOTE's content; empty when there are none.</summary>
    public ReadOnlyMemory<byte> NotesArea { get; }

    /// <summary>All notes in the file's order.</summary>
    public IReadOnlyList<ElfNote> Notes { get; }

    /// <summary>The registers of each CPU that saved them; empty for machines whose registers are not known.</summary>
    public IReadOnlyList<ProcessorStatus> Processors { get; }

    /// <summary>VMCOREINFO, or null when the dump carries none as a note; kernel memory and log then look for it in memory.</summary>
    public VmcoreInfo? Info { get; }

    /// <summary>Bytes of a page: the kdump file's block, an ELF core's PAGESIZE in VMCOREINFO (4096 without).</summary>
    public int PageSize => Physical.PageSize;

    /// <summary>Physical memory.</summary>
    public PhysicalMemory Physical { get; }

    /// <summary>Pages of a split dump that none of the files given holds; empty for others.</summary>
    public IReadOnlyList<PageRange> MissingPages { get; } = [];

    /// <summary>Bytes the file has by its headers (an ELF core's segments, a kdump file's table of pages).</summary>
    public long LengthNeeded { get; }

    /// <summary>Whether the file ends before its segments (or its table of pages) do.</summary>
    public bool IsTruncated => Bytes.Length < LengthNeeded;

    /// <summary>Whether the writer marked the dump as unfinished: it ran out of space, or was interrupted.</summary>
    public bool IsUnfinished { get; private init; }

    /// <summary>Whether all is there: not marked, not cut short, no part missing.</summary>
    public bool IsComplete => !IsUnfinished && !IsTruncated && MissingPages.Count == 0;

    /// <summary>What was around the dump: packed, flattened.</summary>
    public DumpWrapping Wrapping { get; private init; }

    /// <summary>Opens a dump, judged by its content. One that is cut short inside its memory opens (see <see cref="IsComplete"/>), one without its headers does not.</summary>
    /// <exception cref="VmcoreFormatException">No dump that is known, or its headers or notes are cut short or corrupt.</exception>
    /// <exception cref="IOException">The file cannot be opened or read; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static VmcoreFile Open(string path) => Open([path]);

    /// <summary>Opens /proc/vmcore: the same, with large tables in the dead kernel's memory mapped instead of copied. Nothing else: see <see cref="FileMappings"/>.</summary>
    /// <exception cref="VmcoreFormatException">Headers or notes make no sense.</exception>
    /// <exception cref="IOException">It cannot be opened or read; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static VmcoreFile OpenMapped(string path) => Open(DumpBytes.Open(path), mapped: true);

    /// <summary>Opens a dump that lies somewhere else than in a file, neither packed nor flattened.</summary>
    /// <param name="bytes">Its bytes; disposed with the dump, also when this throws.</param>
    /// <exception cref="VmcoreFormatException">No dump that is known, or headers or notes are corrupt.</exception>
    /// <exception cref="IOException">They cannot be read.</exception>
    public static VmcoreFile Open(DumpBytes bytes) => Open(bytes, mapped: false);

    private static VmcoreFile Open(DumpBytes bytes, bool mapped)
    {
        try
        {
            return Of([bytes], new DumpWrapping(Packing.None, IsFlattened: false, IsWhole: true), mapped);
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <summary>Opens a dump of one file, or the files of a split one in any order; packed or flattened ones, pipes and standard input (<c>-</c>) too.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="progress">Is told how far a packed file is unpacked, which may take minutes.</param>
    /// <exception cref="VmcoreFormatException">No dump that is known, headers or notes are corrupt, or the files are not of one split dump.</exception>
    /// <exception cref="IOException">
    /// A file cannot be opened or read, or there is no room to unpack it; also <see cref="UnauthorizedAccessException"/>.
    /// </exception>
    public static VmcoreFile Open(IReadOnlyList<string> paths, Action<UnpackProgress>? progress = null)
    {
        var files = new List<DumpBytes>();
        var wrapping = new DumpWrapping(Packing.None, IsFlattened: false, IsWhole: true);
        try
        {
            foreach (var path in paths)
            {
                var (bytes, around) = DumpWrapping.Open(path, progress);
                files.Add(bytes);
                wrapping = files.Count == 1 ? around : wrapping with { IsWhole = wrapping.IsWhole && around.IsWhole };
            }
            return Of(files, wrapping);
        }
        catch
        {
            foreach (var file in files)
                file.Dispose();
            throw;
        }
    }

    /// <summary>Reads headers and notes of files that are open, and free of what was around them.</summary>
    /// <param name="files">The files; they become the dump's when this succeeds.</param>
    /// <param name="wrapping">What was around them.</param>
    /// <param name="mapped">Whether tables in memory may be mapped.</param>
    internal static VmcoreFile Of(IReadOnlyList<DumpBytes> files, DumpWrapping wrapping, bool mapped = false)
    {
        Span<byte> start = stackalloc byte[16];
        start = start[..files[0].Read(0, start)];
        if (KdumpHeader.IsKdump(start))
        {
            var set = KdumpSet.Join(files);
            return new VmcoreFile(set) { Wrapping = wrapping, IsUnfinished = set.IsMarkedIncomplete || !wrapping.IsWhole };
        }
        if (files.Count > 1)
            throw new VmcoreFormatException(0, $"{files[0].Path} is no part of a split dump, which only kdump-compressed ones are");
        var elf = DumpNotes.ReadHeader(files[0]);
        return new VmcoreFile(files[0], elf, mapped) { Wrapping = wrapping, IsUnfinished = elf.IsMarkedIncomplete || !wrapping.IsWhole };
    }

    /// <summary>The dead kernel's virtual memory, with a cache of its own: one for each thread.</summary>
    /// <exception cref="VmcoreFormatException">A machine other than x86_64 and arm64, or VMCOREINFO lacks what translation needs.</exception>
    public KernelMemory OpenKernelMemory() => new(Physical.Read, RequireInfo(), Machine, Physical.EndPage * (ulong)PageSize, Physical.Map);

    /// <summary>Reads the dead kernel's log, oldest record first.</summary>
    /// <exception cref="VmcoreFormatException">The log cannot be found in this dump; the message says why.</exception>
    public IReadOnlyList<LogRecord> ReadLog() => KernelLog.Read(OpenKernelMemory().Read, RequireInfo());

    /// <summary>Finds the dead kernel's log, to go through it record by record in little memory.</summary>
    /// <exception cref="VmcoreFormatException">The log cannot be found in this dump; the message says why.</exception>
    public KernelLog OpenLog() => KernelLog.Open(OpenKernelMemory().Read, RequireInfo());

    /// <inheritdoc/>
    public void Dispose()
    {
        Physical.Dispose();
        foreach (var file in _files)
            file.Dispose();
    }

    /// <summary>VMCOREINFO from the notes, else the one that memory holds. Searched for only when it is needed: that reads memory, and opening must not.</summary>
    /// <exception cref="VmcoreFormatException">Neither has one.</exception>
    public VmcoreInfo RequireInfo()
    {
        if ((Info ?? _found) is { } info)
            return info;
        // Once: it reads all of memory, and whoever asks again gets the same answer.
        if (!_isSearched)
        {
            foreach (var (_, found) in InfoSearch.Find(Physical))
            {
                if (Machine == Machines.Unknown)
                    Machine = MachineOf(found);
                return _found = found;
            }
            _isSearched = true;
        }
        throw new VmcoreFormatException(-1, "the dump carries no VMCOREINFO, nor does its memory: kernel memory cannot be translated");
    }

    private ushort MachineOf(VmcoreInfo info) => info.UnsignedNumber("kimage_voffset") is not null ? Machines.Arm64
        : info.PhysicalBase is not null && Kdump is not { Is64: false } ? Machines.X64 : Machines.Unknown;
}
