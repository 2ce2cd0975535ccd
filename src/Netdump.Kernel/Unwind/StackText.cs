using System.Globalization;
using Netdump.Kernel.Code;
using Netdump.Vmcore;

namespace Netdump.Kernel.Unwind;

/// <summary>Stacks as lines of text: a frame a line, <c>symbol+0x16 [module]</c>; what is not sure has a <c>?</c>.</summary>
public static class StackText
{
    // The rows of crash's register block.
    private static readonly string[][] X64Rows =
    [
        ["rip", "rsp", "rflags"], ["rax", "rbx", "rcx"], ["rdx", "rsi", "rdi"], ["rbp", "r8", "r9"], ["r10", "r11", "r12"], ["r13", "r14", "r15"],
    ];

    /// <summary>A place in the code: <c>symbol+0x16 [module]</c>; the number where there is no symbol.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="pc">The place.</param>
    /// <param name="isReturnAddress">Whether it follows a call: then the byte before tells the function.</param>
    public static string Place(CrashedKernel kernel, ulong pc, bool isReturnAddress)
    {
        if (kernel.Symbols is not { } symbols || !symbols.TryResolve(isReturnAddress && pc > 0 ? pc - 1 : pc, out var match))
            return $"0x{pc:x}";
        var place = $"{match.Name}+0x{unchecked(pc - match.Start):x}";
        return match.Module is null ? place : $"{place} [{match.Module}]";
    }

    /// <summary>Writes the frames of a stack, with lines for the stacks it crosses, exceptions, and the process's registers.</summary>
    public static void Write(CrashedKernel kernel, KernelStack stack, TextWriter output)
    {
        string? area = null;
        for (var i = 0; i < stack.Frames.Count; i++)
        {
            var frame = stack.Frames[i];
            if (frame.Kind != FrameKind.User && frame.Stack is { } here && here != area)
            {
                if (area is not null and not "TASK")
                    output.Write($"    </{area}>\n");
                if (here != "TASK")
                    output.Write($"    <{here}>\n");
                area = here;
            }
            if (frame.Kind == FrameKind.User)
            {
                output.Write($"     user mode at 0x{frame.Pc:x}\n");
                WriteRegisters(stack.RegistersAt(i), output);
                continue;
            }
            if (i > 0 && Interruption(kernel, stack, i) is { } what)
                output.Write($"     -- {what}, at {Place(kernel, frame.Pc, false)} --\n");
            output.Write(string.Create(CultureInfo.InvariantCulture, $"#{i,-3}{(frame.IsReliable ? " " : " ? ")}{Place(kernel, frame.Pc, frame.IsReturnAddress)}\n"));
        }
        if (stack.Stopped is not null)
            output.Write($"     {(stack.Frames.Count == 0 ? "no stack" : "stopped")}: {stack.Stopped}\n");
    }

    /// <summary>What came between a frame and the one inside it: <c>page fault: read of address 0x18</c>, <c>apic timer interrupt</c>.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="stack">The stack.</param>
    /// <param name="index">The frame; not the first.</param>
    /// <returns>Null when the frame inside was called by this one.</returns>
    public static string? Interruption(CrashedKernel kernel, KernelStack stack, int index)
    {
        var frame = stack.Frames[index];
        var entry = stack.Frames[index - 1];
        if (frame.Kind != FrameKind.Registers || stack.RegistersAt(index) is not { } registers)
            return null;
        if (kernel.Symbols is not { } symbols || !symbols.TryResolve(entry.Pc - 1, out var match))
            return "interrupted";
        var words = match.Name;
        foreach (var prefix in (ReadOnlySpan<string>)["asm_exc_", "asm_sysvec_", "asm_"])
            if (words.StartsWith(prefix, StringComparison.Ordinal))
            {
                words = words[prefix.Length..];
                break;
            }
        words = match.Name switch { "el1h_64_irq" or "el1h_64_fiq" => "interrupt", "el1h_64_sync" => "exception", "el1h_64_error" => "system error", _ => words };
        words = words.Replace('_', ' ');
        return words == "page fault" && registers["orig_rax"] is { } error ? $"page fault: {Access(kernel, registers, error)}" : words;
    }

    /// <summary>Writes registers in crash's block of seven lines; arm64's three a line.</summary>
    public static void WriteRegisters(FrameRegisters? registers, TextWriter output)
    {
        if (registers is null)
            return;
        if (registers.Machine != Machines.X64 || registers.IsPartial)
        {
            foreach (var row in registers.All.Chunk(3))
                output.Write($"    {string.Join("  ", row.Select(r => $"{r.Key.ToUpperInvariant(),4}: {r.Value:x16}"))}\n");
            return;
        }
        foreach (var row in X64Rows)
            output.Write($"    {Cell(row[0])}  {Cell(row[1])}  {Cell(row[2])}\n");
        output.Write($"    ORIG_RAX: {registers["orig_rax"]:x16}  CS: {registers["cs"]:x4}  SS: {registers["ss"]:x4}\n");

        string Cell(string name) => name == "rflags" ? $"RFLAGS: {registers[name]:x8}" : $"{name.ToUpperInvariant(),3}: {registers[name]:x16}";
    }

    // Error code: bit 1 a write, bit 4 an instruction fetch. CR2 is not saved; the instruction and the registers say what it was.
    private static string Access(CrashedKernel kernel, FrameRegisters registers, ulong error)
    {
        if ((error & 0x10) != 0)
            return $"execution of address 0x{registers.Pc:x}";
        var isWrite = (error & 2) != 0;
        var what = isWrite ? "write" : "read";
        if (CodeAround.Of(kernel, registers, null) is { } code)
            foreach (var operand in code.Operands)
                if (operand.IsWrite == isWrite)
                    return $"{what} of address 0x{operand.Address:x}";
        return what;
    }
}
