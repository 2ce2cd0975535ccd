using System.Text;
using Iced.Intel;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Code;

/// <summary>The code around a program counter, and what memory the instruction there touches. Out of the dump's memory, so as it ran.</summary>
public sealed class CodeAround
{
    /// <summary>Instructions shown before the one at the program counter.</summary>
    public const int Before = 6;

    /// <summary>Instructions shown behind it.</summary>
    public const int Behind = 4;

    private const int LongestFunction = 64 << 10;
    private const int LongestInstruction = 15;
    private const int Arm64Instruction = 4;

    private CodeAround(IReadOnlyList<CodeLine> lines, IReadOnlyList<MemoryOperand> operands)
    {
        Lines = lines;
        Operands = operands;
    }

    /// <summary>The instructions in order; without those before the program counter when the function's start does not lead there.</summary>
    public IReadOnlyList<CodeLine> Lines { get; }

    /// <summary>The memory that the instruction at the program counter reads or writes, as far as the registers tell; none on arm64.</summary>
    public IReadOnlyList<MemoryOperand> Operands { get; }

    /// <summary>Reads the code around a program counter.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="registers">The registers there.</param>
    /// <param name="cpu">The CPU they are of, for per-CPU variables; null when it is not known.</param>
    /// <returns>Null when the code is not in the dump, or not the kernel's.</returns>
    public static CodeAround? Of(CrashedKernel kernel, FrameRegisters registers, int? cpu)
    {
        var symbols = kernel.Symbols;
        Func<ulong, SymbolMatch?> resolve = address => symbols is not null && symbols.TryResolve(address, out var match) ? match : null;
        ulong? perCpu = cpu is { } number && symbols is not null ? symbols.OnProcessor(0, number) : null;
        return Of(kernel.Memory.Read, resolve, registers, perCpu);
    }

    /// <summary>Reads the code around a program counter.</summary>
    /// <param name="read">Memory.</param>
    /// <param name="resolve">Symbols.</param>
    /// <param name="registers">The registers.</param>
    /// <param name="perCpu">What gs holds in the kernel, should the registers not say.</param>
    internal static CodeAround? Of(MemoryReader read, Func<ulong, SymbolMatch?> resolve, FrameRegisters registers, ulong? perCpu)
    {
        var pc = registers.Pc;
        if (registers.IsUser || read(pc, new byte[1]) != 1)
            return null;
        if (registers.Machine != Machines.X64)
            return OfArm64(read, pc);
        var start = resolve(pc) is { } match && pc - match.Start <= LongestFunction ? match.Start : pc;
        var lines = Decode(read, resolve, start, pc, out var current) ?? Decode(read, resolve, pc, pc, out current);
        return lines is null ? null : new CodeAround(lines, OperandsOf(current, registers, perCpu));
    }

    // x86 code reads forward only: from the function's start to the program counter, and if that is met no instruction's start, there.
    private static List<CodeLine>? Decode(MemoryReader read, Func<ulong, SymbolMatch?> resolve, ulong start, ulong pc, out Instruction current)
    {
        current = default;
        var code = new byte[(int)(pc - start) + (Behind + 1) * LongestInstruction];
        code = code[..read(start, code)];
        var decoder = Iced.Intel.Decoder.Create(64, new ByteArrayCodeReader(code), start);
        var formatter = new FastFormatter(new Names(resolve));
        formatter.Options.RipRelativeAddresses = true;
        formatter.Options.UseHexPrefix = true;
        formatter.Options.UppercaseHex = false;
        formatter.Options.SpaceAfterOperandSeparator = true;
        var output = new FastStringOutput();
        var lines = new Queue<CodeLine>();
        var behind = 0;
        while (behind <= Behind && decoder.IP - start < (ulong)code.Length)
        {
            var at = decoder.IP;
            decoder.Decode(out var instruction);
            if (behind == 0 && at > pc)
                return null;
            var isInvalid = instruction.IsInvalid;
            if (isInvalid && (at < pc || decoder.LastError == DecoderError.NoMoreBytes))
                return at <= pc ? null : [.. lines];
            if (at == pc)
                current = instruction;
            if (at >= pc)
                behind++;
            output.Clear();
            formatter.Format(instruction, output);
            lines.Enqueue(new CodeLine(at, code.AsMemory((int)(at - start), instruction.Length), isInvalid ? "(bad)" : output.ToString(), at == pc));
            if (at < pc && lines.Count > Before)
                lines.Dequeue();
        }
        return behind > 0 ? [.. lines] : null;
    }

