using Netdump.Kernel.Unwind;
using static Netdump.Kernel.Tests.Unwind.SyntheticStack;

namespace Netdump.Kernel.Tests.Unwind;

public class X64WalkTests
{
    private static readonly OrcEntry End = new(0, 0, OrcRegister.Undefined, OrcRegister.Undefined, OrcType.End, IsSignal: false);
    private static readonly OrcEntry SavedRegisters = new(0, 0, OrcRegister.Sp, OrcRegister.Undefined, OrcType.Registers, IsSignal: true);
    private static readonly OrcEntry Undefined = new(0, 0, OrcRegister.Undefined, OrcRegister.Undefined, OrcType.Undefined, IsSignal: false);

    /// <summary>The versions of the format, as numbers since the type is the library's own.</summary>
    public static TheoryData<int> Versions => [1, 2, 3, 4];

    [Theory]
    [MemberData(nameof(Versions))]
    public void Item20_every_version_of_the_tables_gives_the_same_stack(int version)
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack()
            .Orc(0, Call(8)).Orc(0, Call(0x18, bpOffset: -0x18, bp: OrcRegister.PreviousSp), from: 0x10)
            .Orc(1, Call(0x10, OrcRegister.Bp, -0x10, OrcRegister.PreviousSp))
            .Orc(2, SavedRegisters)
            .Orc(3, Call(8))
            .Orc(4, End)
            .Write(top, /* f0: saved rbp */ top + 0x40, 0, Function(1) + 5)
            .Write(top + 0x40, /* f1: saved rbp */ 77, Function(2) + 5)
            .Write(top + 0x50, Registers(Function(3), top + 0x100, bp: 78))
            .Write(top + 0x100, Function(4) + 5)
            .Open((OrcVersion)version);
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 0x20, top));
        Assert.Null(stack.Stopped);
        Assert.Equal([Function(0) + 0x20, Function(1) + 5, Function(2) + 5, Function(3), Function(4) + 5], stack.Frames.Select(f => f.Pc));
        Assert.Equal([FrameKind.Registers, FrameKind.Call, FrameKind.Call, FrameKind.Registers, FrameKind.Call], stack.Frames.Select(f => f.Kind));
        Assert.Equal([false, true, true, false, true], stack.Frames.Select(f => f.IsReturnAddress));
        Assert.All(stack.Frames, f => Assert.True(f.IsReliable && f.Stack == "TASK"));
        Assert.Equal(78UL, stack.RegistersAt(3)!["rbp"]);
        Assert.Equal([0, 3], stack.FramesWithRegisters);
    }

    [Theory]
    [InlineData(0x10, true)]
    [InlineData(0xff8, true)]
    [InlineData(0x1000, false)]
    public void A_stack_that_ran_over_its_end_into_the_guard_page_is_walked_from_there(int below, bool isWalked)
    {
        var sp = Stack - (ulong)below;
        var size = (short)(below + 0x100);
        var kernel = new SyntheticStack().Orc(0, Call(size)).Orc(1, End).Write(sp + (ulong)size - 8, Function(1) + 5).Open();
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 0x20, sp));
        Assert.Equal(isWalked ? [Function(0) + 0x20, Function(1) + 5] : [Function(0) + 0x20], stack.Frames.Select(f => f.Pc));
        Assert.Equal(isWalked ? null : $"the stack pointer 0x{sp:x} is on no stack of this task", stack.Stopped);
    }

    [Fact]
    public void The_last_of_several_entries_at_one_address_counts_and_an_address_before_all_has_none()
    {
        var kernel = new SyntheticStack().Orc(1, Call(8)).Orc(1, Call(32)).Open();
        Assert.False(kernel.Orc!(Function(1) - 1, out _));
        Assert.True(kernel.Orc!(Function(1), out var entry));
        Assert.Equal(32, entry.SpOffset);
        Assert.True(kernel.Orc!(Function(9), out entry));
        Assert.Equal(32, entry.SpOffset);
    }

    [Fact]
    public void Item21_a_function_that_must_not_be_unwound_is_crossed_by_the_call_of_it()
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack()
            .Orc(0, Undefined).Orc(1, Call(0x10, OrcRegister.Bp, -0x10, OrcRegister.PreviousSp)).Orc(2, End)
            // endbr64; call __fentry__; push r12; mov r12, rsi; push rbp
            .Code(Function(0), 0xf3, 0x0f, 0x1e, 0xfa, 0xe8, 0, 0, 0, 0, 0x41, 0x54, 0x49, 0x89, 0xf4, 0x55)
            .CallBefore(Function(5) + 0x20, 6)
            .CallBefore(Function(1) + 0x20, 0)
            .Write(top, /* data that looks like code */ Function(3), /* a call of another function */ Function(5) + 0x20)
            .Write(top + 0x20, /* rbp, second push */ top + 0x60, /* r12 */ 0, Function(1) + 0x20)
            .Write(top + 0x60, 99, Function(2) + 5)
            .Open();
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 0x30, top, bp: 0x1234));
        Assert.Null(stack.Stopped);
        Assert.Equal([Function(0) + 0x30, Function(1) + 0x20, Function(2) + 5], stack.Frames.Select(f => f.Pc));
        Assert.Equal([FrameKind.Registers, FrameKind.Recovered, FrameKind.Call], stack.Frames.Select(f => f.Kind));
        Assert.All(stack.Frames, f => Assert.True(f.IsReliable));
    }

    [Fact]
    public void Item21_without_a_call_of_it_the_first_indirect_call_is_taken_and_marked_unreliable()
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack()
            .Orc(0, Undefined).Orc(1, Call(8)).Orc(2, End)
            .Code(Function(1) + 0x20 - 3, 0x41, 0xff, 0xd4) // call r12
            .Write(top, 1, Function(1) + 0x20, Function(2) + 5)
            .Open();
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 0x30, top));
        Assert.Null(stack.Stopped);
        Assert.Equal([true, false, false], stack.Frames.Select(f => f.IsReliable));
        Assert.Equal(FrameKind.Recovered, stack.Frames[1].Kind);
    }

    [Fact]
    public void Item22_without_tables_the_words_behind_calls_are_guesses()
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack()
            .CallBefore(Function(1) + 0x20, 0)
            .Write(top, 1, Function(1) + 0x20, /* text, no call */ Function(2) + 0x20, 3)
            .Open(hasTables: false);
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 0x30, top));
        Assert.Contains("unwind tables", stack.Stopped!, StringComparison.Ordinal);
        Assert.Equal([Function(0) + 0x30, Function(1) + 0x20], stack.Frames.Select(f => f.Pc));
        Assert.Equal(new StackFrame(Function(1) + 0x20, top + 0x10, FrameKind.Guess, false, true) { Stack = "TASK" }, stack.Frames[1]);
    }

    [Fact]
    public void Item23_a_call_through_a_null_pointer_is_one_frame_and_then_the_caller()
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack().Orc(1, Call(8)).Orc(2, End).Write(top, Function(1) + 5, Function(2) + 5).Open();
        var stack = X64Walk.From(kernel, Areas(), Start(0, top));
        Assert.Null(stack.Stopped);
        Assert.Equal([0, Function(1) + 5, Function(2) + 5], stack.Frames.Select(f => f.Pc));
    }

    [Fact]
    public void Item24_a_saved_stack_pointer_that_leads_back_stops_the_walk_with_a_reason()
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack().Orc(0, Call(8)).Orc(2, SavedRegisters)
            .Write(top, Function(2) + 5)
            .Write(top + 8, Registers(Function(0) + 1, top))
            .Open();
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 1, top));
        Assert.Contains("goes back", stack.Stopped!, StringComparison.Ordinal);
        Assert.Equal(2, stack.Frames.Count);
    }

    [Fact]
    public void Item24_two_stacks_that_lead_to_each_other_are_each_entered_once()
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack().Orc(0, Call(8)).Orc(2, SavedRegisters)
            .Write(top, Function(2) + 5).Write(top + 8, Registers(Function(0) + 1, IrqStack + 0x100))
            .Write(IrqStack + 0x100, Function(2) + 5).Write(IrqStack + 0x108, Registers(Function(0) + 1, Stack + 0x3000))
            .Open();
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 1, top));
        Assert.Contains("left before", stack.Stopped!, StringComparison.Ordinal);
        Assert.Equal(["TASK", "TASK", "IRQ", "IRQ"], stack.Frames.Select(f => f.Stack));
    }

    [Fact]
    public void Item24_five_hundred_frames_are_the_most()
    {
        var kernel = new SyntheticStack().Orc(0, Call(8))
            .Write(Stack, [.. Enumerable.Repeat(Function(0) + 1, 2000)])
            .Open();
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 1, Stack + 8));
        Assert.Equal("more than 500 frames", stack.Stopped);
        Assert.Equal(500, stack.Frames.Count);
    }

    [Fact]
    public void Item25_a_task_that_slept_in_a_system_call_ends_with_the_process_own_registers()
    {
        var end = Stack + StackSize;
        var kernel = new SyntheticStack().Orc(0, Call(8)).Orc(2, SavedRegisters)
            .Write(end - 168, Registers(0x401158, 0x7ffc_0000, bp: 5, cs: 0x33))
            .Write(end - 176, Function(2) + 5)
            .Write(end - 176 - 56, 1, 2, 3, 4, 5, 6, Function(0) + 9)
            .Open();
        var stack = X64Walk.FromSwitch(kernel, Areas(), end - 176 - 56, _ => false, userRegisters: null);
        Assert.Null(stack.Stopped);
        Assert.Equal([FrameKind.Call, FrameKind.Call, FrameKind.User], stack.Frames.Select(f => f.Kind));
        Assert.Equal(0x401158UL, stack.Frames[^1].Pc);
        Assert.Equal(0x7ffc_0000UL, stack.RegistersAt(2)!["rsp"]);
        Assert.Null(stack.Frames[^1].Stack);
    }

    [Fact]
    public void Item25_a_child_that_never_ran_ends_where_its_process_will_begin()
    {
        var frame = Stack + 0x3000;
        var kernel = new SyntheticStack().Orc(0, End).Write(frame, 1, 2, 3, 4, 5, 6, Function(0)).Open();
        var stack = X64Walk.FromSwitch(kernel, Areas(), frame, ip => ip == Function(0), Start(0x401000, 0x7ffc_0000, cs: 0x33));
        Assert.Equal([Function(0), 0x401000UL], stack.Frames.Select(f => f.Pc));
        Assert.False(stack.Frames[0].IsReturnAddress);
    }

    [Fact]
    public void Item27_a_processor_in_user_mode_has_that_one_frame()
    {
        var stack = X64Walk.From(new SyntheticStack().Open(), Areas(), Start(0x401158, 0x7ffc_0000, cs: 0x33));
        Assert.Equal(FrameKind.User, Assert.Single(stack.Frames).Kind);
        Assert.Null(stack.Stopped);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Item28_an_interrupt_stack_leads_back_to_the_stack_it_came_from(bool before512)
    {
        var task = Stack + 0x2000;
        var irq = IrqStack + StackSize - 8;
        // Within call_on_stack the old stack pointer is at the very top; older kernels say by the offset where.
        OrcEntry crossing = new((short)(before512 ? 8 : 16), 0, OrcRegister.SpIndirect, OrcRegister.Undefined, OrcType.Call, IsSignal: false);
        var kernel = new SyntheticStack().Orc(0, Call(8)).Orc(1, crossing).Orc(2, Call(8)).Orc(3, End)
            .Write(irq - 8, Function(1) + 5)
            .Write(irq, before512 ? 0 : task)
            .Write(task, 0, Function(2) + 5, Function(3) + 5);
        if (before512)
            kernel.Write(irq - 0x10, Function(1) + 5, 0, task + 0x10);
        var stack = X64Walk.From(kernel.Open(addsBeforeIndirection: before512), Areas(), Start(Function(0) + 1, before512 ? irq - 0x10 : irq - 8));
        Assert.Null(stack.Stopped);
        Assert.Equal([Function(0) + 1, Function(1) + 5, Function(2) + 5, Function(3) + 5], stack.Frames.Select(f => f.Pc));
        Assert.Equal(["IRQ", "IRQ", "TASK", "TASK"], stack.Frames.Select(f => f.Stack));
    }

    [Fact]
    public void Item29_a_page_of_the_stack_that_is_not_in_the_dump_is_named()
    {
        var kernel = new SyntheticStack().Orc(0, Call(0x1008)).Write(Stack + 0x2000, 0);
        kernel.MissingPages.Add((Stack + 0x3000) >> 12);
        var stack = X64Walk.From(kernel.Open(), Areas(), Start(Function(0) + 1, Stack + 0x2000));
        Assert.Equal($"its stack at 0x{Stack + 0x3000:x} is not in the dump", stack.Stopped);
        Assert.Single(stack.Frames);
    }

    [Fact]
    public void Item30_code_without_a_table_is_crossed_by_its_frame_pointer_and_nothing_behind_is_sure()
    {
        const ulong Program = 0xffff_ffff_c012_3000;
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack().Orc(1, Call(8)).Orc(2, End)
            .Write(top, top + 0x20, 0)
            .Write(top + 0x20, 7, Function(1) + 5, Function(2) + 5)
            .Open();
        var stack = X64Walk.From(kernel, Areas(), Start(Program, top, bp: top + 0x20));
        Assert.Null(stack.Stopped);
        Assert.Equal([Program, Function(1) + 5, Function(2) + 5], stack.Frames.Select(f => f.Pc));
        Assert.Equal([true, false, false], stack.Frames.Select(f => f.IsReliable));
    }

    [Fact]
    public void A_kernel_with_frame_pointers_is_walked_by_them_over_saved_registers_to_user_mode()
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack()
            .Write(top, top + 0x20, Function(1) + 5)
            .Write(top + 0x20, (top + 0x40) | 1, Function(2) + 5)
            .Write(top + 0x40, Registers(Function(3) + 1, top + 0x200, bp: top + 0x200))
            .Write(top + 0x200, (top + 0x300) | 1, Function(4) + 5)
            .Write(top + 0x300, Registers(0x401000, 0x7ffc_0000, cs: 0x33))
            .Open(hasTables: false, usesFramePointers: true);
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 9, top, bp: top));
        Assert.Null(stack.Stopped);
        Assert.Equal([Function(0) + 9, Function(1) + 5, Function(2) + 5, Function(3) + 1, Function(4) + 5, 0x401000UL], stack.Frames.Select(f => f.Pc));
    }

    [Fact]
    public void A_return_address_outside_of_the_code_stops_the_walk()
    {
        var top = Stack + 0x2000;
        var kernel = new SyntheticStack().Orc(0, Call(8)).Write(top, 0xdead_beef).Open();
        var stack = X64Walk.From(kernel, Areas(), Start(Function(0) + 1, top));
        Assert.Equal($"0xdeadbeef, found as a return address at 0x{top:x}, is not in the kernel's code", stack.Stopped);
    }
}
