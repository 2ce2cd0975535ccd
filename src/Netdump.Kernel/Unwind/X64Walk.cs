using Netdump.Vmcore;

namespace Netdump.Kernel.Unwind;

/// <summary>Finds the entry for a code address; false when no table has one.</summary>
internal delegate bool OrcLookup(ulong address, out OrcEntry entry);

/// <summary>What all walks through an x86_64 kernel's stacks share.</summary>
/// <param name="Memory">Kernel memory.</param>
/// <param name="Code">The kernel's code.</param>
/// <param name="Orc">Its ORC tables; null when there are none.</param>
/// <param name="UsesFramePointers">Whether all of the kernel's functions keep rbp (CONFIG_UNWINDER_FRAME_POINTER).</param>
/// <param name="AddsBeforeIndirection">Kernels before 5.12: the offset is added to rsp before the word there is read (commit 87ccc826bf1c).</param>
internal sealed record X64Kernel(CachedMemory Memory, KernelCode Code, OrcLookup? Orc, bool UsesFramePointers, bool AddsBeforeIndirection);

/// <summary>One walk from the innermost frame outwards, the way the kernel itself does it (arch/x86/kernel/unwind_orc.c).</summary>
internal sealed class X64Walk
{
    private const int RegistersSize = FrameRegisters.X64Words * 8;
    private const int InterruptSize = 5 * 8;

    private readonly X64Kernel _kernel;
    private readonly StackAreas _areas;
    private readonly WalkFrames _frames = new();
    private ulong _ip;
    private ulong _sp;
    private ulong _bp;
    private bool _isExact;
    private bool _isReliable = true;
    private FrameRegisters? _registers;
    private FrameRegisters? _former; // the full set, while only an interrupt's five words are at hand
    private bool _isRecovered;
    private bool _isEnd;
    private ulong _shownSp;

    private X64Walk(X64Kernel kernel, StackAreas areas)
    {
        _kernel = kernel;
        _areas = areas;
    }

    /// <summary>Walks from saved registers.</summary>
    public static KernelStack From(X64Kernel kernel, StackAreas areas, FrameRegisters registers)
    {
        var walk = new X64Walk(kernel, areas)
        {
            _ip = registers.Pc,
            _sp = registers.Sp,
            _bp = registers.FramePointer,
            _isExact = true,
            _registers = registers,
        };
        return walk.Run(FrameKind.Registers, userRegisters: null);
    }

    /// <summary>Walks from where a task was switched away from.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="areas">Its stacks.</param>
    /// <param name="frame">Address of its struct inactive_task_frame: r15 r14 r13 r12 rbx rbp and the return address.</param>
    /// <param name="isExact">Tells of that address whether it is a start and no return address: a child that never ran.</param>
    /// <param name="userRegisters">What the process will go on with; null for a kernel thread.</param>
    public static KernelStack FromSwitch(X64Kernel kernel, StackAreas areas, ulong frame, Func<ulong, bool> isExact, FrameRegisters? userRegisters)
    {
        if (areas.Enter(frame) is { } wrong)
            return KernelStack.None(wrong);
        if (!kernel.Memory.TryReadUInt64(frame + 40, out var bp) || !kernel.Memory.TryReadUInt64(frame + 48, out var ip))
            return KernelStack.None($"its stack at 0x{frame:x} is not in the dump");
        var walk = new X64Walk(kernel, areas) { _ip = ip, _sp = frame + 56, _bp = bp, _isExact = isExact(ip) };
        return walk.Run(FrameKind.Call, userRegisters);
    }

    private KernelStack Run(FrameKind first, FrameRegisters? userRegisters)
    {
        if (_registers is { IsUser: true })
        {
            AddUser(_registers);
            return _frames.ToStack(null);
        }
        var stopped = _areas.Enter(_sp);
        Add(first);
        while (stopped is null)
        {
            stopped = _frames.IsFull ? $"more than {WalkFrames.Maximum} frames" : Step();
            if (stopped is not null || _isEnd)
                break;
            if (_registers is { IsUser: true })
            {
                AddUser(_registers);
                return _frames.ToStack(null);
            }
            stopped = _areas.Enter(_sp);
            if (stopped is null)
                Add(_registers is null ? FrameKind.Call : FrameKind.Registers);
        }
        if (stopped is not null)
            AddGuesses();
        else if (userRegisters is { IsUser: true })
            AddUser(userRegisters);
        return _frames.ToStack(stopped);
    }

