using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>Who handles an interrupt.</summary>
/// <param name="Address">The struct irqaction.</param>
/// <param name="Name">The driver's name for it.</param>
public sealed record InterruptAction(ulong Address, string Name);

/// <summary>One interrupt.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Address">Its struct irq_desc.</param>
/// <param name="Chip">The controller's name; empty when it has none.</param>
/// <param name="HardwareNumber">The number at that controller.</param>
/// <param name="Actions">Who handles it; empty when it is not used.</param>
/// <param name="Counts">How often it came, by present processor: arm64 takes the others offline when it panics.</param>
public sealed record Interrupt(int Number, ulong Address, string Chip, ulong HardwareNumber, IReadOnlyList<InterruptAction> Actions, IReadOnlyList<uint> Counts)
{
    private const int MostInterrupts = 1 << 16;
    private const int MostActions = 64;

    /// <summary>How many numbers there can be; null when that is not known.</summary>
    public static int? Limit(CrashedKernel kernel) => (kernel.ReadInt("nr_irqs") ?? kernel.ReadInt("total_nr_irqs")) is >= 0 and <= MostInterrupts and var count ? count : null;

    internal static IReadOnlyList<Interrupt> ReadAll(CrashedKernel kernel)
    {
        if (kernel.Types is not { } types || kernel.Symbols is not { } symbols)
            return [];
        var descriptors = symbols.TryFind("sparse_irqs", out var tree)
            ? types.MapleTree(tree, MostInterrupts).Select(e => (e.First, e.Entry))
            : symbols.TryFind("irq_desc_tree", out tree) ? types.XArray(tree, MostInterrupts) : [];
        int[] processors = [.. symbols.Present];
        return [.. descriptors.Where(e => e.Item1 < MostInterrupts).Select(e => Read(kernel, types.At("irq_desc", e.Item2), (int)e.Item1, processors))];
    }

    private static Interrupt Read(CrashedKernel kernel, KernelObject descriptor, int number, int[] processors)
    {
        var actions = new List<InterruptAction>();
        for (var action = descriptor["action"].Target; action.Exists && actions.Count < MostActions; action = action["next"].Target)
            actions.Add(new InterruptAction(action.Address, action["name"].Text ?? ""));
        var counts = new uint[processors.Length];
        // A pointer made by alloc_percpu; since 6.10 to a structure that begins with the count.
        if (descriptor["kstat_irqs"].Pointer is { } area && area != 0)
            for (var i = 0; i < counts.Length; i++)
                _ = kernel.Memory.TryReadUInt32(kernel.Symbols!.OnProcessor(area, processors[i]), out counts[i]);
        return new Interrupt(
            number, descriptor.Address, descriptor["irq_data"]["chip"]["name"].Text ?? "", descriptor["irq_data"]["hwirq"].Unsigned ?? 0, actions, counts);
    }
}
