using System.Buffers.Binary;
using Netdump.Vmcore;

namespace Netdump.Kernel.Unwind;

/// <summary>What all walks through an arm64 kernel's stacks share.</summary>
/// <param name="Memory">Kernel memory.</param>
/// <param name="Code">The kernel's code.</param>
/// <param name="PointerMask">The bits of a kernel address that pointer authentication uses (KERNELPACMASK); 0 when return addresses are not signed.</param>
/// <param name="RecordOffset">Where in struct pt_regs its frame record lies (member stackframe).</param>
/// <param name="HasRecordTypes">Whether a type follows a record of zeros (struct frame_record_meta, since 6.13).</param>
internal sealed record Arm64Kernel(CachedMemory Memory, KernelCode Code, ulong PointerMask, int RecordOffset, bool HasRecordTypes)
{
    /// <summary>A return address without its signature: bit 55 tells a kernel address from a user's.</summary>
    public ulong Strip(ulong address) => (address >> 55 & 1) != 0 ? address | PointerMask : address & ~PointerMask;
}

/// <summary>One walk along the frame records (arch/arm64/kernel/stacktrace.c): at x29 the caller's x29 and the return address.</summary>
internal sealed class Arm64Walk
{
    private const ulong FinalRecord = 1;
    private const ulong RegistersRecord = 2;
    private const int RegistersSize = FrameRegisters.Arm64Words * 8;
    private const int LongestFunction = 64 << 10;

    private readonly Arm64Kernel _kernel;
    private readonly StackAreas _areas;
    private readonly WalkFrames _frames = new();
    private ulong _fp;
    private ulong _pc; // of the frame that was added last

    private Arm64Walk(Arm64Kernel kernel, StackAreas areas)
    {
        _kernel = kernel;
        _areas = areas;
    }

    /// <summary>Walks from saved registers.</summary>
    public static KernelStack From(Arm64Kernel kernel, StackAreas areas, FrameRegisters registers)
    {
        var walk = new Arm64Walk(kernel, areas);
        if (registers.IsUser)
        {
            walk.AddUser(registers);
            return walk._frames.ToStack(null);
        }
        walk.AddRegisters(registers);
        return walk.Run(userRegisters: null);
    }

    /// <summary>Walks from where a task was switched away from.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="areas">Its stacks.</param>
    /// <param name="pc">cpu_context.pc: in __switch_to, or ret_from_fork of a child that never ran.</param>
    /// <param name="fp">cpu_context.fp.</param>
    /// <param name="sp">cpu_context.sp.</param>
    /// <param name="userRegisters">What the process will go on with; null for a kernel thread.</param>
    public static KernelStack FromSwitch(Arm64Kernel kernel, StackAreas areas, ulong pc, ulong fp, ulong sp, FrameRegisters? userRegisters)
    {
        var walk = new Arm64Walk(kernel, areas) { _fp = fp };
        var starts = kernel.Code.Find(pc) is { } function && function.Start == pc;
        walk.Add(pc, sp, FrameKind.Call, isReturnAddress: !starts);
        return walk.Run(userRegisters);
    }

    private KernelStack Run(FrameRegisters? userRegisters)
    {
        string? stopped;
        while (true)
        {
            if (_frames.IsFull)
            {
                stopped = $"more than {WalkFrames.Maximum} frames";
                break;
            }
            // A record of 16 bytes, wholly on the stack: behind it the stack may be empty.
            var at = _fp;
            stopped = (at & 7) != 0 ? $"the frame pointer 0x{at:x} is no multiple of 8" : _areas.Enter(unchecked(at + 16));
            if (stopped is not null)
                break;
            if (!_areas.MayRead(at) || !_kernel.Memory.TryReadUInt64(at, out var next) || !_kernel.Memory.TryReadUInt64(at + 8, out var link))
            {
                stopped = $"its stack at 0x{at:x} is not in the dump";
                break;
            }
            if (next == 0 && link == 0)
            {
                if (!_kernel.HasRecordTypes || !_kernel.Memory.TryReadUInt64(at + 16, out var type) || type == FinalRecord)
                    break;
                if (type != RegistersRecord || RegistersAround(at) is not { } saved)
                {
                    stopped = $"the record at 0x{at:x} is of no known type";
                    break;
                }
                if (saved.IsUser)
                {
                    AddUser(saved);
                    return _frames.ToStack(null);
                }
                AddRegisters(saved);
                continue;
            }
            if (IsExceptionEntry(_pc) && RegistersAround(at) is { } registers && registers.Pc == link && registers.FramePointer == next)
            {
                AddRegisters(registers);
                continue;
            }
            var pc = _kernel.Strip(link);
            if (!_kernel.Code.IsText(pc) && !_kernel.Code.IsText(pc - 1))
            {
                stopped = $"0x{link:x}, found as a return address at 0x{at + 8:x}, is not in the kernel's code";
                break;
            }
            Add(pc, at + 16, FrameKind.Call, isReturnAddress: true);
            _fp = next;
        }
        if (stopped is null && userRegisters is { IsUser: true })
            AddUser(userRegisters);
        return _frames.ToStack(stopped);
    }