    private void Add(FrameKind kind)
    {
        kind = _isRecovered ? FrameKind.Recovered : kind;
        _frames.Add(new StackFrame(_ip, _sp, kind, _isReliable, !_isExact) { Stack = _areas.Mark }, _registers);
        (_isRecovered, _shownSp) = (false, _sp);
    }

    private void AddUser(FrameRegisters registers) => _frames.Add(new StackFrame(registers.Pc, registers.Sp, FrameKind.User, _isReliable, false), registers);

    // Goes to the caller. Null when that worked, or the stack ended; else why not.
    private string? Step()
    {
        if (_ip == 0)
            return Apply(OrcEntry.JustCalled);
        if (_kernel.Orc is null)
            return _kernel.UsesFramePointers ? StepByFramePointer() : "the kernel's unwind tables could not be read";
        if (!_kernel.Orc(_isExact ? _ip : _ip - 1, out var entry))
        {
            // Code without a table: a BPF program, a trampoline. From here on nothing is sure.
            _isReliable = false;
            return Apply(OrcEntry.FramePointer);
        }
        switch (entry.Type)
        {
            case OrcType.End:
                _isEnd = true;
                return null;
            case OrcType.Undefined:
                return Recover();
            case OrcType.Invalid:
                return $"the unwind table's entry for 0x{_ip:x} is of no known kind";
            default:
                return Apply(entry);
        }
    }

    private string? Apply(OrcEntry entry)
    {
        if (CanonicalFrame(entry) is not { } frame)
            return $"the caller of 0x{_ip:x} is counted from a register that is not known, or a word that is not in the dump";
        var before = _bp;
        switch (entry.Type)
        {
            case OrcType.Call:
                if (!TryWord(frame - 8, out var ip))
                    return Unreadable(frame - 8);
                if (!MayBeCode(ip))
                    return $"0x{ip:x}, found as a return address at 0x{frame - 8:x}, is not in the kernel's code";
                (_ip, _sp, _registers, _former) = (ip, frame, null, null);
                break;
            case OrcType.Registers:
                Span<byte> full = stackalloc byte[RegistersSize];
                if (!TryRead(frame, full) || FrameRegisters.Of(Machines.X64, full) is not { } registers)
                    return Unreadable(frame);
                (_ip, _sp, _registers, _former) = (registers.Pc, registers.Sp, registers, null);
                break;
            default:
                Span<byte> five = stackalloc byte[InterruptSize];
                if (!TryRead(frame, five))
                    return Unreadable(frame);
                _former = _registers is { IsPartial: false } ? _registers : _former;
                _registers = FrameRegisters.OfInterrupt(five);
                (_ip, _sp) = (_registers.Pc, _registers.Sp);
                break;
        }
        ulong? saved = entry.Bp switch
        {
            OrcRegister.PreviousSp => unchecked(frame + (ulong)entry.BpOffset),
            OrcRegister.Bp => unchecked(before + (ulong)entry.BpOffset),
            _ => null,
        };
        if (saved is not { } at)
            _bp = Register(OrcRegister.Bp) ?? before;
        else if (!TryWord(at, out _bp))
            return Unreadable(at);
        _isExact = entry.IsSignal;
        return null;
    }

    // The canonical frame address: what the stack pointer was before the call, or where the registers were saved.
    private ulong? CanonicalFrame(OrcEntry entry)
    {
        var offset = (ulong)entry.SpOffset;
        switch (entry.Sp)
        {
            case OrcRegister.Sp:
                return unchecked(_sp + offset);
            case OrcRegister.Bp:
                return unchecked(_bp + offset);
            case OrcRegister.SpIndirect when _kernel.AddsBeforeIndirection:
                return TryWord(unchecked(_sp + offset), out var old) ? old : null;
            case OrcRegister.SpIndirect:
                return TryWord(_sp, out var word) ? unchecked(word + offset) : null;
            case OrcRegister.BpIndirect:
                return TryWord(unchecked(_bp + offset), out var indirect) ? indirect : null;
            case OrcRegister.Invalid or OrcRegister.Undefined or OrcRegister.PreviousSp:
                return null;
            default:
                return Register(entry.Sp) is { } value ? unchecked(value + offset) : null;
        }
    }

    private ulong? Register(OrcRegister register) => _registers is null ? null : (_registers.IsPartial ? _former : _registers)?.Value(register);

