using System.Buffers.Binary;
using Netdump.Fuzz.Tests.Engine;
using Netdump.Kernel.Unwind;
using Netdump.Vmcore;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>
/// A dead kernel's stack and unwind tables: a byte that says how to walk, 16 ORC entries of 6 bytes, registers, then the words of code and stack.
/// </summary>
public sealed class StackWalks : FuzzTarget
{
    private const ulong Text = 0xffff_ffff_8100_0000;
    private const ulong Stack = 0xffff_c900_0000_0000;
    private const ulong Other = 0xffff_c900_0010_0000;
    private const int Functions = 16;
    private const int FunctionSize = 64;
    private const int Entries = 1 + 27 * 8;
    private const int Words = Entries + Functions * OrcEntry.Size;
    private const int StackSize = 2048;

    public override int MaximumLength => Words + Functions * FunctionSize + StackSize;

    public override IReadOnlyList<byte[]> Tokens =>
    [
        .. ((ulong[])[Text + 5, Text + 64, Text + 133, Stack + 8, Stack + 64, Stack + 512, Other + 8, Other + 128, Stack + 65, 0x10, 0x33])
            .Select(word => { var bytes = new byte[8]; BinaryPrimitives.WriteUInt64LittleEndian(bytes, word); return bytes; }),
        [0xe8, 0xfb, 0xff, 0xff, 0xff], [0xff, 0xd0], [0x55], [8, 0, 0, 0, 5, 0], [16, 0, 0xf0, 0xff, 0x14, 0], [0, 0, 0, 0, 5, 1], [0, 0, 0, 0, 0, 4],
    ];

    public override IEnumerable<byte[]> Seeds => [Seed(0), Seed(3), Seed(4), Seed(16)];

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.Length < Words)
            return;
        byte[] bytes = input.ToArray();
        int how = bytes[0];
        var memory = new CachedMemory((address, destination) => Read(bytes, address, destination));
        var code = new KernelCode(IsText, address => IsText(address) ? FunctionAt((int)((address - Text) / FunctionSize)) : null);
        var areas = new StackAreas([new StackArea(Stack, Stack + StackSize, "TASK"), new StackArea(Other, Other + StackSize, "IRQ")], isComplete: (how & 32) == 0);
        KernelStack stack;
        if ((how & 16) != 0)
        {
            if (FrameRegisters.Of(Machines.Arm64, bytes.AsSpan(1)) is not { } registers)
                return;
            stack = Arm64Walk.From(new Arm64Kernel(memory, code, 0xffff_0000_0000_0000, 304, (how & 8) != 0), areas, registers);
        }
        else
        {
            var version = (OrcVersion)(1 + (how & 3));
            OrcLookup find = (ulong address, out OrcEntry entry) =>
            {
                int at = IsText(address) ? Entries + (int)((address - Text) / FunctionSize) * OrcEntry.Size : 0;
                entry = at == 0 ? default : OrcEntry.Decode(
                    BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(at)), BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(at + 2)),
                    BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at + 4)), version);
                return at != 0;
            };
            var kernel = new X64Kernel(memory, code, (how & 4) != 0 ? null : find, (how & 8) != 0, (how & 64) != 0);
            stack = (how & 128) != 0
                ? X64Walk.FromSwitch(kernel, areas, Stack + 8, address => address == Text, null)
                : X64Walk.From(kernel, areas, FrameRegisters.Of(Machines.X64, bytes.AsSpan(1, 27 * 8))!);
        }
        Require(stack.Frames.Count <= WalkFrames.Maximum + 2, "frames are bounded");
        Require(stack.Stopped is null or { Length: > 0 and < 200 }, "a walk that stops says why in a line");
        Require(stack.Frames.All(f => f.Kind != FrameKind.Guess || !f.IsReliable), "a guess is never sure");
    }

    private static byte[] Seed(byte how)
    {
        var bytes = new byte[Words + Functions * FunctionSize + StackSize];
        bytes[0] = how;
        int registers = 1;
        Word(registers + 16 * 8, Text + 5);
        Word(registers + 17 * 8, 0x10);
        Word(registers + 19 * 8, Stack + 8);
        for (int n = 0; n < Functions; n++)
            ((ReadOnlySpan<byte>)[8, 0, 0, 0, (byte)(how == 3 ? 3 : 5), (byte)(how == 3 ? 2 : 0)]).CopyTo(bytes.AsSpan(Entries + n * OrcEntry.Size));
        for (int i = 0; i < StackSize / 8; i++)
            Word(Words + Functions * FunctionSize + i * 8, i % 2 == 0 ? Text + (ulong)(i % Functions) * FunctionSize + 5 : Stack + (ulong)i * 8 + 24);
        if (how == 16)
            foreach (var (i, word) in (ReadOnlySpan<(int, ulong)>)[(29, Stack + 8), (31, Stack + 8), (32, Text + 4), (33, 5)])
                Word(registers + i * 8, word);
        return bytes;

        void Word(int at, ulong word) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), word);
    }

    private static bool IsText(ulong address) => address >= Text && address < Text + Functions * FunctionSize;

    private static CodeFunction FunctionAt(int n) =>
        new(Text + (ulong)(n * FunctionSize), Text + (ulong)((n + 1) * FunctionSize), n == 7 ? "el1h_64_irq" : "f");

    // Both stacks hold the same words, so that one leads to the other.
    private static int Read(byte[] bytes, ulong address, Span<byte> destination)
    {
        foreach (var (start, at, length) in (ReadOnlySpan<(ulong, int, int)>)[
            (Text, Words, Functions * FunctionSize), (Stack, Words + Functions * FunctionSize, StackSize), (Other, Words + Functions * FunctionSize, StackSize)])
        {
            if (address < start || address - start >= (ulong)length || at + (int)(address - start) >= bytes.Length)
                continue;
            Span<byte> part = bytes.AsSpan(at + (int)(address - start));
            part = part[..Math.Min(Math.Min(part.Length, length - (int)(address - start)), destination.Length)];
            part.CopyTo(destination);
            return part.Length;
        }
        return 0;
    }
}
