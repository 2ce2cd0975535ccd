using System.Globalization;
using System.Text;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tasks;

/// <summary>
/// The tasks as the kernel's own SysRq-t prints them (kernel/sched/core.c sched_show_task, arch/x86/kernel/dumpstack.c, arch/arm64's stacktrace.c):
/// what the classic protocol calls SHOW_STATE. Made task by task, so that a machine with very many costs no memory for it.
/// </summary>
/// <remarks>What the kernel prints of a task in one line differs from release to release: the line's form is read out of the kernel itself.</remarks>
public sealed class TaskStateText
{
    private const string FormStart = " stack:%";
    private const int LongestForm = 128;
    private const int Chunk = 64 << 10;

    // What the newest kernels print; for one whose form cannot be read.
    private const string KnownForm = " stack:%-5lu pid:%-5d tgid:%-5d ppid:%-6d task_flags:0x%04x flags:0x%08lx";

    private readonly CrashedKernel _kernel;
    private readonly StringBuilder _text = new();
    private readonly string _form;

    private TaskStateText(CrashedKernel kernel)
    {
        _kernel = kernel;
        _form = FindForm(kernel) ?? KnownForm;
    }

    /// <summary>The text of each task, lines with their ends, made as it is asked for.</summary>
    public static IEnumerable<string> Of(CrashedKernel kernel)
    {
        TaskStateText text = new(kernel);
        foreach (KernelTask task in kernel.Tasks.All)
            yield return text.Of(task);
    }

    private string Of(KernelTask task)
    {
        _text.Clear();
        string comm = task.Comm.Length > 15 ? task.Comm[..15] : task.Comm;
        _text.Append(CultureInfo.InvariantCulture, $"task:{comm,-15} state:{task.State}");
        if (task.State == 'R')
            _text.Append("  running task    ");
        AppendForm(task);
        AppendWorker(task);
        if (_kernel.Unwinder?.Of(task.Address) is { } stack)
            AppendStack(stack);
        return _text.ToString();
    }

    private void AppendForm(KernelTask task)
    {
        for (int at = 0; at < _form.Length;)
        {
            int percent = _form.IndexOf('%', at);
            if (percent < 0)
            {
                _text.Append(_form.AsSpan(at));
                break;
            }
            _text.Append(_form.AsSpan(at, percent - at));
            int end = percent + 1;
            while (end < _form.Length && !char.IsAsciiLetter(_form[end]))
                end++;
            ReadOnlySpan<char> size = _form.AsSpan(percent + 1, end - percent - 1);
            while (end < _form.Length && _form[end] == 'l')
                end++;
            char kind = end < _form.Length ? _form[end] : 'd';
            at = Math.Min(_form.Length, end + 1);
            AppendNumber(ValueOf(NameBefore(percent), task), kind, size);
        }
        _text.Append('\n');
    }

    private ReadOnlySpan<char> NameBefore(int percent)
    {
        int colon = _form.LastIndexOf(':', percent);
        int start = colon < 0 ? 0 : _form.LastIndexOf(' ', colon) + 1;
        return colon < 0 ? "" : _form.AsSpan(start, colon - start);
    }

    private static ulong ValueOf(ReadOnlySpan<char> name, KernelTask task) => name switch
    {
        "pid" => (ulong)task.Pid,
        "tgid" => (ulong)task.Tgid,
        "ppid" => (ulong)task.ParentPid,
        "task_flags" => task.Flags,
        "flags" => task.ThreadFlags ?? 0,
        _ => 0, // the stack's room, which is counted with CONFIG_DEBUG_STACK_USAGE alone
    };

    private void AppendNumber(ulong value, char kind, ReadOnlySpan<char> size)
    {
        string digits = kind == 'x' ? value.ToString("x", CultureInfo.InvariantCulture) : value.ToString(CultureInfo.InvariantCulture);
        bool left = size.StartsWith("-"), zero = size.StartsWith("0");
        int width = int.TryParse(size.TrimStart('-'), NumberStyles.None, CultureInfo.InvariantCulture, out int wide) ? Math.Min(wide, 32) : 0;
        _text.Append(left ? digits.PadRight(width) : digits.PadLeft(width, zero ? '0' : ' '));
    }

