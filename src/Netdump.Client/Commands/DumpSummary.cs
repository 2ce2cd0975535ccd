using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Netdump.Vmcore;
using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Memory;

namespace Netdump.Client.Commands;

/// <summary>What <c>netdump info</c> says of a dump. Names of the JSON form are stable.</summary>
/// <param name="File">The path as it was given.</param>
/// <param name="Bytes">Bytes of the dump (unpacked and arranged).</param>
/// <param name="Format"><c>elf</c> or <c>kdump-compressed</c>.</param>
/// <param name="Version">header_version of a kdump-compressed dump.</param>
/// <param name="Codecs">Codecs a kdump-compressed dump names.</param>
/// <param name="Flattened">Whether it is a flattened stream.</param>
/// <param name="Packing">How the file is packed: <c>none</c>, <c>zstd</c>, <c>gzip</c>.</param>
/// <param name="Complete">Whether all is there.</param>
/// <param name="Problems">What is missing, one sentence each; empty when complete.</param>
/// <param name="Kernel">Kernel release.</param>
/// <param name="KernelVersion">Build number and time of the kernel.</param>
/// <param name="BuildId">Build id of vmlinux.</param>
/// <param name="Host">The host's name.</param>
/// <param name="Machine">As uname -m prints it.</param>
/// <param name="Processors">Processors that left their registers.</param>
/// <param name="CrashTime">When the kernel crashed; absent in a dump of a living one.</param>
/// <param name="PageSize">Bytes of a page.</param>
/// <param name="DumpLevel">The level a kdump-compressed dump was filtered at.</param>
/// <param name="Pages">Pages by what the file has of them.</param>
/// <param name="Kinds">Pages in the file by what the kernel used them for; absent unless asked for.</param>
/// <param name="Inside">What the kernel's memory says; absent when it cannot be read.</param>
internal sealed record DumpSummary(
    string File, long Bytes, string Format, int? Version, IReadOnlyList<string> Codecs, bool Flattened, string Packing, bool Complete,
    IReadOnlyList<string> Problems, string? Kernel, string? KernelVersion, string? BuildId, string? Host, string? Machine, int Processors,
    DateTimeOffset? CrashTime, int PageSize, int? DumpLevel, PageCounts Pages, StoredKinds? Kinds, KernelSummary? Inside)
{
    private static readonly (int Bit, string Name)[] Levels =
        [(1, "zero"), (2, "cache"), (4, "private cache"), (8, "user"), (16, "free")];

    private static readonly string[] Units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>Reads what there is to say; a kdump-compressed dump's table of pages is read once for it.</summary>
    public static DumpSummary Of(VmcoreFile file, StoredKinds? kinds = null)
    {
        var name = Utsname.Find(file);
        var pages = file.Physical.CountPages();
        return new DumpSummary(
            file.Bytes.Path, file.Bytes.Length, file.Kdump is null ? "elf" : "kdump-compressed", file.Kdump?.Version, CodecsOf(file),
            file.Wrapping.IsFlattened, file.Wrapping.Packing switch { Vmcore.Packed.Packing.Zstd => "zstd", Vmcore.Packed.Packing.Gzip => "gzip", _ => "none" },
            file.IsComplete && pages.Lost == 0, ProblemsOf(file, pages), Text(name.Release), Text(name.Version), file.Info?.BuildId, Text(name.Node),
            Text(name.Machine), file.Processors.Count, file.Info?.CrashTime ?? file.Kdump?.Timestamp, file.PageSize, file.Kdump?.DumpLevel, pages, kinds,
            KernelSummary.Of(file));
    }

    /// <summary>As an operator reads it.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Line("file", $"{File}, {Size(Bytes)}");
        Line("format", string.Join(", ", Formats()));
        Line("complete", Complete ? "yes" : $"no: {string.Join("; ", Problems)}");
        Line("kernel", string.Join(' ', new[] { Kernel ?? "not known", KernelVersion }.Where(p => p is not null)));
        if (BuildId is not null)
            Line("build id", BuildId);
        Line("host", Host ?? "not known");
        Line("machine", $"{Machine ?? "not known"}, {Processors} processor{(Processors == 1 ? "" : "s")} with registers");
        Line("crashed", CrashTime?.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture) ?? "not known (a dump of a running kernel has no such time)");
        if (DumpLevel is { } level)
            Line("dump level", $"{level}{(level == 0 ? "" : $" ({string.Join(", ", Levels.Where(l => (level & l.Bit) != 0).Select(l => l.Name))})")}");
        Line("memory", PageLine(Pages.Memory));
        Line("  stored", PageLine(Pages.Stored));
        if (Pages.Zero is { } zero)
            Line("  of it zero", PageLine(zero));
        if (Kinds is { } kinds)
        {
            foreach (var (count, name) in kinds.Lines)
                if (count > 0)
                    Line($"  of it {name}", PageLine(count));
            foreach (var note in kinds.Unknown)
                Line("  note", note);
        }
        Line("  left out", PageLine(Pages.LeftOut));
        if (Pages.Lost > 0)
            Line("  lost", PageLine(Pages.Lost));
        foreach (var (label, value) in Inside?.Lines ?? [])
            Line(label, value);
        return text.ToString().TrimEnd('\n');

        void Line(string label, string value) => text.Append(label.PadRight(Math.Max(14, label.Length + 1))).Append(value.ReplaceLineEndings(" ")).Append('\n');

        string PageLine(ulong pages) => $"{pages} pages of {PageSize} bytes, {Size((double)pages * PageSize)}";
    }

    /// <summary>As JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, DumpSummaryJson.Default.DumpSummary);

    private IEnumerable<string> Formats()
    {
        yield return Version is { } version ? $"{Format} version {version}" : "ELF core";
        foreach (var codec in Codecs)
            yield return codec;
        if (Flattened)
            yield return "flattened";
        if (Packing != "none")
            yield return $"packed by {Packing}";
    }

    private static List<string> CodecsOf(VmcoreFile file)
    {
        var names = new List<string>();
        foreach (var codec in (PageCodec[])[PageCodec.Zlib, PageCodec.Lzo, PageCodec.Snappy, PageCodec.Zstd])
            if (((int)(file.Kdump?.Status ?? 0) & (int)codec) != 0)
                names.Add(codec.ToString().ToLowerInvariant());
        return names;
    }

    private static List<string> ProblemsOf(VmcoreFile file, PageCounts pages)
    {
        var problems = new List<string>();
        if (!file.Wrapping.IsWhole)
            problems.Add("the packed file or flattened stream ends too early");
        else if (file.IsUnfinished)
            problems.Add("its writer did not finish it");
        if (file.IsTruncated)
            problems.Add($"it has {file.Bytes.Length} of at least {file.LengthNeeded} bytes");
        foreach (var range in file.MissingPages)
            problems.Add($"the part with pages {range.First} to {range.End - 1} is missing");
        if (pages.Lost > 0)
            problems.Add($"{pages.Lost} pages are lost");
        return problems;
    }

    private static string? Text(string value) => value.Length == 0 ? null : value;

    /// <summary>A number of bytes for people.</summary>
    internal static string Size(double bytes)
    {
        var unit = 0;
        for (; bytes >= 1024 && unit < Units.Length - 1; unit++)
            bytes /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{bytes:0.#} {Units[unit]}");
    }
}

/// <summary>Reflection-free serializer of <see cref="DumpSummary"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DumpSummary))]
internal sealed partial class DumpSummaryJson : JsonSerializerContext;
