using System.Buffers.Binary;
using Netdump.Vmcore;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Log;
using Netdump.Vmcore.Memory;

namespace Netdump.Client.Send;

/// <summary>
/// A dump as something to be sent: pages by number, the header area that makes the receiver's file equal to this one, the registers of the
/// crash, the dead kernel's log. For one thread.
/// </summary>
public sealed class DumpSource : IDisposable
{
    // i386: ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss, as indexes into x86_64's registers.
    private static readonly int[] NarrowRegisters = [5, 11, 12, 13, 14, 4, 10, 23, 24, 25, 26, 15, 16, 17, 18, 19, 20];

    private readonly DumpWindows _windows;
    private readonly ElfMemory _memory;
    private readonly byte[] _scratch;
    private readonly HeaderArea _header;
    private readonly DeadLog _log;

    private DumpSource(VmcoreFile file, bool mapped)
    {
        File = file;
        _memory = file.Physical as ElfMemory
            ?? throw new VmcoreFormatException(0, "the classic transport sends ELF cores, this is a kdump-compressed dump: send the ELF core it was made from");
        _windows = new DumpWindows(file.Bytes, mapped);
        _scratch = new byte[file.PageSize];
        _header = HeaderArea.For(file);
        _log = new DeadLog(file);
        Registers = FindRegisters();
    }

    /// <summary>The dump itself.</summary>
    public VmcoreFile File { get; }

    /// <summary>Bytes of a page.</summary>
    public int PageSize => File.PageSize;

    /// <summary>Pages of memory, ascending and disjoint: the PT_LOAD ranges rounded out to pages.</summary>
    public IReadOnlyList<PageRange> Pages => _memory.Ranges;

    /// <summary>How many pages there are to send.</summary>
    public ulong RamPages => _memory.PageCount;

    /// <summary>Bytes of the header area: ELF header, program headers and notes, in the layout of /proc/vmcore. A multiple of the page size.</summary>
    public long HeaderLength => _header.Length;

    /// <summary>pr_reg of the CPU that panicked: 216 bytes of x86_64, little-endian; empty when the dump has no registers.</summary>
    public ReadOnlyMemory<byte> Registers { get; }

    /// <summary>Virtual address of physical address 0 in the kernel's direct map, as the segments tell it; 0 when they do not.</summary>
    public ulong DirectMapBase
    {
        get
        {
            var lowest = ulong.MaxValue;
            foreach (var segment in File.Elf!.Segments)
                if (segment.IsMemory && segment.VirtualAddress > long.MaxValue)
                    lowest = Math.Min(lowest, unchecked(segment.VirtualAddress - segment.PhysicalAddress));
            return lowest == ulong.MaxValue ? 0 : lowest;
        }
    }

    /// <summary>Why the dead kernel's log cannot be read, in a few words; null when it can (known after <see cref="ReadLog"/>).</summary>
    public string? LogTrouble => _log.Trouble;

    /// <summary>Whether pages come from mapped windows.</summary>
    public bool IsMapped => _windows.IsMapped;

    /// <summary>Opens a dump.</summary>
    /// <param name="path">An ELF core.</param>
    /// <param name="mapped">Map it: for /proc/vmcore, which is slow to read. Files that may be cut short meanwhile must not be mapped.</param>
    /// <exception cref="VmcoreFormatException">Not an ELF core that can be read.</exception>
    /// <exception cref="IOException">It cannot be opened or read; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static DumpSource Open(string path, bool mapped = false)
    {
        var file = VmcoreFile.Open(path);
        try
        {
            return new DumpSource(file, mapped);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>One page.</summary>
    /// <param name="page">Page frame number.</param>
    /// <param name="bytes">Its bytes, valid until the next call.</param>
    /// <returns>False when the page is no memory, was lost with the end of the file, or the disk failed at it.</returns>
    public bool TryGetPage(ulong page, out ReadOnlySpan<byte> bytes)
    {
        try
        {
            var offset = _memory.Locate(page);
            if (offset >= 0)
            {
                bytes = _windows.Slice(offset, PageSize);
                return bytes.Length == PageSize;
            }
            bytes = _scratch;
            return _memory.Read(page * (ulong)PageSize, _scratch) == PageSize;
        }
        catch (IOException)
        {
            bytes = default;
            return false;
        }
    }

    /// <summary>Bytes of the header area.</summary>
    /// <param name="offset">Where to begin.</param>
    /// <param name="destination">Is filled.</param>
    /// <returns>False when the area ends before, or the disk failed.</returns>
    public bool TryReadHeader(long offset, Span<byte> destination)
    {
        try
        {
            return _header.TryRead(offset, destination);
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>
    /// Goes through the dead kernel's log, oldest record first, in little memory. Nothing comes when it cannot be found (see
    /// <see cref="LogTrouble"/>): a dump without a log is still worth sending.
    /// </summary>
    public IEnumerable<LogRecord> ReadLog() => _log.Read();

    /// <summary>The registers in i386's layout, 17 words of 4 bytes, for a client that says it is one; empty when there are none.</summary>
    public byte[] RegistersOfI386()
    {
        if (Registers.IsEmpty)
            return [];
        var narrow = new byte[NarrowRegisters.Length * 4];
        for (var i = 0; i < NarrowRegisters.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(
                narrow.AsSpan(i * 4), BinaryPrimitives.ReadUInt32LittleEndian(Registers.Span[(NarrowRegisters[i] * 8)..]));
        return narrow;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _windows.Dispose();
        File.Dispose();
    }

    private ReadOnlyMemory<byte> FindRegisters()
    {
        if (File.Machine != Machines.X64)
            return default; // the protocol's registers are of i386 and x86_64
        var index = PanickingProcessor.Find(File.Processors, ReadLog());
        return index < 0 ? default : File.Processors[index].Registers;
    }
}
