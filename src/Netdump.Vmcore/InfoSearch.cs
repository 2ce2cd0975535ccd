using System.Buffers.Binary;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore;

/// <summary>
/// Finds VMCOREINFO in the dumped memory, for dumps that carry no note of it (QEMU's without its vmcoreinfo device): the kernel keeps the note
/// ready at the start of a page of its own (kernel/vmcore_info.c). Reads all memory up to the note.
/// </summary>
internal static class InfoSearch
{
    private const int NameLength = 11;
    private const int TextAt = 12 + 12; // note header, name padded to 4

    /// <summary>The texts found, each with its page; a kernel has one, a capture kernel's own may lie beside it.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public static IEnumerable<(ulong Page, VmcoreInfo Info)> Find(PhysicalMemory memory)
    {
        using var reader = memory.OpenReader();
        foreach (var range in memory.HeldRanges)
            for (var page = range.First; page < range.End; page++)
                if (reader.Read(page, out var bytes) == PageState.Present && Parse(bytes) is { } info)
                    yield return (page, info);
    }

    // A second copy of the text without the note's header lies elsewhere: the header counts.
    private static VmcoreInfo? Parse(ReadOnlySpan<byte> page)
    {
        if (!page[12..].StartsWith("VMCOREINFO\0"u8) || BinaryPrimitives.ReadUInt32LittleEndian(page) != NameLength
            || BinaryPrimitives.ReadUInt32LittleEndian(page[8..]) != 0)
            return null;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(page[4..]);
        if (length > (uint)(page.Length - TextAt))
            length = (uint)(page.Length - TextAt); // the text may reach into the next page, which need not be its neighbour here
        var info = VmcoreInfo.Parse(page.Slice(TextAt, (int)length));
        return info.Release is null ? null : info;
    }
}
