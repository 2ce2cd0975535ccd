using System.Buffers.Binary;
using Netdump.Vmcore;
using Netdump.Vmcore.Elf;

namespace Netdump.Client.Send;

/// <summary>
/// The bytes before the first chunk of memory, as the receiver's file shall have them. Those of /proc/vmcore and its copies go as they are.
/// A core of another layout (packed, with memory left out) gets a header of its own: the same notes, memory in whole pages.
/// </summary>
internal sealed class HeaderArea
{
    private const int FileHeaderLength = 64;
    private const int ProgramHeaderLength = 56;
    private const int MostSegments = 0xfffe;

    private readonly DumpBytes? _file;
    private readonly byte[] _made;

    private HeaderArea(DumpBytes file, long length)
    {
        _file = file;
        _made = [];
        Length = length;
    }

    private HeaderArea(byte[] made)
    {
        _made = made;
        Length = made.Length;
    }

    /// <summary>Bytes; a multiple of the page size. 0 when the dump has too many separate ranges for a header.</summary>
    public long Length { get; }

    public static HeaderArea For(VmcoreFile file)
    {
        var length = file.Elf!.HeaderAreaLength;
        return IsAsServed(file) && length % file.PageSize == 0 ? new HeaderArea(file.Bytes, length) : new HeaderArea(Make(file));
    }

    public bool TryRead(long offset, Span<byte> destination)
    {
        if (offset < 0 || offset > Length - destination.Length)
            return false;
        if (_file is not null)
            return _file.Read(offset, destination) == destination.Length;
        _made.AsSpan((int)offset, destination.Length).CopyTo(destination);
        return true;
    }

    private static bool IsAsServed(VmcoreFile file)
    {
        foreach (var segment in file.Elf!.Segments)
            if (segment.Type == ElfSegment.Load && (!segment.IsMemory || (ulong)segment.FileSize != segment.MemorySize))
                return false;
        return ((ElfMemory)file.Physical).IsPageAligned;
    }

    private static byte[] Make(VmcoreFile file)
    {
        var ranges = ((ElfMemory)file.Physical).Ranges;
        if (ranges.Count is 0 or > MostSegments)
            return [];
        var page = (ulong)file.PageSize;
        var notesAt = RoundUp((ulong)(FileHeaderLength + (ranges.Count + 1) * ProgramHeaderLength), page);
        var notesLength = file.Elf!.NotesLength;
        var memoryAt = RoundUp(notesAt + (ulong)notesLength, page);
        var area = new byte[memoryAt];

        // The fixed header but for its tables is the source's own: class, byte order, machine, flags.
        _ = file.Bytes.Read(0, area.AsSpan(0, FileHeaderLength));
        BinaryPrimitives.WriteUInt64LittleEndian(area.AsSpan(32), FileHeaderLength);
        area.AsSpan(40, 8).Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(area.AsSpan(52), FileHeaderLength);
        BinaryPrimitives.WriteUInt16LittleEndian(area.AsSpan(54), ProgramHeaderLength);
        BinaryPrimitives.WriteUInt16LittleEndian(area.AsSpan(56), (ushort)(ranges.Count + 1));
        area.AsSpan(58, 6).Clear();
        _ = file.Bytes.Read(file.Elf.NotesOffset, area.AsSpan((int)notesAt, (int)notesLength));

        Write(area.AsSpan(FileHeaderLength), ElfSegment.Note, 0, notesAt, 0, 0, (ulong)notesLength, 4);
        var at = FileHeaderLength;
        foreach (var range in ranges)
        {
            at += ProgramHeaderLength;
            var (first, length) = (range.First * page, range.Count * page);
            Write(area.AsSpan(at), ElfSegment.Load, 7, memoryAt, VirtualAddress(file.Elf, first, length), first, length, 0);
            memoryAt += length;
        }
        return area;
    }

    private static void Write(Span<byte> header, uint type, uint flags, ulong offset, ulong virtualAddress, ulong physical, ulong size, ulong alignment)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], flags);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], virtualAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], physical);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], size);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], size);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], alignment);
    }

    // Of the segments in the range the one with the lowest virtual address speaks for the direct map: the kernel image lies above it.
    private static ulong VirtualAddress(ElfCoreHeader header, ulong first, ulong length)
    {
        ulong? found = null;
        foreach (var segment in header.Segments)
        {
            if (!segment.IsMemory || segment.PhysicalAddress >= first + length || segment.PhysicalEnd <= first)
                continue;
            var address = unchecked(segment.VirtualAddress - segment.PhysicalAddress + first);
            found = Math.Min(found ?? address, address);
        }
        return found ?? 0;
    }

    private static ulong RoundUp(ulong value, ulong to) => (value + to - 1) / to * to;
}
