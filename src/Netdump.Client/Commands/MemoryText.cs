using System.Globalization;
using System.Text.Json;
using Netdump.Kernel.Facts;

namespace Netdump.Client.Commands;

/// <summary>Prints the use of memory for <c>netdump kmem</c>.</summary>
internal static class MemoryText
{
    /// <summary>As people read it.</summary>
    public static void Write(MemoryFacts memory, TextWriter output)
    {
        var total = (long)memory.TotalPages!.Value;
        output.WriteLine($"{"",-12}  {"PAGES",10}  {"SIZE",11}");
        Line("total", total);
        Line("free", memory.FreePages);
        Line("used", total - memory.FreePages);
        Line("anonymous", memory.AnonymousPages);
        Line("cached", memory.CachedPages);
        Line("buffers", (long?)memory.BufferPages);
        Line("shared", memory.Counter("NR_SHMEM"));
        Line("slab", memory.SlabPages);
        Line("page tables", memory.Counter("NR_PAGETABLE"));
        Line("kernel stacks", memory.Counter("NR_KERNEL_STACK_KB") * 1024 / memory.PageSize);
        foreach (var size in memory.HugePages.Where(h => h.Total > 0))
            output.WriteLine($"{"huge",-13} {size.Total,10}  {DumpSummary.Size((double)size.Total * size.PageBytes),11}  of {DumpSummary.Size(size.PageBytes)} each, {size.Free} free, {size.Reserved} reserved");
        Line("swap", (long?)memory.TotalSwapPages);
        if (memory.TotalSwapPages > 0)
            Line("swap free", (long?)memory.FreeSwapPages);
        foreach (var area in memory.SwapAreas)
            output.WriteLine($"  {area.Path ?? "?"}: {area.Used} of {area.Pages} pages, priority {area.Priority}");
        Line("committed", memory.CommittedPages, memory.CommitLimitPages is { } limit ? $"  limit {limit}" : "");
        if (memory.OutOfMemoryKills > 0)
            output.WriteLine($"{"killed",-13} {memory.OutOfMemoryKills,10}  processes, for want of memory, since boot");
        output.WriteLine();
        output.WriteLine($"{"ZONE",-12}  {"PRESENT",10}  {"MANAGED",10}  {"FREE",10}  {"MIN",8}  {"LOW",8}  {"HIGH",8}  FREE BLOCKS OF 1, 2, 4 ... PAGES");
        foreach (var zone in memory.Zones.Where(z => z.PresentPages > 0))
            output.WriteLine(
                $"{$"{zone.Node} {zone.Name}",-12}  {zone.PresentPages,10}  {zone.ManagedPages,10}  {zone.FreePages,10}  {zone.Min,8}  {zone.Low,8}  {zone.High,8}  "
                + string.Join(' ', zone.FreeBlocks));

        void Line(string name, long? pages, string more = "")
        {
            if (pages is { } count)
                output.WriteLine($"{name,-13} {count,10}  {DumpSummary.Size((double)count * memory.PageSize),11}{more}");
        }
    }

    /// <summary>As crash's kmem -i prints it.</summary>
    public static void WriteAsCrash(MemoryFacts memory, TextWriter output)
    {
        var total = (long)memory.TotalPages!.Value;
        var (huge, freeHuge) = (Huge(h => h.Total), Huge(h => h.Free));
        var (swap, freeSwap) = ((long)(memory.TotalSwapPages ?? 0), (long)(memory.FreeSwapPages ?? 0));
        output.WriteLine("                 PAGES        TOTAL      PERCENTAGE");
        Whole("TOTAL MEM", total);
        Part("FREE", memory.FreePages ?? 0, total, "MEM");
        Part("USED", total - (memory.FreePages ?? 0), total, "MEM");
        Part("BUFFERS", (long)(memory.BufferPages ?? 0), total, "MEM");
        Part("CACHED", memory.CachedPages ?? 0, total, "MEM");
        Part("SLAB", memory.SlabPages ?? 0, total, "MEM");
        output.WriteLine();
        Whole("TOTAL HUGE", huge);
        Part("HUGE FREE", freeHuge, huge, "HUGE");
        output.WriteLine();
        Whole("TOTAL SWAP", swap);
        Part("SWAP USED", swap - freeSwap, swap, "SWAP");
        Part("SWAP FREE", freeSwap, swap, "SWAP");
        output.WriteLine();
        Whole("COMMIT LIMIT", (long)(memory.CommitLimitPages ?? 0));
        Part("COMMITTED", memory.CommittedPages ?? 0, (long)(memory.CommitLimitPages ?? 0), "LIMIT");

        long Huge(Func<HugePages, ulong> count) => memory.HugePages.Sum(h => (long)(count(h) * (h.PageBytes / (ulong)memory.PageSize)));

        void Whole(string name, long pages) => output.WriteLine($"{name,13}  {pages,7}  {SizeAsCrash(pages, memory.PageSize),11}         ----");

        void Part(string name, long pages, long of, string what) => output.WriteLine($"{name,13}  {pages,7}  {SizeAsCrash(pages, memory.PageSize),11}  {(of == 0 ? 0 : pages * 100 / of),3}% of TOTAL {what}");
    }

