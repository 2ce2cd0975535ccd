using System.Buffers.Binary;
using Netdump.Kernel.Symbols;
using Netdump.Vmcore;

namespace Netdump.Kernel.Unwind;

/// <summary>What ran on each CPU when the kernel died, and the registers that it saved then.</summary>
public sealed class Processors
{
    private const int NotePidOffset = 20 + 32;
    private const int NoteRegistersOffset = 20 + 112;

    private readonly CrashedKernel _kernel;
    private readonly Dictionary<int, ulong> _current = [];
    private readonly Dictionary<ulong, int> _cpus = [];

    internal Processors(CrashedKernel kernel)
    {
        _kernel = kernel;
        // On arm64 the crash takes all other CPUs offline before it saves their registers.
        Numbers = kernel.Symbols is not { } symbols ? new ProcessorSet()
            : kernel.Machine == Machines.Arm64 || symbols.Online.Count == 0 ? symbols.Possible : symbols.Online;
        foreach (var cpu in Numbers)
            if (Current(cpu) is { } task)
            {
                _current[cpu] = task;
                _cpus[task] = cpu;
            }
    }

    /// <summary>The CPUs that ran.</summary>
    public ProcessorSet Numbers { get; }

    /// <summary>Address of the task_struct that ran on a CPU; null when it cannot be told.</summary>
    public ulong? TaskOn(int cpu) => _current.TryGetValue(cpu, out var task) ? task : null;

    /// <summary>The CPU that a task ran on; null when it ran on none.</summary>
    public int? OfTask(ulong task) => _cpus.TryGetValue(task, out var cpu) ? cpu : null;

    /// <summary>The registers a CPU saved.</summary>
    /// <returns>Null when it saved none: it did not answer, or the dump was not made by the kernel that crashed.</returns>
    public FrameRegisters? RegistersOf(int cpu)
    {
        var rank = 0;
        foreach (var number in Numbers)
        {
            if (number == cpu)
                break;
            rank++;
        }
        var pid = TaskOn(cpu) is { } task && _kernel.Types?.OffsetOf("task_struct", "pid") is { } offset
            && _kernel.Memory.TryReadInt32(unchecked(task + (ulong)offset), out var value) ? value : (int?)null;
        var notes = _kernel.Dump.Processors;
        // CPUs without a note leave no gap, so the note's place is no proof: its process is. QEMU writes the CPU's number plus one.
        if (rank < notes.Count && (pid is null || notes[rank].Pid == pid || notes[rank].Pid == cpu + 1) && Known(notes[rank].Registers.Span) is { } byRank)
            return byRank;
        if (FromMemory(cpu, pid) is { } fromMemory)
            return fromMemory;
        if (pid is null or 0)
            return null;
        foreach (var note in notes)
            if (note.Pid == pid)
                return Known(note.Registers.Span);
        return null;
    }

    // What the note was made of: the kernel keeps one for each CPU (crash_notes, note_buf_t: header of 12 bytes, name of 8, elf_prstatus).
    private FrameRegisters? FromMemory(int cpu, int? pid)
    {
        var size = NoteRegistersOffset + 34 * 8;
        Span<byte> note = stackalloc byte[size];
        if (_kernel.Symbols is not { } symbols || !symbols.TryFind("crash_notes", out var pointer) || !_kernel.Memory.TryReadUInt64(pointer, out var perCpu)
            || !_kernel.Memory.TryRead(symbols.OnProcessor(perCpu, cpu), note) || !note[12..].StartsWith("CORE\0"u8))
        {
            return null;
        }
        return pid is null || BinaryPrimitives.ReadInt32LittleEndian(note[NotePidOffset..]) == pid ? Known(note[NoteRegistersOffset..]) : null;
    }

    private FrameRegisters? Known(ReadOnlySpan<byte> words) => words.IndexOfAnyExcept((byte)0) < 0 ? null
        : FrameRegisters.Of(_kernel.Machine, words[..Math.Min(words.Length, (_kernel.Machine == Machines.X64 ? 27 : FrameRegisters.Arm64Words) * 8)]);

    private ulong? Current(int cpu)
    {
        var symbols = _kernel.Symbols!;
        var place = _kernel.Machine == Machines.Arm64 ? symbols.OnProcessor("__entry_task", cpu) : HotMember("current_task", cpu) ?? symbols.OnProcessor("current_task", cpu);
        return place is { } at && _kernel.Memory.TryReadUInt64(at, out var task) && task >> 63 != 0 ? task : null;
    }

    /// <summary>Where a CPU's variable lies that 6.2 to 6.14 kept in struct pcpu_hot.</summary>
    internal ulong? HotMember(string member, int cpu) =>
        _kernel.Symbols?.OnProcessor("pcpu_hot", cpu) is { } hot && _kernel.Types?.OffsetOf("pcpu_hot", member) is { } offset ? hot + (ulong)offset : null;
}
