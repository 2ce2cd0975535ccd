using System.Text.Json;
using System.Text.Json.Serialization;

namespace Netdump.Kernel.Report;

/// <summary>A report as JSON, by docs/report.schema.json.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, GenerationMode = JsonSourceGenerationMode.Default)]
[JsonSerializable(typeof(CrashReport))]
public sealed partial class ReportJson : JsonSerializerContext
{
    /// <summary>Writes a report in UTF-8.</summary>
    public static void Write(Stream output, CrashReport report) => JsonSerializer.Serialize(output, report, Default.CrashReport);

    /// <summary>A report as text.</summary>
    public static string Text(CrashReport report) => JsonSerializer.Serialize(report, Default.CrashReport);

    /// <summary>Reads a report.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static CrashReport Read(Stream input) =>
        JsonSerializer.Deserialize(input, Default.CrashReport) ?? throw new JsonException("a report is an object, not null");
}
