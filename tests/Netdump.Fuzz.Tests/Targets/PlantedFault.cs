using Netdump.Fuzz.Tests.Engine;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>Not a parser of ours: a fault that only a fuzzer finds which sees where its inputs go.</summary>
public sealed class PlantedFault : FuzzTarget
{
    /// <summary>What leads to it.</summary>
    public static ReadOnlySpan<byte> Key => [0xc1, 0x07, 0x9e, 0x33, 0xf8, 0x5a];

    public override int MaximumLength => 16;

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.Length < 6 || input[0] != 0xc1) return;
        if (input[1] != 0x07) return;
        if (input[2] != 0x9e) return;
        if (input[3] != 0x33) return;
        if (input[4] != 0xf8) return;
        if (input[5] == 0x5a) throw new InvalidOperationException("the planted fault");
    }
}