    private void Add(ulong pc, ulong sp, FrameKind kind, bool isReturnAddress, bool isReliable = true, FrameRegisters? registers = null)
    {
        _frames.Add(new StackFrame(pc, sp, kind, isReliable, isReturnAddress) { Stack = _areas.MarkOf(sp) ?? _areas.Mark }, registers);
        _pc = pc;
    }

    private void AddUser(FrameRegisters registers) => _frames.Add(new StackFrame(registers.Pc, registers.Sp, FrameKind.User, true, false), registers);

    // Where an exception came, and the caller of that place, who is in x30 alone while the function has no record of its own.
    private void AddRegisters(FrameRegisters registers)
    {
        Add(registers.Pc, registers.Sp, FrameKind.Registers, isReturnAddress: false, registers: registers);
        _fp = registers.FramePointer;
        if (_frames.IsFull || _kernel.Code.Find(registers.Pc) is not { } function || HasRecord(function, registers.Pc))
            return;
        var caller = _kernel.Strip(registers.LinkRegister);
        if (!_kernel.Code.IsText(caller) || !TryInstruction(caller - 4, out var call))
            return;
        // bl of this function, or through a register; bl of another one may have come here by a jump.
        var isDirect = call >> 26 == 0x25;
        var target = unchecked(caller - 4 + (ulong)(((long)(int)(call << 6) >> 6) * 4));
        if (isDirect || (call & 0xfefff800) == 0xd63f0000)
            Add(caller, registers.Sp, FrameKind.Recovered, isReturnAddress: true, isReliable: !isDirect || target == function.Start);
    }

    // Whether x29 is the function's own at pc: after it was set, and not between the epilogue's load and the return.
    private bool HasRecord(CodeFunction function, ulong pc)
    {
        if (pc - function.Start > LongestFunction)
            return true;
        var (hasRecord, isLeaving) = (false, false);
        for (var at = function.Start; at < pc && TryInstruction(at, out var instruction); at += 4)
        {
            if ((instruction & 0xffc003ff) == 0x910003fd) // mov x29, sp; add x29, sp, #n
                hasRecord = true;
            else if ((instruction & 0xffc07fff) is 0xa8c07bfd or 0xa9407bfd) // ldp x29, x30, [sp], #n; ldp x29, x30, [sp, #n]
                isLeaving = true;
            else if (isLeaving && ((instruction & 0xfffff3ff) == 0xd65f03c0 || (instruction & 0xfffffbff) == 0xd65f0bff || instruction >> 26 == 5)) // ret, retaa, b
                isLeaving = false;
        }
        return hasRecord && !isLeaving;
    }

    private bool IsExceptionEntry(ulong pc) => _kernel.Code.Find(pc - 1) is { } function
        && (function.Name.StartsWith("el1h_", StringComparison.Ordinal) || function.Name.StartsWith("el1t_", StringComparison.Ordinal));

    private FrameRegisters? RegistersAround(ulong record)
    {
        Span<byte> bytes = stackalloc byte[RegistersSize];
        var start = unchecked(record - (ulong)_kernel.RecordOffset);
        return _kernel.RecordOffset >= RegistersSize && _areas.MayRead(start) && _kernel.Memory.TryRead(start, bytes)
            ? FrameRegisters.Of(Machines.Arm64, bytes)
            : null;
    }

    private bool TryInstruction(ulong address, out uint instruction)
    {
        Span<byte> bytes = stackalloc byte[4];
        var found = _kernel.Memory.TryRead(address, bytes);
        instruction = found ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;
        return found;
    }
}
