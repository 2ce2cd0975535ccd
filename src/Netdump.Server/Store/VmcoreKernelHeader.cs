using Netdump.Vmcore;
using Netdump.Vmcore.Elf;

namespace Netdump.Server.Store;

/// <summary>
/// The layout of /proc/vmcore (vmcore-formats.md, section 1.1), taken from the header area a client sent: each memory segment
/// fills whole pages of the file, beginning at the page border below its p_offset, and the kernel's image is there twice. A file of this
/// layout equals the client's /proc/vmcore byte for byte.
/// </summary>
public static class VmcoreKernelHeader
{
    /// <summary>Lays out the file. Nothing in the header is believed that would make the file larger or the work longer than the
    /// dump's number of pages allows.</summary>
    /// <param name="headerArea">All bytes of /proc/vmcore before its first memory chunk.</param>
    /// <param name="pageSize">Bytes of one page.</param>
    /// <param name="pageCount">Pages of the physical address space.</param>
    /// <returns>The layout, or null with the reason why this header cannot be used.</returns>
    public static (VmcoreLayout? Layout, string? Reason) Create(ReadOnlyMemory<byte> headerArea, uint pageSize, ulong pageCount)
    {
        ElfCoreHeader header;
        try
        {
            header = ElfCoreHeader.Parse(headerArea.Span);
        }
        catch (VmcoreFormatException error)
        {
            return (null, error.Message);
        }

        var chunks = new List<VmcoreChunk>();
        long first = long.MaxValue;
        foreach (ElfSegment segment in header.Segments)
        {
            if (segment.Type != ElfSegment.Load || segment.MemorySize == 0)
                continue;
            if (Check(segment, pageSize) is { } reason)
                return (null, reason);
            ulong below = segment.PhysicalAddress % pageSize;
            ulong pages = (below + segment.MemorySize + pageSize - 1) / pageSize;
            chunks.Add(new VmcoreChunk(segment.PhysicalAddress / pageSize, pages, segment.Offset - (long)below));
            first = Math.Min(first, segment.Offset - (long)below);
        }

        if (chunks.Count == 0)
            return (null, "it names no memory");
        if (first - headerArea.Length >= pageSize)
            return (null, $"it has {headerArea.Length} bytes, and memory begins at {first}");
        bool made = VmcoreLayout.TryCreate(
            headerArea, pageSize, pageCount, isKernelHeader: true, chunks, out VmcoreLayout? layout, out string? refusal);
        return (made ? layout : null, refusal);
    }

    private static string? Check(in ElfSegment segment, uint pageSize)
    {
        if (!segment.IsMemory)
            return "a memory segment has no physical address";
        if ((ulong)segment.FileSize != segment.MemorySize)
            return $"a memory segment holds {segment.FileSize} of {segment.MemorySize} bytes";
        return (ulong)segment.Offset % pageSize != segment.PhysicalAddress % pageSize
            ? $"the memory segment at file offset {segment.Offset} does not keep the page borders of address 0x{segment.PhysicalAddress:x}"
            : null;
    }
}