    // A function that must not be unwound: its caller is the next word that stands behind a call of it.
    private string? Recover()
    {
        if (_kernel.Code.Find(_isExact ? _ip : _ip - 1) is not { } function)
            return $"nothing is known about the stack at 0x{_ip:x}";
        ulong second = 0;
        for (ulong slot = _sp, last = Math.Min(_areas.End, _sp + 256 * 8); slot < last; slot += 8)
        {
            if (!TryWord(slot, out var word))
                break;
            if (!_kernel.Code.IsText(word))
                continue;
            var kind = CallSites.Before(_kernel.Memory, word, out var target);
            if (kind == CallKind.Direct && target == function.Start)
            {
                GoTo(slot, word, function.Start);
                return null;
            }
            if (second == 0 && (kind == CallKind.Indirect || (kind == CallKind.Direct && IsThunk(target))))
                second = slot;
        }
        if (second == 0 || !TryWord(second, out var likely))
            return $"nothing is known about the stack of {function.Name}";
        _isReliable = false;
        GoTo(second, likely, function.Start);
        return null;
    }

    private void GoTo(ulong slot, ulong word, ulong function)
    {
        var push = CallSites.PushOfFramePointer(_kernel.Memory, function);
        if (push > 0 && TryWord(slot - 8 * (ulong)push, out var bp))
            _bp = bp;
        (_ip, _sp, _isExact, _registers, _former) = (word, slot + 8, false, null, null);
        _isRecovered = true;
    }

    private bool IsThunk(ulong target) => _kernel.Code.Find(target) is { } thunk
        && (thunk.Name.StartsWith("__x86_indirect_", StringComparison.Ordinal) || thunk.Name.StartsWith("__SCT__", StringComparison.Ordinal));

    // The caller's frame by rbp: where the caller's own was saved, and the return address above it. With bit 0 set it points to saved registers.
    private string? StepByFramePointer()
    {
        if (_bp == 0)
        {
            _isEnd = true;
            return null;
        }
        if ((_bp & 1) != 0)
        {
            Span<byte> full = stackalloc byte[RegistersSize];
            if (!TryRead(_bp & ~1UL, full) || FrameRegisters.Of(Machines.X64, full) is not { } registers)
                return Unreadable(_bp & ~1UL);
            (_ip, _sp, _bp, _isExact, _registers) = (registers.Pc, registers.Sp, registers.FramePointer, true, registers);
            return null;
        }
        var frame = _bp;
        if (!TryWord(frame, out var bp) || !TryWord(frame + 8, out var ip))
            return Unreadable(frame);
        if (!MayBeCode(ip))
            return $"0x{ip:x}, found as a return address at 0x{frame + 8:x}, is not in the kernel's code";
        (_ip, _sp, _bp, _isExact, _registers) = (ip, frame + 16, bp, false, null);
        return null;
    }

    // What is left of a stack whose walk failed: the words behind which a call stands.
    private void AddGuesses()
    {
        for (var slot = _shownSp; slot < _areas.End && !_frames.IsFull && TryWord(slot, out var word); slot += 8)
            if (_kernel.Code.IsText(word) && CallSites.Before(_kernel.Memory, word, out _) != CallKind.None)
                _frames.Add(new StackFrame(word, slot + 8, FrameKind.Guess, IsReliable: false, IsReturnAddress: true) { Stack = _areas.Mark });
    }

    // Code without symbols (BPF, trampolines, a module that is being unloaded) lies in the 2 GiB of the image and the modules.
    private bool MayBeCode(ulong ip)
    {
        if (_kernel.Code.IsText(ip) || _kernel.Code.IsText(ip - 1))
            return true;
        if (ip < Netdump.Vmcore.Memory.KernelMemory.ImageStart || CallSites.Before(_kernel.Memory, ip, out _) == CallKind.None)
            return false;
        _isReliable = false;
        return true;
    }

    private bool TryWord(ulong address, out ulong word)
    {
        word = 0;
        return (address & 7) == 0 && _areas.MayRead(address) && _kernel.Memory.TryReadUInt64(address, out word);
    }

    private bool TryRead(ulong address, Span<byte> bytes) =>
        _areas.MayRead(address) && _areas.MayRead(unchecked(address + (ulong)bytes.Length - 1)) && _kernel.Memory.TryRead(address, bytes);

    private string Unreadable(ulong address) => _areas.MayRead(address)
        ? $"its stack at 0x{address:x} is not in the dump"
        : $"0x{address:x}, where the caller would be found, is on no stack of this task";
}
