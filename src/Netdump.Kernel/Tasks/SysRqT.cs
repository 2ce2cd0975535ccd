using System.Globalization;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tasks;

/// <summary>The list of tasks with their stacks, line for line as the dead kernel's SysRq-t would have printed it: people and scripts know that form.</summary>
/// <remarks>
/// One task after the other, in the kernel's order, each written before the next is read, so that the capture kernel can print tasks without number.
/// For sleeping tasks the lines are the kernel's, those with a <c>?</c> included. Of a task on a processor the kernel knows only stale words; here its stack is
/// walked from the registers it had. (kernel/sched/core.c, arch/x86/kernel/dumpstack.c, arch/arm64/kernel/stacktrace.c)
/// </remarks>
public sealed class SysRqT
{
    private readonly CrashedKernel _kernel;
    private readonly TaskSource _source;
    private readonly TaskStacks _stacks;
    private readonly KernelSymbols? _symbols;
    private readonly SysRqFormat _format;
    private readonly Field _stopperThread;
    private readonly Field _stopperFunction;
    private readonly Field _stopperCaller;
    private readonly Field _workerPool;
    private readonly Field _poolWorkqueue;
    private readonly Field _workqueueName;
    private readonly ulong _stoppers;
    private readonly bool _marksStack;
    private readonly bool _namesSource;

    /// <summary>Makes ready to write.</summary>
    /// <param name="kernel">The dead kernel.</param>
    public SysRqT(CrashedKernel kernel)
    {
        _kernel = kernel;
        _source = new TaskSource(kernel);
        _stacks = new TaskStacks(_source);
        _symbols = kernel.Symbols;
        _format = SysRqFormat.Find(kernel);
        _stopperThread = Field.Of(kernel.Types, "cpu_stopper", "thread");
        _stopperFunction = Field.Of(kernel.Types, "cpu_stopper", "fn");
        _stopperCaller = Field.Of(kernel.Types, "cpu_stopper", "caller");
        _workerPool = Field.Of(kernel.Types, "worker", "current_pwq");
        _poolWorkqueue = Field.Of(kernel.Types, "pool_workqueue", "wq");
        _workqueueName = Field.Of(kernel.Types, "workqueue_struct", "name");
        _stoppers = kernel.TryFind("cpu_stopper", out var stoppers) ? stoppers : 0;
        // x86 marks a task's stack since 5.16; arm64 says since 6.13 where it has an address from.
        _marksStack = IsAtLeast(kernel.Info.Release, 5, 16);
        _namesSource = kernel.Types?.SizeOf("frame_record_meta") is not null;
    }

    /// <summary>Writes all tasks.</summary>
    /// <param name="output">Where to; each line ends in a line feed.</param>
    /// <param name="onlyBlocked">Only those in state D, as SysRq-w.</param>
    /// <returns>How many tasks were written.</returns>
    public int Write(TextWriter output, bool onlyBlocked = false)
    {
        var count = 0;
        foreach (KernelTask task in Listed(onlyBlocked))
        {
            Write(task, output);
            count++;
        }
        return count;
    }

    /// <summary>The text of each task, lines with their ends, made as it is asked for.</summary>
    public IEnumerable<string> Texts()
    {
        StringWriter text = new();
        foreach (KernelTask task in Listed(onlyBlocked: false))
        {
            text.GetStringBuilder().Clear();
            Write(task, text);
            yield return text.ToString();
        }
    }

    // The kernel takes no look at tasks whose stack is given back already.
    private IEnumerable<KernelTask> Listed(bool onlyBlocked) =>
        new TaskWalk(_source).Enumerate().Where(t => onlyBlocked ? t.State == 'D' : !t.IsDead && t.Stack is not null);

    /// <summary>Writes one task.</summary>
    public void Write(KernelTask task, TextWriter output)
    {
        output.Write(string.Create(CultureInfo.InvariantCulture, $"task:{task.Comm,-15} state:{task.State}"));
        if (task.StateBits == 0)
            output.Write("  running task    ");
        _format.Write(name => ValueOf(task, name), output);
        output.Write('\n');
        WriteWork(task, output);
        WriteStopper(task, output);
        if (_kernel.Machine == Machines.Arm64)
            WriteArm64(task, output);
        else
            WriteX64(task, output);
    }

    private ulong ValueOf(KernelTask task, string name) => name switch
    {
        "pid" => (ulong)task.Pid,
        "tgid" => (ulong)task.Tgid,
        // A task that is being taken down has no parent to speak of any more.
        "ppid" => task.Value(task.Layout.ThreadPid) == 0 ? 0 : (ulong)((int?)task.Layout.Pid.ReadSigned(_kernel.Memory, task.Value(task.Layout.RealParent) ?? 0) ?? 0),
        "task_flags" => task.Flags,
        "flags" => task.ThreadFlags ?? 0,
        _ => 0, // stack: how much was never used, counted with CONFIG_DEBUG_STACK_USAGE only
    };

    private void WriteWork(KernelTask task, TextWriter output)
    {
        if (task.Worker is not { } worker)
            return;
        var name = _poolWorkqueue.Read(_kernel.Memory, _workerPool.Read(_kernel.Memory, worker.Address) ?? 0) is > 0 and var queue && _workqueueName.Exists
            && _kernel.Memory.TryReadText(_workqueueName.At(queue), 32, out var bytes) ? KernelTask.TextOf(bytes) : "";
        if (worker.Function == 0 && name.Length == 0 && worker.Workqueue.Length == 0)
            return;
        output.Write($"Workqueue: {name} {Plain(worker.Function)}");
        if (worker.Workqueue != name)
            output.Write($" ({worker.Workqueue})");
        output.Write('\n');
    }

