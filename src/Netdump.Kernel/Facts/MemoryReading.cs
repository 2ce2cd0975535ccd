using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>Reads <see cref="MemoryFacts"/>.</summary>
internal sealed class MemoryReading(CrashedKernel kernel)
{
    private const int MostNodes = 1024;
    private const int MostZones = 16;
    private const int MostOrders = 32;
    private const int MostCounters = 256;
    private const int MostSwapAreas = 32;
    private const int MostHugeSizes = 16;
    private const int MostInodes = 1 << 16;

    /// <summary>Reads all of it.</summary>
    public MemoryFacts Read()
    {
        var counters = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var (variable, names) in ((string, string)[])[("vm_zone_stat", "zone_stat_item"), ("vm_node_stat", "node_stat_item")])
            if (kernel.TryFind(variable, out var at))
                foreach (var (name, value) in Counters(at, names))
                    counters[name] = value;
        var total = kernel.ReadLong("_totalram_pages");
        var swap = kernel.ReadLong("total_swap_pages");
        var huge = ReadHugePages();
        return new MemoryFacts(
            kernel.Memory.PageSize, total, counters, ReadZones(), huge, ReadSwapAreas(), swap, kernel.ReadLong("nr_swap_pages"), ReadBuffers(),
            CommitLimit(total, swap, huge), Committed(), OutOfMemoryKills());
    }

    private IEnumerable<(string Name, long Value)> Counters(ulong at, string names)
    {
        if (kernel.Types is not { } types)
            yield break;
        var type = types.Type(types.Find(names, TypeKind.Enum));
        for (var i = 0; i < Math.Min(type.Count, MostCounters); i++)
            // The last name of each is the number of them.
            if (type.NameOf(i) is var name && name is not ("NR_VM_ZONE_STAT_ITEMS" or "NR_VM_NODE_STAT_ITEMS") && type.ValueOf(i) is >= 0 and < MostCounters and var index
                && kernel.Memory.TryReadUInt64(at + (ulong)index * 8, out var value))
                yield return (name, unchecked((long)value));
    }

    private List<MemoryZone> ReadZones()
    {
        var zones = new List<MemoryZone>();
        var count = Math.Clamp(kernel.ReadInt("nr_node_ids") ?? 1, 1, MostNodes);
        for (var id = 0; id < count; id++)
        {
            var node = Node(id);
            for (var i = 0; i < MostZones && node["node_zones"][i] is { Exists: true } zone; i++)
                if (zone["present_pages"].Unsigned is not null)
                    zones.Add(ReadZone(id, zone));
        }
        return zones;
    }

    private KernelObject Node(int id)
    {
        if (kernel.TryFind("node_data", out var table))
            return kernel.Memory.TryReadUInt64(table + (ulong)id * 8, out var at) && at != 0 ? kernel.Types?.At("pglist_data", at) ?? default : default;
        return id == 0 ? kernel.Variable("contig_page_data", "pglist_data") : default;
    }

    private MemoryZone ReadZone(int node, KernelObject zone)
    {
        var blocks = new List<ulong>();
        for (var order = 0; order < MostOrders && zone["free_area"][order]["nr_free"].Unsigned is { } free; order++)
            blocks.Add(free);
        KeyValuePair<string, long>[] counters = [.. Counters(zone["vm_stat"].Address, "zone_stat_item").Select(c => KeyValuePair.Create(c.Name, c.Value))];
        var marks = zone.First("_watermark", "watermark");
        var boost = zone["watermark_boost"].Unsigned ?? 0;
        return new MemoryZone(
            node, zone["name"].Text ?? "?", zone.Address, Number(zone["zone_start_pfn"]), Number(zone["spanned_pages"]), Number(zone["present_pages"]),
            Number(zone["managed_pages"]), (ulong)Math.Max(0, counters.FirstOrDefault(c => c.Key == "NR_FREE_PAGES").Value), Number(marks[0]) + boost,
            Number(marks[1]) + boost, Number(marks[2]) + boost, blocks, counters);
    }

    private List<HugePages> ReadHugePages()
    {
        var sizes = new List<HugePages>();
        var size = kernel.Types?.SizeOf("hstate") ?? 0;
        if (size == 0 || !kernel.TryFind("hstates", out var table))
            return sizes;
        for (var i = 0; i < Math.Clamp(kernel.ReadInt("hugetlb_max_hstate") ?? 0, 0, MostHugeSizes); i++)
        {
            var state = kernel.Types!.At("hstate", table + (ulong)(i * size));
            if (state["order"].Unsigned is { } order and < 32)
                sizes.Add(new HugePages(
                    (ulong)kernel.Memory.PageSize << (int)order, Number(state["nr_huge_pages"]), Number(state["free_huge_pages"]), Number(state["resv_huge_pages"])));
        }
        return sizes;
    }

    private List<SwapArea> ReadSwapAreas()
    {
        var areas = new List<SwapArea>();
        if (kernel.Types is not { } types || !kernel.TryFind("swap_info", out var table))
            return areas;
        for (var i = 0; i < Math.Clamp(kernel.ReadInt("nr_swapfiles") ?? 0, 0, MostSwapAreas); i++)
            // SWP_USED and SWP_WRITEOK: others were given back.
            if (kernel.Memory.TryReadUInt64(table + (ulong)i * 8, out var at) && types.At("swap_info_struct", at) is { Exists: true } area
                && area["flags"].Unsigned is { } flags && (flags & 3) == 3)
                areas.Add(new SwapArea(
                    FilePath.Of(area["swap_file"]["f_path"]), Number(area["pages"]), Number(area["inuse_pages"]), (int)(area["prio"].Signed ?? 0)));
        return areas;
    }

    // nr_blockdev_pages(): pages of the inodes of all block devices.
    private ulong? ReadBuffers()
    {
        if (kernel.Types is not { } types || kernel.ReadLong("blockdev_superblock") is not { } at || types.At("super_block", at)["s_inodes"] is not { Exists: true } list)
            return null;
        var pages = 0UL;
        foreach (var inode in types.ListEntries(list.Address, "inode", "i_sb_list", MostInodes))
            pages += Number(inode["i_data"]["nrpages"]);
        return pages;
    }

    private ulong? CommitLimit(ulong? total, ulong? swap, List<HugePages> huge)
    {
        if (total is not { } pages)
            return null;
        var perKibibyte = (ulong)kernel.Memory.PageSize / 1024;
        if (kernel.ReadLong("sysctl_overcommit_kbytes") is { } kibibytes and > 0)
            return kibibytes / perKibibyte + (swap ?? 0);
        if (kernel.ReadInt("sysctl_overcommit_ratio") is not (>= 0 and var ratio))
            return null;
        var taken = huge.Aggregate(0UL, (sum, size) => sum + size.Total * (size.PageBytes / (ulong)kernel.Memory.PageSize));
        return (pages - Math.Min(pages, taken)) * (ulong)ratio / 100 + (swap ?? 0);
    }

    private long? Committed() => kernel.Variable("vm_committed_as", "percpu_counter")["count"].Signed;

    private ulong? OutOfMemoryKills()
    {
        if (kernel.Types is not { } types || kernel.Symbols is not { } symbols || types.EnumValue("vm_event_item", "OOM_KILL") is not (>= 0 and < MostCounters and var index))
            return null;
        var kills = 0UL;
        foreach (var processor in symbols.Possible)
            if (symbols.OnProcessor("vm_event_states", processor) is { } at && kernel.Memory.TryReadUInt64(at + (ulong)index * 8, out var count))
                kills += count;
        return kills;
    }

    private static ulong Number(KernelObject place) => place.Unsigned ?? 0;
}
