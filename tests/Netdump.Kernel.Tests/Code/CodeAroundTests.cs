using System.Buffers.Binary;
using CsCheck;
using Netdump.Kernel.Code;
using Netdump.Kernel.Symbols;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tests.Code;

public class CodeAroundTests
{
    private const ulong Start = 0xffff_ffff_8100_0000;
    private const int Bx = 5, Cx = 11, Di = 14, Sp = 19;

    [Fact]
    public void Item52_the_operand_of_a_null_dereference_is_the_fault_address()
    {
        var code = Around([0x55, 0x48, 0x89, 0xe5, 0x48, 0x8b, 0x47, 0x18, 0xc3], 4, (Di, 0)); // push rbp; mov rbp, rsp; mov rax, [rdi+0x18]; ret
        Assert.Equal(new MemoryOperand(0x18, 8, false, "rdi+0x18"), Assert.Single(code.Operands));
        Assert.Equal(["push rbp", "mov rbp, rsp", "mov rax, [rdi+0x18]", "ret"], code.Lines.Take(4).Select(l => l.Text));
        Assert.Equal([false, false, true, false], code.Lines.Take(4).Select(l => l.IsCurrent));
        Assert.Equal(Start + 4, code.Lines[2].Address);
        Assert.Equal([0x48, 0x8b, 0x47, 0x18], code.Lines[2].Bytes.ToArray());
    }

    [Fact]
    public void Item52_an_index_a_negative_displacement_and_a_write_are_counted()
    {
        var code = Around([0x89, 0x54, 0x8b, 0xf8], 0, (Bx, 0x1000), (Cx, 3)); // mov [rbx+rcx*4-8], edx
        Assert.Equal(new MemoryOperand(0x1004, 4, true, "rbx+rcx*4-0x8"), Assert.Single(code.Operands));
    }

    [Fact]
    public void Item52_a_per_cpu_variable_counts_from_the_gs_base()
    {
        var code = Around([0x65, 0x48, 0x8b, 0x04, 0x25, 0x40, 0x00, 0x00, 0x00], 0); // mov rax, gs:[0x40]
        Assert.Equal(0xffff_8881_0000_0040, Assert.Single(code.Operands).Address);
        Assert.Equal("gs:0x40", code.Operands[0].Text);
    }

    [Fact]
    public void What_an_instruction_touches_without_saying_so_is_told_too()
    {
        var code = Around([0x50], 0, (Sp, 0x2000)); // push rax
        Assert.Equal(new MemoryOperand(0x1ff8, 8, true, "rsp-0x8"), Assert.Single(code.Operands));
        Assert.Empty(Around([0x48, 0x8d, 0x47, 0x18], 0).Operands); // lea rax, [rdi+0x18] touches nothing
    }

    [Fact]
    public void Six_instructions_before_and_four_behind_are_shown()
    {
        var code = Around([.. Enumerable.Repeat((byte)0x90, 40)], 20);
        Assert.Equal(11, code.Lines.Count);
        Assert.Equal(6, code.Lines.ToList().FindIndex(l => l.IsCurrent));
    }

    [Fact]
    public void A_program_counter_between_instructions_is_read_from_there_on()
    {
        var code = Around([0x48, 0xb8, 1, 2, 3, 4, 5, 6, 0x90, 0x90, 0xc3], 8); // the program counter is within mov rax, imm64
        Assert.True(code.Lines[0].IsCurrent);
        Assert.Equal("nop", code.Lines[0].Text);
    }

    [Fact]
    public void A_call_has_the_name_of_what_it_calls()
    {
        var code = Around([0xe8, 0xfb, 0xff, 0xff, 0xff], 0);
        Assert.Equal("call f", code.Lines[0].Text);
    }

    [Fact]
    public void Code_that_is_not_in_the_dump_or_a_process_own_is_not_read()
    {
        Assert.Null(CodeAround.Of((_, _) => 0, _ => null, Registers(Start), null));
        var user = new byte[168];
        BinaryPrimitives.WriteUInt64LittleEndian(user.AsSpan(17 * 8), 0x33);
        Assert.Null(CodeAround.Of((_, d) => d.Length, _ => null, FrameRegisters.Of(Machines.X64, user)!, null));
    }

    [Fact]
    public void The_code_where_a_real_kernel_died_is_shown()
    {
        var kernel = Crashes.Open(Crashes.Linux61FourLevel);
        using var dump = kernel.Dump;
        var code = CodeAround.Of(kernel, kernel.Unwinder!.Processors.RegistersOf(1)!, 1)!;
        Assert.Equal(0xffffffff813741ba, code.Lines.Single(l => l.IsCurrent).Address);
        Assert.Equal(11, code.Lines.Count);
        Assert.Equal(["pushfq", "pop qword ptr [rsp+0x90]"], code.Lines.Skip(3).Take(2).Select(l => l.Text)); // crash_setup_regs saves the flags
    }

    [Fact]
    public void Arm64_has_words_without_text()
    {
        var kernel = Crashes.Open(Crashes.Arm64);
        using var dump = kernel.Dump;
        var code = CodeAround.Of(kernel, kernel.Unwinder!.Processors.RegistersOf(1)!, 1)!;
        Assert.Equal(11, code.Lines.Count);
        Assert.All(code.Lines, l => Assert.True(l.Text is null && l.Bytes.Length == 4));
        Assert.Equal(0xffffce18a41be5cc & 0xfff, code.Lines[6].Address & 0xfff);
    }

    [Fact]
    public void Whatever_the_bytes_no_more_than_eleven_lines_come_out() =>
        (from bytes in Gen.Byte.Array[0, 80] from at in Gen.Int[0, 70] select (bytes, at)).Sample(c =>
        {
            var code = CodeAround.Of(Memory(c.bytes), _ => new SymbolMatch(Start, 80, "f", null), Registers(Start + (ulong)c.at), 0);
            return code is null ? c.at >= c.bytes.Length || c.bytes.Length > 0 : code.Lines.Count is > 0 and <= 11 && code.Lines.Count(l => l.IsCurrent) == 1;
        });

    private static CodeAround Around(byte[] code, int at, params (int Register, ulong Value)[] values)
    {
        var padded = new byte[code.Length + 80];
        padded.AsSpan().Fill(0x90);
        code.CopyTo(padded, 0);
        return CodeAround.Of(Memory(padded), a => a >= Start && a < Start + 4096 ? new SymbolMatch(Start, 4096, "f", null) : null,
            Registers(Start + (ulong)at, values), 0xffff_8881_0000_0000)!;
    }

    private static Netdump.Vmcore.Memory.MemoryReader Memory(byte[] bytes) => (address, destination) =>
    {
        if (address < Start || address - Start >= (ulong)bytes.Length)
            return 0;
        var part = bytes.AsSpan((int)(address - Start));
        part = part[..Math.Min(part.Length, destination.Length)];
        part.CopyTo(destination);
        return part.Length;
    };

    private static FrameRegisters Registers(ulong pc, params (int Register, ulong Value)[] values)
    {
        var bytes = new byte[168];
        foreach (var (register, value) in (ReadOnlySpan<(int, ulong)>)[(16, pc), (17, 0x10UL), .. values])
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(register * 8), value);
        return FrameRegisters.Of(Machines.X64, bytes)!;
    }
}