    private void WriteStopper(KernelTask task, TextWriter output)
    {
        if (_stoppers == 0 || _symbols is null || task.Processor < 0)
            return;
        var stopper = _symbols.OnProcessor(_stoppers, task.Processor);
        if (_stopperThread.Read(_kernel.Memory, stopper) != task.Address)
            return;
        output.Write(
            $"Stopper: {Place(_stopperFunction.Read(_kernel.Memory, stopper) ?? 0)} <- {Place(_stopperCaller.Read(_kernel.Memory, stopper) ?? 0)}\n");
    }

    // Every word of the stack that is code gets a line; those the walk went through have no question mark.
    private void WriteX64(KernelTask task, TextWriter output)
    {
        output.Write("Call Trace:\n");
        var isRunning = task.IsOnProcessor;
        KernelStack? stack = isRunning && _kernel.Unwinder?.Processors.OfTask(task.Address) is { } processor
            ? _kernel.Unwinder.OfProcessor(processor)
            : _kernel.Unwinder?.OfSleeping(task.Address);
        var words = isRunning ? [] : _stacks.WordsOf(task, out _);
        if (_marksStack)
            output.Write(" <TASK>\n");
        var next = 0;
        if (isRunning)
            while (stack is not null && next < stack.Frames.Count)
                WriteFrame(stack, next++, output);
        var start = task.StackPointer ?? 0;
        var skipped = 0UL;
        for (var i = 0; i < words.Length; i++)
        {
            if (_symbols?.IsText(words[i]) != true)
                continue;
            if (stack is not null && next < stack.Frames.Count && stack.Frames[next] is { IsReturnAddress: true, Kind: FrameKind.Call } frame && frame.Sp == start + (ulong)i * 8 + 8)
            {
                WriteFrame(stack, next++, output);
                // Registers that an exception or a system call left on the stack stand behind the function that saved them.
                while (next < stack.Frames.Count && stack.Frames[next].Kind is FrameKind.Registers or FrameKind.User)
                {
                    skipped = stack.Frames[next].Pc;
                    WriteFrame(stack, next++, output);
                }
            }
            else if (words[i] != skipped)
            {
                output.Write($" ? {_symbols.Render(words[i], isReturnAddress: true)}\n");
            }
            else
            {
                skipped = 0;
            }
        }
        if (_marksStack)
            output.Write(" </TASK>\n");
    }

    private void WriteFrame(KernelStack stack, int index, TextWriter output)
    {
        StackFrame frame = stack.Frames[index];
        if (stack.RegistersAt(index) is { } registers)
            WriteRegisters(registers, output);
        else if (frame.Kind != FrameKind.User)
            output.Write($" {(frame.IsReliable ? "" : "? ")}{_symbols?.Render(frame.Pc, frame.IsReturnAddress) ?? $"0x{frame.Pc:x}"}\n");
    }

    private void WriteRegisters(FrameRegisters registers, TextWriter output)
    {
        ulong Value(string name) => registers[name] ?? 0;
        output.Write(string.Create(CultureInfo.InvariantCulture, $"RIP: {Value("cs"):x4}:{Place(registers.Pc)}\nRSP: {Value("ss"):x4}:{registers.Sp:x16} EFLAGS: {Value("rflags"):x8}"));
        if (registers.IsPartial)
        {
            output.Write('\n');
            return;
        }
        if (Value("orig_rax") != ulong.MaxValue)
            output.Write($" ORIG_RAX: {Value("orig_rax"):x16}");
        output.Write(
            $"\nRAX: {Value("rax"):x16} RBX: {Value("rbx"):x16} RCX: {Value("rcx"):x16}\nRDX: {Value("rdx"):x16} RSI: {Value("rsi"):x16} RDI: {Value("rdi"):x16}\nRBP: {Value("rbp"):x16} R08: {Value("r8"):x16} R09: {Value("r9"):x16}\nR10: {Value("r10"):x16} R11: {Value("r11"):x16} R12: {Value("r12"):x16}\nR13: {Value("r13"):x16} R14: {Value("r14"):x16} R15: {Value("r15"):x16}\n");
    }

    // arm64 prints the address itself, not the one before, and no words that it did not walk through.
    private void WriteArm64(KernelTask task, TextWriter output)
    {
        output.Write("Call trace:\n");
        if (_kernel.Unwinder?.Of(task.Address) is not { } stack)
            return;
        for (var i = 0; i < stack.Frames.Count; i++)
            if (stack.Frames[i] is { Kind: not FrameKind.User } frame)
                output.Write($" {_symbols?.Render(frame.Pc, isReturnAddress: false) ?? $"0x{frame.Pc:x}"}{(i == 0 && _namesSource && !task.IsOnProcessor ? " (T)" : "")}\n");
    }

    // %pS: a number without a symbol is printed as 0x0.
    private string Place(ulong address) => _symbols?.Render(address, isReturnAddress: false) ?? $"0x{address:x}";

    // %ps: the name alone.
    private string Plain(ulong function) =>
        _symbols is not null && _symbols.TryResolve(function, out SymbolMatch match) ? match.Module is { } module ? $"{match.Name} [{module}]" : match.Name : $"0x{function:x}";

    private static bool IsAtLeast(string? release, int major, int minor)
    {
        var parts = (release ?? "").Split('.', '-');
        return parts.Length < 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var second) || first > major || (first == major && second >= minor);
    }
}
