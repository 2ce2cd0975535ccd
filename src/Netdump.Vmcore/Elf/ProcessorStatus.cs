using System.Collections.Frozen;

namespace Netdump.Vmcore.Elf;

/// <summary>The registers one CPU saved when the kernel died: an NT_PRSTATUS note (elfcore.h, struct elf_prstatus).</summary>
/// <remarks>The k-th note is not CPU k: a CPU that was offline or did not answer left none.</remarks>
public sealed class ProcessorStatus
{
    private const uint NoteType = 1;

    private static readonly FrozenDictionary<ushort, Layout> Layouts = new Dictionary<ushort, Layout>
    {
        // Words: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs rflags rsp ss ...
        [Machines.X64] = new(336, 8, 27, 16, 19, 17, 3),
        [Machines.Arm64] = new(392, 8, 34, 32, 31, 33, 0xf), // x0..x30 sp pc pstate: exception level in the low bits
        [Machines.RiscV] = new(376, 8, 32, 0, 2, -1, 0),
        [Machines.PowerPc64] = new(504, 8, 48, 32, 1, 33, 0x4000), // gpr0..31 nip msr: MSR_PR
        [Machines.S390] = new(336, 8, 27, 1, 17, 0, 1UL << 48), // psw mask and address, gpr0..15: problem state
        [Machines.I386] = new(144, 4, 17, 12, 15, 13, 3),
        [Machines.Arm] = new(148, 4, 18, 15, 13, 16, 0xf), // r0..r15 cpsr orig_r0: mode bits, user is 0x10
    }.ToFrozenDictionary();

    private readonly Layout _layout;
    private readonly bool _isBigEndian;

    private ProcessorStatus(ReadOnlyMemory<byte> note, Layout layout, bool isBigEndian)
    {
        _layout = layout;
        _isBigEndian = isBigEndian;
        Pid = (int)new FieldReader(note.Span, isBigEndian).U32(layout.Word == 8 ? 32 : 24);
        Registers = note.Slice(layout.Word == 8 ? 112 : 72, layout.Count * layout.Word);
    }

    /// <summary>pr_pid: the task that ran on the CPU, 0 for an idle CPU; QEMU writes the CPU's number plus one.</summary>
    public int Pid { get; }

    /// <summary>
    /// pr_reg in the machine's byte order. x86_64, 27 words of 8: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs
    /// rflags rsp ss fs_base gs_base ds es fs gs. arm64, 34 words of 8: x0 to x30, sp, pc, pstate.
    /// </summary>
    public ReadOnlyMemory<byte> Registers { get; }

    /// <summary>Where the CPU was.</summary>
    public ulong InstructionPointer => Word(_layout.InstructionPointer);

    /// <summary>The CPU's stack.</summary>
    public ulong StackPointer => Word(_layout.StackPointer);

    /// <summary>Whether the CPU ran kernel code, by its privilege level; by the address where the machine's registers do not tell.</summary>
    public bool InKernel => _layout.Privilege < 0
        ? InstructionPointer > long.MaxValue
        : (Word(_layout.Privilege) & _layout.UserMask) == 0 != _layout.UserIsZero;

    /// <summary>Takes the PRSTATUS notes of a core, in the file's order; notes of another length are not of this machine and left out.</summary>
    /// <param name="notes">The core's notes.</param>
    /// <param name="machine">e_machine; nothing is known of the registers of others than <see cref="Machines"/> lists.</param>
    /// <param name="isBigEndian">The machine's byte order.</param>
    public static IReadOnlyList<ProcessorStatus> From(IEnumerable<ElfNote> notes, ushort machine, bool isBigEndian = false)
    {
        var list = new List<ProcessorStatus>();
        if (!Layouts.TryGetValue(machine, out var layout))
            return list;
        foreach (var note in notes)
            if (note is { Name: "CORE", Type: NoteType } && note.Description.Length == layout.Length)
                list.Add(new ProcessorStatus(note.Description, layout, isBigEndian));
        return list;
    }

    private ulong Word(int index) => new FieldReader(Registers.Span, _isBigEndian).Word(index * _layout.Word, _layout.Word == 8);

    /// <summary>Where a machine's note has what: bytes, bytes of a word, words, and which word tells what.</summary>
    private sealed record Layout(int Length, int Word, int Count, int InstructionPointer, int StackPointer, int Privilege, ulong UserMask)
    {
        // On arm user mode is the one whose low mode bits are zero; arm64 counts exception levels up from the user's.
        public bool UserIsZero => UserMask == 0xf;
    }
}
