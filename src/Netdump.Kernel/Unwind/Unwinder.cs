using Netdump.Kernel.Types;
using Netdump.Vmcore;

namespace Netdump.Kernel.Unwind;

/// <summary>Walks the stacks of a dead kernel: ORC on x86_64, frame records on arm64, nothing but what the dump holds. For one thread.</summary>
public sealed class Unwinder
{
    private const ulong KernelThread = 0x0020_0000; // PF_KTHREAD (linux/sched.h)
    private const int UserRegistersX64 = FrameRegisters.X64Words * 8;

    private readonly CrashedKernel _kernel;
    private readonly CachedMemory _memory;
    private readonly StackPlaces _places;
    private readonly X64Kernel? _x64;
    private readonly Arm64Kernel? _arm64;
    private readonly TaskOffsets? _task;

    private Unwinder(CrashedKernel kernel)
    {
        _kernel = kernel;
        _memory = new CachedMemory(kernel.Memory.Read);
        Processors = new Processors(kernel);
        _places = new StackPlaces(kernel, Processors);
        _task = TaskOffsets.Of(kernel);
        var code = new KernelCode(IsText, FunctionAt);
        if (kernel.Machine == Machines.Arm64)
        {
            _arm64 = new Arm64Kernel(
                _memory, code, kernel.Info.UnsignedNumber("KERNELPACMASK") ?? 0, kernel.Types?.OffsetOf("pt_regs", "stackframe") ?? 0,
                kernel.Types?.SizeOf("frame_record_meta") is not null);
            return;
        }
        Tables = OrcTables.Open(kernel, _memory);
        _x64 = new X64Kernel(_memory, code, Tables is null ? null : Tables.TryFind, UsesFramePointers, IsBefore(kernel.Info.Release, 5, 12));
    }

    /// <summary>The CPUs and what they ran.</summary>
    public Processors Processors { get; }

    /// <summary>Bytes of a task's stack.</summary>
    public ulong StackSize => _places.ThreadSize;

    /// <summary>The ORC tables; null on arm64, or when they cannot be had.</summary>
    internal OrcTables? Tables { get; }

    // Without ORC symbols the kernel was built to keep rbp, or to guess (CONFIG_UNWINDER_GUESS), which walking by rbp shows at once.
    private bool UsesFramePointers => Tables is null && _kernel.Symbols is { } symbols && !symbols.TryFind("__start_orc_unwind_ip", out _);

    /// <summary>Makes ready to walk the stacks of a kernel.</summary>
    /// <returns>Null with a gap when its symbols are missing: then no word on a stack can be told from another.</returns>
    public static Unwinder? Open(CrashedKernel kernel)
    {
        if (kernel.Symbols is not null)
            return new Unwinder(kernel);
        kernel.Gaps.Add("stacks", "they cannot be walked without the kernel's symbols");
        return null;
    }

    /// <summary>The stack of a task, wherever it was.</summary>
    /// <param name="task">Address of its task_struct.</param>
    public KernelStack Of(ulong task) => Processors.OfTask(task) is { } cpu ? OfProcessor(cpu) : OfSleeping(task);

    /// <summary>The stack of a task that no CPU ran.</summary>
    /// <param name="task">Address of its task_struct.</param>
    public KernelStack OfSleeping(ulong task)
    {
        if (_task is not { } offsets)
            return KernelStack.None("the kernel's types are not in the dump: where a task keeps its stack is not known");
        if (offsets.ExitState is { } exit && _memory.TryReadInt32(unchecked(task + (ulong)exit), out var state) && state != 0)
            return KernelStack.None("the task has exited: its stack is freed");
        if (_places.StackOf(task) is not { } stack)
            return KernelStack.None($"where the stack of the task at 0x{task:x} lies cannot be read");
        var areas = _places.OfSleeping(stack);
        var saved = unchecked(task + (ulong)offsets.Saved);
        if (_arm64 is not null)
        {
            // struct cpu_context: x19 to x28, fp, sp, pc.
            return _memory.TryReadUInt64(saved + 80, out var fp) && _memory.TryReadUInt64(saved + 88, out var armSp) && _memory.TryReadUInt64(saved + 96, out var pc)
                ? Arm64Walk.FromSwitch(_arm64, areas, pc, fp, armSp, UserRegistersOf(task))
                : KernelStack.None($"what the task at 0x{task:x} saved when it was switched away cannot be read");
        }
        return _memory.TryReadUInt64(saved, out var sp)
            ? X64Walk.FromSwitch(_x64!, areas, sp, IsForkReturn, UserRegistersOf(task))
            : KernelStack.None($"what the task at 0x{task:x} saved when it was switched away cannot be read");
    }

