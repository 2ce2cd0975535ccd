using System.Buffers.Binary;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Kernel.Tests.Unwind;

/// <summary>arm64 stacks written word by word.</summary>
public class Arm64WalkTests
{
    private const ulong Text = 0xffff_8000_8100_0000;
    private const ulong Stack = 0xffff_8000_0010_0000;
    private const ulong IrqStack = 0xffff_8000_0020_0000;
    private const int Size = 0x4000;
    private const int RecordOffset = 304;
    private const uint Nop = 0xd503201f, Return = 0xd65f03c0, SetFrame = 0x910003fd, LoadFrame = 0xa8c17bfd;

    private readonly byte[] _text = new byte[Size];
    private readonly byte[] _stack = new byte[Size];
    private readonly byte[] _irq = new byte[Size];
    private readonly HashSet<int> _entries = [];
    private bool _hasRecordTypes;

    public Arm64WalkTests()
    {
        for (var i = 0; i < Size; i += 4)
            Code(Text + (ulong)i, Nop);
        for (var n = 0; n < 16; n++)
            Code(Function(n), SetFrame);
    }

    [Fact]
    public void Signed_return_addresses_lead_along_the_records_to_the_one_of_zeros()
    {
        Words(Stack + 0x100, Stack + 0x200, Signed(Function(1) + 8)).Words(Stack + 0x200, Stack + 0x300, Function(2) + 8).Words(Stack + 0x300, 0, 0);
        var stack = Arm64Walk.FromSwitch(Kernel(), Areas(), Function(0) + 0x20, Stack + 0x100, Stack + 0xf0, null);
        Assert.Null(stack.Stopped);
        Assert.Equal([Function(0) + 0x20, Function(1) + 8, Function(2) + 8], stack.Frames.Select(f => f.Pc));
        Assert.All(stack.Frames, f => Assert.True(f.IsReturnAddress && f.IsReliable && f.Stack == "TASK"));
    }

    [Theory]
    [InlineData("not yet set", 4, true)]
    [InlineData("set", 32, false)]
    [InlineData("set no more", 60, true)]
    [InlineData("behind a return", 68, false)]
    public void A_function_without_a_record_of_its_own_has_its_caller_in_x30(string what, int offset, bool hasCaller)
    {
        Code(Function(3), Nop).Code(Function(3) + 8, SetFrame).Code(Function(3) + 56, LoadFrame).Code(Function(3) + 60, Return);
        Code(Function(1) + 4, BranchTo(Function(1) + 4, Function(3)));
        Words(Stack + 0x200, 0, 0);
        var stack = Arm64Walk.From(Kernel(), Areas(), Registers(Function(3) + (ulong)offset, Stack + 0x100, Stack + 0x200, Signed(Function(1) + 8)));
        Assert.Null(stack.Stopped);
        Assert.True(stack.Frames.Count == (hasCaller ? 2 : 1), what);
        if (hasCaller)
            Assert.Equal((Function(1) + 8, FrameKind.Recovered, true), (stack.Frames[1].Pc, stack.Frames[1].Kind, stack.Frames[1].IsReliable));
    }

    [Fact]
    public void A_caller_that_called_something_else_is_no_more_than_likely_and_one_that_called_nothing_is_none()
    {
        Code(Function(3), Nop);
        Words(Stack + 0x200, 0, 0);
        Code(Function(1) + 4, BranchTo(Function(1) + 4, Function(2)));
        var likely = Arm64Walk.From(Kernel(), Areas(), Registers(Function(3) + 4, Stack + 0x100, Stack + 0x200, Function(1) + 8));
        Assert.False(likely.Frames[1].IsReliable);
        Assert.Single(Arm64Walk.From(Kernel(), Areas(), Registers(Function(3) + 4, Stack + 0x100, Stack + 0x200, Function(1) + 0x40)).Frames);
    }

    [Fact]
    public void An_interrupt_up_to_6_12_has_its_record_within_the_saved_registers()
    {
        var saved = Stack + 0x400;
        _entries.Add(5);
        Words(IrqStack + 0x100, saved + RecordOffset, Signed(Function(5) + 0x10));
        Saved(saved, Function(6) + 0x10, Stack + 0x800, Stack + 0x900, 0).Words(saved + RecordOffset, Stack + 0x900, Function(6) + 0x10);
        Words(Stack + 0x900, 0, 0);
        var stack = Arm64Walk.From(Kernel(), Areas(), Registers(Function(0) + 0x20, IrqStack + 0x80, IrqStack + 0x100, 0));
        Assert.Null(stack.Stopped);
        Assert.Equal([Function(0) + 0x20, Function(5) + 0x10, Function(6) + 0x10], stack.Frames.Select(f => f.Pc));
        Assert.Equal((FrameKind.Registers, false), (stack.Frames[2].Kind, stack.Frames[2].IsReturnAddress));
        Assert.Equal(["IRQ", "IRQ", "TASK"], stack.Frames.Select(f => f.Stack));
    }