    /// <summary>Pages as crash writes their size.</summary>
    public static string SizeAsCrash(long pages, int pageSize)
    {
        var bytes = (double)pages * pageSize;
        return pages == 0 ? "0" : bytes >= 1 << 30 ? Unit(bytes / (1 << 30), "GB") : bytes >= 1 << 20 ? Unit(bytes / (1 << 20), "MB") : $"{(long)bytes >> 10} KB";

        static string Unit(double value, string unit) => $"{value.ToString("F1", CultureInfo.InvariantCulture).Replace(".0", "", StringComparison.Ordinal)} {unit}";
    }

    /// <summary>For programs.</summary>
    public static void WriteJson(Utf8JsonWriter json, MemoryFacts memory)
    {
        json.WriteStartObject();
        json.WriteNumber("page_size", memory.PageSize);
        Number("total_pages", (long?)memory.TotalPages);
        Number("present_pages", (long?)memory.PresentPages);
        Number("free_pages", memory.FreePages);
        Number("cached_pages", memory.CachedPages);
        Number("buffer_pages", (long?)memory.BufferPages);
        Number("slab_pages", memory.SlabPages);
        Number("anonymous_pages", memory.AnonymousPages);
        Number("total_swap_pages", (long?)memory.TotalSwapPages);
        Number("free_swap_pages", (long?)memory.FreeSwapPages);
        Number("commit_limit_pages", (long?)memory.CommitLimitPages);
        Number("committed_pages", memory.CommittedPages);
        Number("out_of_memory_kills", (long?)memory.OutOfMemoryKills);
        json.WriteStartObject("counters");
        foreach (var (name, value) in memory.Counters)
            json.WriteNumber(name, value);
        json.WriteEndObject();
        json.WriteStartArray("huge_pages");
        foreach (var size in memory.HugePages)
        {
            json.WriteStartObject();
            json.WriteNumber("page_bytes", size.PageBytes);
            json.WriteNumber("total", size.Total);
            json.WriteNumber("free", size.Free);
            json.WriteNumber("reserved", size.Reserved);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("swap_areas");
        foreach (var area in memory.SwapAreas)
        {
            json.WriteStartObject();
            json.WriteString("path", area.Path);
            json.WriteNumber("pages", area.Pages);
            json.WriteNumber("used", area.Used);
            json.WriteNumber("priority", area.Priority);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("zones");
        foreach (var zone in memory.Zones)
        {
            json.WriteStartObject();
            json.WriteNumber("node", zone.Node);
            json.WriteString("name", zone.Name);
            json.WriteString("address", KernelArgument.Hex(zone.Address));
            json.WriteNumber("present_pages", zone.PresentPages);
            json.WriteNumber("managed_pages", zone.ManagedPages);
            json.WriteNumber("free_pages", zone.FreePages);
            json.WriteNumber("min", zone.Min);
            json.WriteNumber("low", zone.Low);
            json.WriteNumber("high", zone.High);
            json.WriteStartArray("free_blocks");
            foreach (var blocks in zone.FreeBlocks)
                json.WriteNumberValue(blocks);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();

        void Number(string name, long? value)
        {
            if (value is { } known)
                json.WriteNumber(name, known);
        }
    }
}
