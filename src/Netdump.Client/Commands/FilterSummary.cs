using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Netdump.Vmcore;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Output;

namespace Netdump.Client.Commands;

/// <summary>What <c>netdump filter</c> did. Names of the JSON form are stable.</summary>
/// <param name="Input">The source as it was given.</param>
/// <param name="Output">The output as it was given.</param>
/// <param name="DumpLevel">The level.</param>
/// <param name="Format"><c>kdump</c>, <c>elf</c> or <c>flattened</c>.</param>
/// <param name="Codec"><c>zstd</c>, <c>zlib</c> or <c>none</c>.</param>
/// <param name="PageSize">Bytes of a page.</param>
/// <param name="MemoryPages">Pages that are memory.</param>
/// <param name="KeptPages">Pages the output holds.</param>
/// <param name="ZeroPages">Pages of zeros: in a kdump-compressed dump they share one, in an ELF core of an odd level they are left out.</param>
/// <param name="Excluded">Pages left out by the level, by kind.</param>
/// <param name="SourceLacks">Pages that the source did not have any more.</param>
/// <param name="LostPages">Pages that should be in the source and could not be read.</param>
/// <param name="BytesWritten">Bytes of the output, holes not counted.</param>
/// <param name="SavedShare">How much smaller the output is than the memory, 0 to 1.</param>
/// <param name="Seconds">Time it took.</param>
/// <param name="Kept">Classes of the level that are kept, with the reason.</param>
/// <param name="Warnings">What is odd in the source's page structures; those pages are kept.</param>
internal sealed record FilterSummary(
    string Input, string Output, int DumpLevel, string Format, string Codec, int PageSize, ulong MemoryPages, ulong KeptPages, ulong ZeroPages,
    ExcludedPages Excluded, ulong SourceLacks, ulong LostPages, long BytesWritten, double SavedShare, double Seconds,
    IReadOnlyList<KeptClass> Kept, IReadOnlyList<string> Warnings)
{
    public static FilterSummary Of(FilterRequest request, VmcoreFile source, PageFilter filter, in WrittenDump written, TimeSpan elapsed)
    {
        var counts = filter.Counts;
        var memory = (double)written.MemoryPages * source.PageSize;
        var zerosLeftOut = request.Format == FilterFormat.Elf && (request.Level & 1) != 0 ? written.ZeroPages : 0;
        return new FilterSummary(
            request.Input, request.Output, request.Level, request.Format.ToString().ToLowerInvariant(), request.Codec.ToString().ToLowerInvariant(),
            source.PageSize, written.MemoryPages, written.KeptPages, written.ZeroPages,
            new ExcludedPages(counts.Free, counts.Cache, counts.PrivateCache, counts.User, counts.Poisoned, counts.Offline),
            written.MemoryPages - Math.Min(written.MemoryPages, written.KeptPages + counts.Excluded + zerosLeftOut), written.LostPages,
            written.BytesWritten, memory == 0 ? 0 : Math.Round(1 - written.BytesWritten / memory, 4), Math.Round(elapsed.TotalSeconds, 3),
            filter.Kept, [.. WarningsOf(counts)]);
    }

    /// <summary>As an operator reads it.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Line("kept", $"{KeptPages} of {MemoryPages} pages{(ZeroPages > 0 && !IsZeroLeftOut ? $", {ZeroPages} of them zero" : "")}");
        Line("left out", LeftOut());
        if (SourceLacks > 0)
            Line("not in IN", $"{SourceLacks} pages: a filter had them out before");
        Line("written", string.Create(CultureInfo.InvariantCulture, $"{DumpSummary.Size(BytesWritten)} for {DumpSummary.Size((double)MemoryPages * PageSize)} of memory: {SavedShare * 100:0.0} % saved, {Seconds:0.0} s"));
        foreach (var kept in Kept)
            Line("note", kept.ToString());
        foreach (var warning in Warnings)
            Line("warning", warning);
        return text.ToString().TrimEnd('\n');

        void Line(string label, string value) => text.Append(label.PadRight(14)).Append(value.ReplaceLineEndings(" ")).Append('\n');
    }

    /// <summary>As JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, FilterSummaryJson.Default.FilterSummary);

    private bool IsZeroLeftOut => Format == "elf" && (DumpLevel & 1) != 0;

    private string LeftOut()
    {
        var kinds = new List<string>();
        foreach (var (count, name) in new[]
        {
            (Excluded.Free, "free"), (Excluded.Cache, "cache"), (Excluded.PrivateCache, "private cache"), (Excluded.User, "user"),
            (IsZeroLeftOut ? ZeroPages : 0, "zero"), (Excluded.Poisoned, "poisoned"), (Excluded.Offline, "offline"),
        })
            if (count > 0)
                kinds.Add($"{count} {name}");
        return kinds.Count == 0 ? "nothing" : string.Join(", ", kinds);
    }

    private static IEnumerable<string> WarningsOf(FilterCounts counts)
    {
        if (counts.Unreadable > 0)
            yield return $"{counts.Unreadable} pages are kept whose page structures are not in the dump";
        if (counts.UnknownKind > 0)
            yield return $"{counts.UnknownKind} pages are kept that are of a type their kernel does not name";
        if (counts.BadOrder > 0)
            yield return $"{counts.BadOrder} free blocks are kept whose size makes no sense: the kernel's memory was damaged, or it ran on while it was dumped";
    }
}

/// <summary>Pages that a level left out.</summary>
/// <param name="Free">Free.</param>
/// <param name="Cache">Page cache.</param>
/// <param name="PrivateCache">Page cache with private data.</param>
/// <param name="User">Data of processes.</param>
/// <param name="Poisoned">Broken memory.</param>
/// <param name="Offline">Memory taken from the machine.</param>
internal sealed record ExcludedPages(ulong Free, ulong Cache, ulong PrivateCache, ulong User, ulong Poisoned, ulong Offline);

/// <summary>Reflection-free serializer of <see cref="FilterSummary"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(FilterSummary))]
internal sealed partial class FilterSummaryJson : JsonSerializerContext;