    [Fact]
    public void An_interrupt_since_6_13_has_a_record_of_zeros_and_a_type()
    {
        _hasRecordTypes = true;
        var saved = Stack + 0x400;
        Words(Stack + 0x100, saved + RecordOffset, Function(5) + 0x10);
        Saved(saved, Function(6) + 0x10, Stack + 0x800, Stack + 0x900, 0).Words(saved + RecordOffset, 0, 0, 2);
        Words(Stack + 0x900, 0, 0, 1);
        var stack = Arm64Walk.From(Kernel(), Areas(), Registers(Function(0) + 0x20, Stack + 0x80, Stack + 0x100, 0));
        Assert.Null(stack.Stopped);
        Assert.Equal([Function(0) + 0x20, Function(5) + 0x10, Function(6) + 0x10], stack.Frames.Select(f => f.Pc));
        Assert.Equal(FrameKind.Registers, stack.Frames[2].Kind);
    }

    [Fact]
    public void A_record_of_no_known_type_stops_the_walk()
    {
        _hasRecordTypes = true;
        Words(Stack + 0x100, 0, 0, 7);
        Assert.Contains("no known type", Arm64Walk.From(Kernel(), Areas(), Registers(Function(0) + 0x20, Stack + 0x80, Stack + 0x100, 0)).Stopped!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Stack + 0x100, "goes back")]
    [InlineData(Stack + 0x80, "goes back")]
    [InlineData(Stack + 0x204, "no multiple of 8")]
    [InlineData(0x1000, "on no stack")]
    public void Item24_records_that_lead_back_or_away_stop_the_walk(ulong next, string why)
    {
        Words(Stack + 0x100, next, Function(1) + 8);
        var stack = Arm64Walk.From(Kernel(), Areas(), Registers(Function(0) + 0x20, Stack + 0x80, Stack + 0x100, 0));
        Assert.Contains(why, stack.Stopped!, StringComparison.Ordinal);
        Assert.Equal(2, stack.Frames.Count);
    }

    [Fact]
    public void A_processor_in_user_mode_and_a_process_end_with_the_process_own_registers()
    {
        var user = Registers(0x400988, 0x7fff_0000, 0, 0, pstate: 0x8000_0000);
        Assert.Equal(FrameKind.User, Assert.Single(Arm64Walk.From(Kernel(), Areas(), user).Frames).Kind);
        Words(Stack + 0x100, 0, 0);
        var stack = Arm64Walk.FromSwitch(Kernel(), Areas(), Function(0) + 0x20, Stack + 0x100, Stack + 0xf0, user);
        Assert.Equal([FrameKind.Call, FrameKind.User], stack.Frames.Select(f => f.Kind));
    }

    private static ulong Function(int n) => Text + (ulong)n * 0x100;

    private static ulong Signed(ulong address) => address & ~0xffff_0000_0000_0000 | 0xb980_0000_0000_0000;

    private static uint BranchTo(ulong from, ulong to) => 0x94000000 | ((uint)((long)(to - from) / 4) & 0x3ffffff);

    private static StackAreas Areas() => new([new(Stack, Stack + Size, "TASK"), new(IrqStack, IrqStack + Size, "IRQ")], isComplete: true);

    private static FrameRegisters Registers(ulong pc, ulong sp, ulong fp, ulong link, ulong pstate = 5)
    {
        var bytes = new byte[34 * 8];
        foreach (var (i, value) in (ReadOnlySpan<(int, ulong)>)[(29, fp), (30, link), (31, sp), (32, pc), (33, pstate)])
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 8), value);
        return FrameRegisters.Of(Machines.Arm64, bytes)!;
    }

    private Arm64Kernel Kernel() => new(
        new CachedMemory(Read), new KernelCode(IsText, a => IsText(a) ? Named((int)((a - Text) / 0x100)) : null), 0xffff_0000_0000_0000, RecordOffset, _hasRecordTypes);

    private CodeFunction Named(int n) => new(Function(n), Function(n + 1), _entries.Contains(n) ? "el1h_64_irq" : $"f{n}");

    private static bool IsText(ulong address) => address >= Text && address < Text + Size;

    private Arm64WalkTests Saved(ulong at, ulong pc, ulong sp, ulong fp, ulong link) => Words(at + 29 * 8, fp, link, sp, pc, 5);

    private Arm64WalkTests Words(ulong address, params ulong[] words)
    {
        for (var i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(At(address + (ulong)i * 8), words[i]);
        return this;
    }

    private Arm64WalkTests Code(ulong address, uint instruction)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(At(address), instruction);
        return this;
    }

    private Span<byte> At(ulong address) => address >= Text ? _text.AsSpan((int)(address - Text)) : address >= IrqStack ? _irq.AsSpan((int)(address - IrqStack)) : _stack.AsSpan((int)(address - Stack));

    private int Read(ulong address, Span<byte> destination)
    {
        foreach (var (start, bytes) in (ReadOnlySpan<(ulong, byte[])>)[(Text, _text), (Stack, _stack), (IrqStack, _irq)])
            if (address >= start && address - start < Size)
            {
                var part = bytes.AsSpan((int)(address - start));
                part = part[..Math.Min(part.Length, destination.Length)];
                part.CopyTo(destination);
                return part.Length;
            }
        return 0;
    }
}
