using System.Buffers.Binary;
using Netdump.Vmcore;

namespace Netdump.Kernel.Unwind;

/// <summary>The registers that are known at one place of a stack: saved by an exception, by a system call, or when the machine died.</summary>
public sealed class FrameRegisters
{
    /// <summary>Words of a full struct pt_regs of x86_64 (asm/ptrace.h).</summary>
    internal const int X64Words = 21;

    /// <summary>x0 to x30, sp, pc, pstate: the words of arm64's struct user_pt_regs (uapi/asm/ptrace.h).</summary>
    internal const int Arm64Words = 34;

    private const int R10 = 7, R13 = 2, Bp = 4, Ax = 10, Dx = 12, Di = 14;
    private const int Ip = 16, Cs = 17, Stack = 19;
    private const int Link = 30, ArmStack = 31, ArmPc = 32, Pstate = 33;

    private static readonly string[] X64Names =
    [
        "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax",
        "rip", "cs", "rflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
    ];

    private static readonly string[] Arm64Names = [.. Enumerable.Range(0, 31).Select(i => $"x{i}"), "sp", "pc", "pstate"];

    private readonly ulong[] _words;

    private FrameRegisters(ushort machine, ulong[] words, bool isPartial)
    {
        Machine = machine;
        _words = words;
        IsPartial = isPartial;
    }

    /// <summary>e_machine: x86_64 or arm64.</summary>
    public ushort Machine { get; }

    /// <summary>Whether only the five words are known that the processor itself saves: rip, cs, rflags, rsp, ss.</summary>
    public bool IsPartial { get; }

    /// <summary>Address of the instruction.</summary>
    public ulong Pc => _words[Machine == Machines.X64 ? Ip : ArmPc];

    /// <summary>The stack pointer.</summary>
    public ulong Sp => _words[Machine == Machines.X64 ? Stack : ArmStack];

    /// <summary>Whether they are a process's: the processor was in user mode.</summary>
    public bool IsUser => Machine == Machines.X64 ? (_words[Cs] & 3) != 0 : (_words[Pstate] & 15) == 0;

    /// <summary>Names and values, in the order the kernel saves them; of a partial set only what is known.</summary>
    public IEnumerable<KeyValuePair<string, ulong>> All
    {
        get
        {
            var names = Machine == Machines.X64 ? X64Names : Arm64Names;
            for (var i = IsPartial ? Ip : 0; i < _words.Length; i++)
                yield return new(names[i], _words[i]);
        }
    }

    internal ulong FramePointer => _words[Machine == Machines.X64 ? Bp : 29];

    internal ulong LinkRegister => _words[Link];

    /// <summary>The value of a register.</summary>
    /// <param name="name">Lower case: <c>rip</c>, <c>r15</c>, <c>orig_rax</c>; <c>x30</c>, <c>pstate</c>.</param>
    /// <returns>Null when there is no such register, or it is not known here.</returns>
    public ulong? this[string name]
    {
        get
        {
            var at = Array.IndexOf(Machine == Machines.X64 ? X64Names : Arm64Names, name);
            return at < 0 || at >= _words.Length || (IsPartial && at < Ip) ? null : _words[at];
        }
    }

    /// <summary>Words as the kernel saves them: a pt_regs, or what follows in a PRSTATUS note (x86_64: 27 words).</summary>
    /// <returns>Null when there are too few bytes.</returns>
    internal static FrameRegisters? Of(ushort machine, ReadOnlySpan<byte> bytes)
    {
        var least = machine == Machines.X64 ? X64Words : Arm64Words;
        var most = machine == Machines.X64 ? X64Names.Length : Arm64Words;
        if (bytes.Length < least * 8)
            return null;
        var words = new ulong[Math.Min(most, bytes.Length / 8)];
        for (var i = 0; i < words.Length; i++)
            words[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(i * 8)..]);
        return new FrameRegisters(machine, words, isPartial: false);
    }

    /// <summary>The five words that an x86_64 processor pushes: ip, cs, flags, sp, ss.</summary>
    internal static FrameRegisters OfInterrupt(ReadOnlySpan<byte> bytes)
    {
        var words = new ulong[X64Words];
        for (var i = 0; i < 5; i++)
            words[Ip + i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(i * 8)..]);
        return new FrameRegisters(Machines.X64, words, isPartial: true);
    }

    /// <summary>What ORC may take a stack pointer from, when all registers are known.</summary>
    internal ulong? Value(OrcRegister register) => IsPartial ? null : register switch
    {
        OrcRegister.Ax => _words[Ax],
        OrcRegister.Dx => _words[Dx],
        OrcRegister.Di => _words[Di],
        OrcRegister.R10 => _words[R10],
        OrcRegister.R13 => _words[R13],
        OrcRegister.Bp => _words[Bp],
        _ => null,
    };
}
