using System.Buffers.Binary;

namespace Netdump.Vmcore.Elf;

/// <summary>The registers one CPU saved when the kernel died: an NT_PRSTATUS note of x86_64 (elfcore.h, struct elf_prstatus, 336 bytes).</summary>
/// <remarks>The k-th note is not CPU k: a CPU that was offline or did not answer left none.</remarks>
public sealed class ProcessorStatus
{
    /// <summary>Bytes of the note's description.</summary>
    public const int Length = 336;

    /// <summary>Bytes of <see cref="Registers"/>: 27 words of 8.</summary>
    public const int RegistersLength = 27 * 8;

    private const uint NoteType = 1;
    private const int PidOffset = 32;
    private const int RegistersOffset = 112;
    private const int InstructionPointerIndex = 16;
    private const int CodeSegmentIndex = 17;

    private ProcessorStatus(ReadOnlyMemory<byte> note)
    {
        Pid = BinaryPrimitives.ReadInt32LittleEndian(note.Span[PidOffset..]);
        Registers = note.Slice(RegistersOffset, RegistersLength);
    }

    /// <summary>pr_pid: the task that ran on the CPU, 0 for an idle CPU.</summary>
    public int Pid { get; }

    /// <summary>
    /// pr_reg, little-endian: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs rflags rsp ss fs_base gs_base ds es fs gs.
    /// </summary>
    public ReadOnlyMemory<byte> Registers { get; }

    /// <summary>rip: where the CPU was.</summary>
    public ulong InstructionPointer => Word(InstructionPointerIndex);

    /// <summary>Whether the CPU ran kernel code (privilege level 0 in cs).</summary>
    public bool InKernel => (Word(CodeSegmentIndex) & 3) == 0;

    /// <summary>Takes the PRSTATUS notes of an x86_64 core, in the file's order; notes of another length are not of this machine and left out.</summary>
    public static IReadOnlyList<ProcessorStatus> From(IEnumerable<ElfNote> notes)
    {
        var list = new List<ProcessorStatus>();
        foreach (var note in notes)
            if (note is { Name: "CORE", Type: NoteType, Description.Length: Length })
                list.Add(new ProcessorStatus(note.Description));
        return list;
    }

    private ulong Word(int index) => BinaryPrimitives.ReadUInt64LittleEndian(Registers.Span[(index * 8)..]);
}