    /// <summary>The stack of what a CPU ran when the kernel died.</summary>
    /// <param name="cpu">Its number.</param>
    public KernelStack OfProcessor(int cpu)
    {
        if (Processors.RegistersOf(cpu) is not { } registers)
            return KernelStack.None($"the registers of CPU {cpu} were not saved");
        var areas = _places.OfProcessor(cpu);
        return _arm64 is not null ? Arm64Walk.From(_arm64, areas, registers) : X64Walk.From(_x64!, areas, registers);
    }

    /// <summary>The registers that a process will go on with in user mode.</summary>
    /// <param name="task">Address of its task_struct.</param>
    /// <returns>Null for a kernel thread, or when they cannot be read.</returns>
    public FrameRegisters? UserRegistersOf(ulong task)
    {
        if (_task is not { } offsets || !_memory.TryReadInt32(unchecked(task + (ulong)offsets.Flags), out var flags) || ((ulong)(uint)flags & KernelThread) != 0
            || _places.StackOf(task) is not { } stack)
        {
            return null;
        }
        var top = stack + _places.ThreadSize;
        if (_arm64 is not null)
        {
            Span<byte> words = stackalloc byte[FrameRegisters.Arm64Words * 8];
            return _kernel.Types?.SizeOf("pt_regs") is { } size && _memory.TryRead(top - (ulong)size, words)
                && FrameRegisters.Of(Machines.Arm64, words) is { IsUser: true, Pc: not 0 } user ? user : null;
        }
        // FRED's frame has two words more than interrupts of old, and a kernel built for it leaves their room in any case.
        return UserRegistersAt(top - UserRegistersX64) ?? UserRegistersAt(top - UserRegistersX64 - 16);
    }

    private FrameRegisters? UserRegistersAt(ulong address)
    {
        Span<byte> words = stackalloc byte[UserRegistersX64];
        return _memory.TryRead(address, words) && FrameRegisters.Of(Machines.X64, words) is { } user && user["ss"] == 0x2b && user["cs"] is 0x33 or 0x23 ? user : null;
    }

    // The boot CPU's idle task was called from init text, which is freed but still on its stack.
    private bool IsText(ulong address) => _kernel.Symbols!.IsText(address) || _kernel.Symbols.IsInitText(address);

    private CodeFunction? FunctionAt(ulong address) =>
        IsText(address) && _kernel.Symbols!.TryResolve(address, out var match) ? new CodeFunction(match.Start, match.Start + match.Size, match.Name) : null;

    private bool IsForkReturn(ulong address) => _kernel.Symbols!.TryFind("ret_from_fork_asm", out var start) ? address == start
        : _kernel.Symbols.TryFind("ret_from_fork", out start) && address == start;

    private static bool IsBefore(string? release, int major, int minor)
    {
        var parts = (release ?? "").Split('.', '-');
        return parts.Length > 1 && int.TryParse(parts[0], out var first) && int.TryParse(parts[1], out var second) && (first, second).CompareTo((major, minor)) < 0;
    }

    /// <summary>Offsets in struct task_struct.</summary>
    private sealed record TaskOffsets(int Flags, int Saved, int? ExitState)
    {
        public static TaskOffsets? Of(CrashedKernel kernel)
        {
            KernelTypes? types = kernel.Types;
            var saved = types?.OffsetOf("task_struct", kernel.Machine == Machines.Arm64 ? "thread.cpu_context" : "thread.sp");
            return saved is { } context && types!.OffsetOf("task_struct", "flags") is { } flags
                ? new TaskOffsets(flags, context, types.OffsetOf("task_struct", "exit_state"))
                : null;
        }
    }
}
