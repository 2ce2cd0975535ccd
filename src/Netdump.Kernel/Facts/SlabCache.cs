using System.Buffers.Binary;
using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>One cache of the slab allocator (SLUB).</summary>
/// <param name="Address">Its struct kmem_cache.</param>
/// <param name="Name">Its name.</param>
/// <param name="ObjectSize">Bytes of an object, as its user sees it.</param>
/// <param name="Slabs">How many slabs it has.</param>
/// <param name="SlabBytes">Bytes of a slab.</param>
/// <param name="Objects">Objects in all of its slabs.</param>
/// <param name="Free">Those of them that nobody uses; at least, where lists of them are not in the dump.</param>
public sealed record SlabCache(ulong Address, string Name, uint ObjectSize, ulong Slabs, ulong SlabBytes, ulong Objects, ulong Free)
{
    private const int MostCaches = 1 << 14;
    private const int MostNodes = 64;

    /// <summary>Objects in use.</summary>
    public ulong Allocated => Objects - Math.Min(Objects, Free);

    /// <summary>Bytes of all of its slabs.</summary>
    public ulong Bytes => Slabs * SlabBytes;

    internal static IReadOnlyList<SlabCache> ReadAll(CrashedKernel kernel)
    {
        if (kernel.Types is not { } types || !kernel.TryFind("slab_caches", out var list))
            return [];
        return [.. types.ListEntries(list, "kmem_cache", "list", MostCaches).Select(cache => Read(kernel, cache))];
    }

    private static SlabCache Read(CrashedKernel kernel, KernelObject cache)
    {
        var (slabs, objects, free) = (0UL, 0UL, 0UL);
        var nodes = Math.Clamp(kernel.ReadInt("nr_node_ids") ?? 1, 1, MostNodes);
        for (var i = 0; i < nodes; i++)
        {
            // Since 7.0 a node's part has another structure around it.
            var node = (cache["per_node"][i] is { Exists: true } part ? part["node"] : cache["node"][i]).Target;
            if (!node.Exists)
                continue;
            slabs += node["nr_slabs"].Unsigned ?? 0;
            objects += node["total_objects"].Unsigned ?? 0;
            free += SlabFree.OfNode(kernel.Types!, node) + SlabFree.OfBarn(kernel.Types!, cache["per_node"][i]["barn"].Target);
        }
        free += SlabFree.OfProcessors(kernel, cache);
        var order = (int)Math.Min((cache["oo"]["x"].Unsigned ?? 0) >> 16, 20);
        return new SlabCache(
            cache.Address, cache["name"].Text ?? "?", (uint)(cache["object_size"].Unsigned ?? 0), slabs, (ulong)kernel.Memory.PageSize << order, objects, free);
    }
}

/// <summary>Counts the free objects of a cache, which SLUB has no number of.</summary>
internal static class SlabFree
{
    private const int MostSlabs = 1 << 16;
    private const int MostObjects = 1 << 15;

    /// <summary>In the slabs of a node that are partly used.</summary>
    public static ulong OfNode(KernelTypes types, KernelObject node)
    {
        var free = 0UL;
        if (node["partial"] is { Exists: true } list)
            foreach (var slab in types.ListEntries(list.Address, SlabType(types), types.OffsetOf(SlabType(types), "slab_list") is null ? "lru" : "slab_list", MostSlabs))
                free += OfSlab(slab);
        return free;
    }

    /// <summary>In the full sheaves that a node keeps (7.0 and newer).</summary>
    public static ulong OfBarn(KernelTypes types, KernelObject barn)
    {
        var free = 0UL;
        if (barn["sheaves_full"] is { Exists: true } list)
            foreach (var sheaf in types.ListEntries(list.Address, "slab_sheaf", "barn_list", MostSlabs))
                free += sheaf["size"].Unsigned ?? 0;
        return free;
    }

    /// <summary>In what the processors keep: a slab each with a list of free objects, partly used slabs behind it, or sheaves (7.0 and newer).</summary>
    public static ulong OfProcessors(CrashedKernel kernel, KernelObject cache)
    {
        var free = 0UL;
        if (kernel.Symbols is not { } symbols || kernel.Types is not { } types)
            return 0;
        var (slab, sheaves) = (cache["cpu_slab"].Pointer ?? 0, cache["cpu_sheaves"].Pointer ?? 0);
        foreach (var processor in symbols.Possible)
        {
            if (slab != 0)
            {
                var kept = types.At("kmem_cache_cpu", symbols.OnProcessor(slab, processor));
                free += (ulong)Walk(types, cache, kept["freelist"].Pointer ?? 0).Count() + OfFrozen(kept.First("slab", "page"));
                var partial = kept["partial"].Target;
                for (var i = 0; i < MostSlabs && partial.Exists; i++, partial = partial["next"].Target)
                    free += OfSlab(partial);
            }
            if (sheaves != 0)
            {
                var kept = types.At("slub_percpu_sheaves", symbols.OnProcessor(sheaves, processor));
                foreach (var name in (ReadOnlySpan<string>)["main", "spare", "rcu_free"])
                    free += kept[name]["size"].Unsigned ?? 0;
            }
        }
        return free;
    }

    /// <summary>Whether an object is on one of the lists of free ones: its slab's, or that of a processor that has this slab.</summary>
    public static bool Contains(CrashedKernel kernel, KernelObject cache, KernelObject slab, ulong wanted)
    {
        if (kernel.Types is not { } types)
            return false;
        var free = Walk(types, cache, slab["freelist"].Pointer ?? 0).Contains(wanted);
        if (cache["cpu_slab"].Pointer is { } area && kernel.Symbols is { } symbols)
            foreach (var processor in symbols.Possible)
                if (!free && types.At("kmem_cache_cpu", symbols.OnProcessor(area, processor)) is { Exists: true } kept && kept.First("slab", "page").Pointer == slab.Address)
                    free = Walk(types, cache, kept["freelist"].Pointer ?? 0).Contains(wanted);
        return free;
    }

    private static string SlabType(KernelTypes types) => types.Find("slab", TypeKind.Struct) != 0 && types.OffsetOf("slab", "inuse") is not null ? "slab" : "page";

    private static ulong OfSlab(KernelObject slab) =>
        slab["objects"].Unsigned is { } objects && slab["inuse"].Unsigned is { } used && objects >= used ? objects - used : 0;

    // A processor's own slab counts as used up; what others gave back to it is on the slab's own list, and taken off its count.
    private static ulong OfFrozen(KernelObject slab) => slab.Target is { Exists: true } frozen ? OfSlab(frozen) : 0;

    // The list of free objects runs through them; with CONFIG_SLAB_FREELIST_HARDENED each pointer is mixed with a secret and its own swapped address.
    private static IEnumerable<ulong> Walk(KernelTypes types, KernelObject cache, ulong at)
    {
        var offset = cache["offset"].Unsigned ?? 0;
        var secret = cache["random"].Unsigned;
        for (var count = 0; at != 0 && count < MostObjects; count++)
        {
            yield return at;
            var place = unchecked(at + offset);
            if (!types.Memory.TryReadUInt64(place, out at))
                yield break;
            if (secret is { } random)
                at ^= random ^ BinaryPrimitives.ReverseEndianness(place);
        }
    }
}
