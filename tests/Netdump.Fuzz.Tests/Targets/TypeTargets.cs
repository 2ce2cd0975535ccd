using Netdump.Fuzz.Tests.Engine;
using Netdump.Kernel;
using Netdump.Kernel.Tests;
using Netdump.Kernel.Tests.Types;
using Netdump.Kernel.Types;
using Netdump.Vmcore.Memory;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>BTF that may hold anything: every question has an answer, and none costs much.</summary>
public sealed class KernelTypeTables : FuzzTarget
{
    public override int MaximumLength => 2048;

    public override double Share => 0.2;

    public override IReadOnlyList<byte[]> Tokens => [[0x9f, 0xeb, 1, 0, 24, 0, 0, 0], [0, 0, 0, 4], [2, 0, 0, 0x84], "list\0"u8.ToArray(), "task\0"u8.ToArray()];

    public override IEnumerable<byte[]> Seeds => [HostileTypes.Sound()];

    public override void Run(ReadOnlySpan<byte> input)
    {
        SyntheticMemory memory = new(1 << 12);
        HostileTypes.ReadAll(KernelTypes.Open(MemoryView.Of(input), memory.Memory, new Gaps()));
    }
}

/// <summary>Lists and trees in memory that may hold anything: each walk ends.</summary>
public sealed class KernelContainers : FuzzTarget
{
    private static readonly byte[] Types = HostileTypes.Sound();

    public override int MaximumLength => 1024;

    public override double Share => 0.5;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. Enumerable.Range(0, 8).Select(i => BitConverter.GetBytes(SyntheticMemory.Start + (ulong)i * 64)), BitConverter.GetBytes(SyntheticMemory.Start + 2), [0x0e, 1]];

    public override IEnumerable<byte[]> Seeds =>
    [
        [.. BitConverter.GetBytes(SyntheticMemory.Start + 64), .. BitConverter.GetBytes(SyntheticMemory.Start + 66), .. new byte[48], .. BitConverter.GetBytes(SyntheticMemory.Start)],
        [.. new byte[8], .. BitConverter.GetBytes(SyntheticMemory.Start + 256 + 10), .. new byte[240], .. Enumerable.Range(1, 64).SelectMany(i => BitConverter.GetBytes((ulong)i))],
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        SyntheticMemory memory = new(1 << 12);
        memory.Write(SyntheticMemory.Start, input);
        KernelTypes types = KernelTypes.Open(MemoryView.Of(Types), memory.Memory, new Gaps())!;
        Require(types.ListEntries(SyntheticMemory.Start, "task", "list", 50).Count() <= 50, "a list has an end");
        Require(types.HlistEntries(SyntheticMemory.Start, "task", "list", 50).Count() <= 50, "a chain has an end");
        Require(types.RbTree(SyntheticMemory.Start, 50).Count() <= 50, "a tree has an end");
        Require(types.XArray(SyntheticMemory.Start, 50).Count() <= 50, "an xarray has an end");
        Require(types.MapleTree(SyntheticMemory.Start, 50).Count() <= 50, "a maple tree has an end");
    }
}
