namespace Netdump.Vmcore.Elf;

/// <summary>One ELF64 program header (elf.h, Elf64_Phdr). All quantities in bytes.</summary>
/// <param name="Type">p_type: <see cref="Load"/>, <see cref="Note"/> or another.</param>
/// <param name="Flags">p_flags: bit 0 execute, 1 write, 2 read.</param>
/// <param name="Offset">p_offset: where the segment's bytes begin in the file; without meaning when <paramref name="FileSize"/> is 0.</param>
/// <param name="VirtualAddress">p_vaddr: a hint only, other producers than the kernel write 0 or the physical address.</param>
/// <param name="PhysicalAddress">p_paddr; all ones means that there is none.</param>
/// <param name="FileSize">p_filesz: bytes in the file, never more than <paramref name="MemorySize"/>.</param>
/// <param name="MemorySize">p_memsz: bytes of memory described; what lies beyond the file size is not in the dump.</param>
/// <param name="Alignment">p_align: 0 in /proc/vmcore, the page size in a netdump server's file.</param>
public readonly record struct ElfSegment(
    uint Type, uint Flags, long Offset, ulong VirtualAddress, ulong PhysicalAddress, long FileSize, ulong MemorySize, ulong Alignment)
{
    /// <summary>p_type of a range of memory (PT_LOAD).</summary>
    public const uint Load = 1;

    /// <summary>p_type of the notes (PT_NOTE).</summary>
    public const uint Note = 4;

    /// <summary>p_paddr of a segment without a physical address (/proc/kcore's vmalloc ranges).</summary>
    public const ulong NoPhysicalAddress = ulong.MaxValue;

    /// <summary>Whether the segment describes physical memory: PT_LOAD, not empty, with a physical address.</summary>
    public bool IsMemory => Type == Load && MemorySize != 0 && PhysicalAddress != NoPhysicalAddress;

    /// <summary>First physical address behind the segment.</summary>
    public ulong PhysicalEnd => PhysicalAddress + MemorySize;
}
