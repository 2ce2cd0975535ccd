using Netdump.Kernel.Tasks;
using Netdump.Vmcore.Memory;

namespace Netdump.Kernel.Facts;

/// <summary>One zone of physical memory (struct zone); all counts are of pages.</summary>
/// <param name="Node">The memory node it belongs to.</param>
/// <param name="Name">DMA, DMA32, Normal, Movable, ...</param>
/// <param name="Present">Pages there are.</param>
/// <param name="Managed">Pages that the kernel gives out.</param>
/// <param name="Free">Free ones; up to a few hundred for each processor may be missing.</param>
/// <param name="MinimumMark">Below this only those that free memory may take more.</param>
/// <param name="LowMark">Below this the kernel begins to free memory.</param>
/// <param name="HighMark">Above this it stops.</param>
/// <param name="Boost">What was added to the marks for a time.</param>
/// <param name="FreeBlocks">Free blocks of 2^n pages.</param>
public sealed record ZoneFacts(
    int Node, string Name, long Present, long Managed, long Free, long MinimumMark, long LowMark, long HighMark, long Boost, IReadOnlyList<long> FreeBlocks)
{
    private const int MostNodes = 1024;
    private const int MostZones = 8;
    private const int MostOrders = 32;

    /// <summary>Whether so little is free that ordinary tasks have to wait for memory.</summary>
    public bool IsBelowMinimum => Managed > 0 && Free < MinimumMark + Boost;

    /// <summary>Whether the kernel was freeing memory.</summary>
    public bool IsBelowLow => Managed > 0 && Free < LowMark + Boost;

    /// <summary>The zones that have memory; empty when they cannot be read.</summary>
    internal static IReadOnlyList<ZoneFacts> ReadAll(TaskSource source)
    {
        const string Zone = "zone";
        if (source.Symbols is not { } symbols || source.Types is not { } types || types.SizeOf(Zone) is not (> 0 and var size))
            return [];
        KernelMemory memory = source.Memory;
        Field zones = Field.Of(types, "pglist_data", "node_zones"), name = Field.Of(types, Zone, "name"), present = Field.Of(types, Zone, "present_pages"),
            managed = Field.Of(types, Zone, "managed_pages.counter", "managed_pages"), marks = Field.Of(types, Zone, "_watermark", "watermark"),
            boost = Field.Of(types, Zone, "watermark_boost"), counts = Field.Of(types, Zone, "vm_stat"), area = Field.Of(types, Zone, "free_area"),
            blocks = Field.Of(types, "free_area", "nr_free");
        var freeItem = types.EnumValue("zone_stat_item", "NR_FREE_PAGES") is >= 0 and < 256 and var item ? item : 0;
        var areaSize = types.SizeOf("free_area") ?? 0;
        if (!zones.Exists || !present.Exists)
            return [];
        List<ZoneFacts> all = [];
        var number = 0;
        foreach (var node in Nodes(source))
        {
            for (var i = 0; i < Math.Min(zones.Size / size, MostZones); i++)
            {
                var zone = zones.At(node) + (ulong)(i * size);
                if (present.ReadSigned(memory, zone) is not (> 0 and var pages))
                    continue;
                long Mark(int index) => marks.Exists && memory.TryReadUInt64(marks.At(zone) + (ulong)index * 8, out var value) ? (long)value : 0;
                List<long> free = [];
                if (area.Exists && blocks.Exists && areaSize > 0)
                    for (var order = 0; order < Math.Min(area.Size / areaSize, MostOrders); order++)
                        free.Add(blocks.ReadSigned(memory, area.At(zone) + (ulong)(order * areaSize)) ?? 0);
                all.Add(new ZoneFacts(
                    number, name.Read(memory, zone) is > 0 and var text && memory.TryReadText(text, 32, out var bytes) ? KernelTask.TextOf(bytes) : $"zone {i}", pages,
                    managed.ReadSigned(memory, zone) ?? 0,
                    counts.Exists && memory.TryReadUInt64(counts.At(zone) + (ulong)freeItem * 8, out var nowFree) ? Math.Max((long)nowFree, 0) : 0,
                    Mark(0), Mark(1), Mark(2), boost.ReadSigned(memory, zone) ?? 0, free));
            }
            number++;
        }
        return all;
    }

    private static IEnumerable<ulong> Nodes(TaskSource source)
    {
        if (source.Symbols!.TryFind("node_data", out var table))
        {
            var count = source.Symbols.TryFind("nr_node_ids", out var at) && source.Memory.TryReadUInt32(at, out var nodes) ? Math.Min(nodes, MostNodes) : 1;
            for (var i = 0U; i < count; i++)
                if (source.Memory.TryReadUInt64(table + i * 8UL, out var node) && node != 0)
                    yield return node;
        }
        else if (source.Symbols.TryFind("contig_page_data", out var only))
        {
            yield return only;
        }
    }
}
