using Netdump.Kernel.Types;
using Netdump.Vmcore;

namespace Netdump.Kernel.Unwind;

/// <summary>Where a kernel's stacks lie.</summary>
internal sealed class StackPlaces
{
    private const ulong Smallest = 4096;
    private const ulong Largest = 1 << 20;
    private const ulong Usual = 16 << 10;

    // The exception stacks of x86_64 (asm/cpu_entry_area.h), and how the kernel's log marks frames on them.
    private static readonly (string Member, string Mark)[] Exceptions =
        [("DF_stack", "#DF"), ("NMI_stack", "NMI"), ("DB_stack", "#DB"), ("MCE_stack", "#MC"), ("VC_stack", "#VC"), ("VC2_stack", "#VC2")];

    private readonly CrashedKernel _kernel;
    private readonly Processors _processors;
    private readonly int? _stackOffset;

    public StackPlaces(CrashedKernel kernel, Processors processors)
    {
        (_kernel, _processors) = (kernel, processors);
        _stackOffset = kernel.Types?.OffsetOf("task_struct", "stack");
        ThreadSize = LearnThreadSize();
    }

    /// <summary>Bytes of a task's stack (THREAD_SIZE): 16 KiB, 32 with KASAN, 64 with pages of 64 KiB.</summary>
    public ulong ThreadSize { get; }

    /// <summary>Where a task's stack begins; null when that cannot be told.</summary>
    public ulong? StackOf(ulong task) =>
        _stackOffset is { } offset && _kernel.Memory.TryReadUInt64(unchecked(task + (ulong)offset), out var stack) && stack >> 63 != 0 && stack <= ulong.MaxValue - Largest
            ? stack
            : null;

    /// <summary>The stacks of a task that did not run.</summary>
    public StackAreas OfSleeping(ulong stack) => new([new StackArea(stack, stack + ThreadSize, "TASK")], isComplete: true);

    /// <summary>The stacks that a CPU may have been on.</summary>
    public StackAreas OfProcessor(int cpu)
    {
        var areas = new List<StackArea>();
        var isComplete = AddTask(cpu, areas);
        isComplete &= _kernel.Machine == Machines.Arm64 ? AddArm64(cpu, areas) : AddX64(cpu, areas);
        return new StackAreas(areas, isComplete);
    }

    private bool AddTask(int cpu, List<StackArea> areas)
    {
        if (_processors.TaskOn(cpu) is not { } task || StackOf(task) is not { } stack)
            return false;
        areas.Add(new StackArea(stack, stack + ThreadSize, "TASK"));
        return true;
    }

    private bool AddX64(int cpu, List<StackArea> areas)
    {
        var isComplete = true;
        if (Word(_processors.HotMember("hardirq_stack_ptr", cpu) ?? _kernel.Symbols?.OnProcessor("hardirq_stack_ptr", cpu)) is { } top && top > Largest)
        {
            // The word at the top is where the old stack pointer goes, and the pointer leads there (to the top itself before 5.12).
            top = (top + 15) & ~15UL;
            areas.Add(new StackArea(top - ThreadSize, top, "IRQ"));
        }
        else
            isComplete = false;
        if (Word(_kernel.Symbols?.OnProcessor("cea_exception_stacks", cpu)) is not { } exceptions || _kernel.Types?.Find("cea_exception_stacks", TypeKind.Struct) is not { } type)
            return false;
        foreach (var (member, mark) in Exceptions)
            if (_kernel.Types.FindMember(type, member) is { Size: > 0 } stack)
                areas.Add(new StackArea(exceptions + stack.Offset, exceptions + stack.Offset + (ulong)stack.Size, mark));
        return isComplete;
    }

    private bool AddArm64(int cpu, List<StackArea> areas)
    {
        AddLow(Word(_kernel.Symbols?.OnProcessor("irq_stack_ptr", cpu)), ThreadSize, "IRQ", areas);
        AddLow(_kernel.Symbols?.OnProcessor("overflow_stack", cpu), Smallest, "OVERFLOW", areas);
        AddLow(Word(_kernel.Symbols?.OnProcessor("sdei_stack_normal_ptr", cpu)), ThreadSize, "SDEI", areas);
        AddLow(Word(_kernel.Symbols?.OnProcessor("sdei_stack_critical_ptr", cpu)), ThreadSize, "SDEI", areas);
        return areas.Exists(a => a.Mark == "IRQ");
    }

    private static void AddLow(ulong? start, ulong size, string mark, List<StackArea> areas)
    {
        if (start is { } low && low >> 63 != 0 && low <= ulong.MaxValue - Largest)
            areas.Add(new StackArea(low, low + size, mark));
    }

    private ulong? Word(ulong? address) => address is { } at && _kernel.Memory.TryReadUInt64(at, out var value) && value >> 63 != 0 ? value : null;

    private ulong LearnThreadSize()
    {
        if (_kernel.Types?.SizeOf("thread_union") is { } union && Fits((ulong)union))
            return (ulong)union;
        if (_kernel.Machine == Machines.X64)
        {
            // A running task's stack ends where its CPU begins to push on entry, up to the 16 bytes that FRED leaves.
            foreach (var cpu in _processors.Numbers)
                if (_processors.TaskOn(cpu) is { } task && StackOf(task) is { } stack
                    && Word(_processors.HotMember("top_of_stack", cpu) ?? _kernel.Symbols?.OnProcessor("cpu_current_top_of_stack", cpu)) is { } top
                    && top > stack && Fits((top - stack + Smallest - 1) & ~(Smallest - 1)))
                {
                    return (top - stack + Smallest - 1) & ~(Smallest - 1);
                }
        }
        return _kernel.Symbols is { } symbols && symbols.TryFind("__start_init_task", out var start) && symbols.TryFind("__end_init_task", out var end)
            && Fits(unchecked(end - start)) ? end - start : Usual;
    }

    private static bool Fits(ulong size) => size is >= Smallest and <= Largest && ulong.IsPow2(size);
}
