using System.Text.Json;
using Netdump.Kernel.Report;

namespace Netdump.Client.Commands;

/// <summary>
/// What the server kept of a crash's announcement (<c>upload.json</c> in its directory), for the report: the policy's reason, and what the host itself
/// found out, which stands for what the log does not say when there is no dump.
/// </summary>
internal sealed class UploadRecord
{
    private const int LongestFile = 256 << 10;
    private readonly JsonElement _record;
    private readonly JsonElement _said;

    private UploadRecord(JsonElement record)
    {
        _record = record;
        _said = record.TryGetProperty("announcement", out JsonElement said) && said.ValueKind == JsonValueKind.Object ? said : default;
    }

    /// <summary>Reads the file; null when there is none, or it is not what the server writes.</summary>
    public static UploadRecord? Read(string path)
    {
        try
        {
            if (!File.Exists(path) || new FileInfo(path).Length > LongestFile)
                return null;
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.ValueKind == JsonValueKind.Object ? new UploadRecord(document.RootElement.Clone()) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Puts it into a report.</summary>
    public CrashReport Complete(CrashReport report, bool hasDump)
    {
        JsonElement signature = _said.ValueKind == JsonValueKind.Object && _said.TryGetProperty("signature", out JsonElement s) ? s : default;
        var (title, id) = (Text(_said, "title"), Text(signature, "id"));
        report = report with
        {
            Upload = new(Text(_record, "host"), Text(_record, "wanted"), Number(_record, "dump_level"), Text(_record, "reason"), title, id, Text(_said, "program")),
        };
        if (hasDump)
            return report;
        report = report with
        {
            Host = report.Host with { Name = report.Host.Name ?? Text(_said, "host_name") ?? Text(_record, "host"), BootId = report.Host.BootId ?? Text(_said, "boot_id") },
            Kernel = report.Kernel with { Release = report.Kernel.Release ?? Text(_said, "release"), Machine = report.Kernel.Machine ?? Text(_said, "machine") },
        };
        // The host saw the dead kernel's memory, which says more than a log.
        if (title is not null)
            report = report with { Title = title, Signature = report.Signature with { Title = title } };
        return id is null || id == report.Signature.Id
            ? report
            : report with { Signature = report.Signature with { Id = id, Version = Number(signature, "version") ?? report.Signature.Version, Frames = [], Key = "" } };
    }

    private static string? Text(JsonElement of, string name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int? Number(JsonElement of, string name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            ? number : null;
}