    private static List<MemoryOperand> OperandsOf(in Instruction instruction, FrameRegisters registers, ulong? perCpu)
    {
        var operands = new List<MemoryOperand>();
        if (instruction.IsInvalid)
            return operands;
        foreach (var used in new InstructionInfoFactory().GetInfo(instruction, InstructionInfoOptions.NoRegisterUsage).GetUsedMemory())
        {
            if (used.Access is OpAccess.None or OpAccess.NoMemAccess)
                continue;
            if (!used.TryGetVirtualAddress(0, out var address, (Register register, int _, int _, out ulong value) => TryValue(registers, perCpu, register, out value)))
                continue;
            var writes = used.Access is OpAccess.Write or OpAccess.ReadWrite or OpAccess.CondWrite or OpAccess.ReadCondWrite;
            operands.Add(new MemoryOperand(address, used.MemorySize.GetSize(), writes, Describe(used)));
        }
        return operands;
    }

    private static bool TryValue(FrameRegisters registers, ulong? perCpu, Register register, out ulong value)
    {
        value = 0;
        if (register is Register.CS or Register.DS or Register.ES or Register.SS)
            return true; // flat
        ulong? known = register switch
        {
            Register.GS => registers["gs_base"] is { } saved and not 0 ? saved : perCpu,
            Register.FS => registers["fs_base"],
            _ => registers[register.GetFullRegister().ToString().ToLowerInvariant()],
        };
        if (known is not { } full)
            return false;
        value = register is Register.GS or Register.FS ? full : register.GetSize() switch { 4 => (uint)full, 2 => (ushort)full, 1 => (byte)full, _ => full };
        return true;
    }

    private static string Describe(in UsedMemory used)
    {
        var text = new StringBuilder();
        if (used.Segment is Register.GS or Register.FS)
            text.Append(used.Segment.ToString().ToLowerInvariant()).Append(':');
        if (used.Base != Register.None)
            text.Append(used.Base.ToString().ToLowerInvariant());
        if (used.Index != Register.None)
        {
            text.Append(used.Base != Register.None ? "+" : "").Append(used.Index.ToString().ToLowerInvariant());
            text.Append(used.Scale > 1 ? $"*{used.Scale}" : "");
        }
        var displacement = (long)used.Displacement;
        if (text.Length == 0 || text[^1] == ':')
            text.Append($"0x{used.Displacement:x}");
        else if (displacement != 0)
            text.Append(displacement < 0 ? $"-0x{0 - used.Displacement:x}" : $"+0x{displacement:x}");
        return text.ToString();
    }

    private static CodeAround OfArm64(MemoryReader read, ulong pc)
    {
        var lines = new List<CodeLine>();
        for (var i = -Before; i <= Behind; i++)
        {
            var at = unchecked(pc + (ulong)(long)(i * Arm64Instruction));
            var bytes = new byte[Arm64Instruction];
            if (read(at, bytes) == bytes.Length)
                lines.Add(new CodeLine(at, bytes, null, i == 0));
        }
        return new CodeAround(lines, []);
    }

    /// <summary>Names of what is called and of variables.</summary>
    private sealed class Names(Func<ulong, SymbolMatch?> resolve) : ISymbolResolver
    {
        public bool TryGetSymbol(in Instruction instruction, int operand, int instructionOperand, ulong address, int addressSize, out SymbolResult symbol)
        {
            symbol = default;
            // Small numbers are offsets, though per-CPU symbols may have them.
            if (address >> 63 == 0 || resolve(address) is not { } match)
                return false;
            var text = match.Start == address ? match.Name : $"{match.Name}+0x{address - match.Start:x}";
            symbol = new SymbolResult(address, match.Module is null ? text : $"{text} [{match.Module}]");
            return true;
        }
    }
}