    // print_worker_info() in kernel/workqueue.c: idle workers still tell what they worked for last.
    private void AppendWorker(KernelTask task)
    {
        if (task.Worker is not { } worker)
            return;
        string name = _kernel.Types?.At("worker", worker.Address)["current_pwq"]["wq"]["name"].Text ?? "";
        if (worker.Function == 0 && name.Length == 0 && worker.Workqueue.Length == 0)
            return;
        string function = "0x0";
        if (worker.Function != 0)
            function = _kernel.Symbols is { } symbols && symbols.TryResolve(worker.Function, out var match)
                ? match.Module is { } module ? $"{match.Name} [{module}]" : match.Name
                : $"0x{worker.Function:x}";
        _text.Append("Workqueue: ").Append(name).Append(' ').Append(function);
        if (name != worker.Workqueue)
            _text.Append(" (").Append(worker.Workqueue).Append(')');
        _text.Append('\n');
    }

    private void AppendStack(KernelStack stack)
    {
        bool isX64 = _kernel.Machine == Machines.X64;
        _text.Append(isX64 ? "Call Trace:\n" : "Call trace:\n");
        string? mark = null;
        for (int i = 0; i < stack.Frames.Count; i++)
        {
            StackFrame frame = stack.Frames[i];
            if (isX64 && frame.Stack != mark && frame.Kind != FrameKind.User)
            {
                if (mark is not null)
                    _text.Append(" </").Append(mark).Append(">\n");
                mark = frame.Stack;
                if (mark is not null)
                    _text.Append(" <").Append(mark).Append(">\n");
            }
            if (frame.Kind == FrameKind.User)
            {
                if (isX64 && stack.RegistersAt(i) is { } registers)
                    AppendRegisters(registers);
                continue;
            }
            string place = _kernel.Symbols?.Render(frame.Pc, frame.IsReturnAddress) ?? $"0x{frame.Pc:x}";
            _text.Append(' ').Append(frame.IsReliable ? "" : "? ").Append(place).Append('\n');
        }
        if (mark is not null)
            _text.Append(" </").Append(mark).Append(">\n");
        if (stack.Stopped is { } reason)
            _text.Append(" (").Append(reason).Append(")\n");
    }

    // __show_regs() in its short form, arch/x86/kernel/process_64.c; code of another task's user mode is never printed.
    private void AppendRegisters(FrameRegisters registers)
    {
        ulong R(string name) => registers[name] ?? 0;
        _text.Append(CultureInfo.InvariantCulture, $"RIP: {R("cs"):x4}:0x{R("rip"):x}\n");
        _text.Append(CultureInfo.InvariantCulture, $"RSP: {R("ss"):x4}:{R("rsp"):x16} EFLAGS: {R("rflags"):x8}");
        if (R("orig_rax") != ulong.MaxValue)
            _text.Append(CultureInfo.InvariantCulture, $" ORIG_RAX: {R("orig_rax"):x16}");
        _text.Append('\n');
        foreach (var (a, b, c) in RegisterRows)
            _text.Append(CultureInfo.InvariantCulture, $"{Printed(a)}: {R(a):x16} {Printed(b)}: {R(b):x16} {Printed(c)}: {R(c):x16}\n");
    }

    private static readonly (string, string, string)[] RegisterRows =
        [("rax", "rbx", "rcx"), ("rdx", "rsi", "rdi"), ("rbp", "r8", "r9"), ("r10", "r11", "r12"), ("r13", "r14", "r15")];

    private static string Printed(string name) => name is "r8" ? "R08" : name is "r9" ? "R09" : name.ToUpperInvariant();

    // The form stands in the kernel's read-only data, behind a log level or none.
    private static string? FindForm(CrashedKernel kernel)
    {
        if (kernel.Symbols is not { } symbols || !symbols.TryFind("__start_rodata", out ulong start) || !symbols.TryFind("__end_rodata", out ulong end)
            || end <= start || end - start > 64 << 20)
            return null;
        byte[] wanted = Encoding.ASCII.GetBytes(FormStart);
        byte[] buffer = new byte[Chunk + LongestForm];
        for (ulong at = start; at < end; at += Chunk)
        {
            ReadOnlySpan<byte> bytes = buffer.AsSpan(0, kernel.Memory.Read(at, buffer.AsSpan(0, (int)Math.Min((ulong)buffer.Length, end - at))));
            for (int from = 0; from < bytes.Length && bytes[from..].IndexOf(wanted) is >= 0 and var found; from += found + 1)
            {
                ReadOnlySpan<byte> form = bytes[(from + found)..];
                int length = form.IndexOf((byte)'\n');
                if (length is > 0 and < LongestForm && form[..length].IndexOf("pid:%"u8) > 0 && !form[..length].Contains((byte)0))
                    return Encoding.ASCII.GetString(form[..length]);
            }
        }
        return null;
    }
}
