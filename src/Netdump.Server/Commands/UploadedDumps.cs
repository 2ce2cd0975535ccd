using System.Text.Json;
using Netdump.Server.Store;

namespace Netdump.Server.Commands;

/// <summary>Which crashes came from which key: the file <c>upload.json</c> beside a crash that was announced over the secure port says it.</summary>
internal static class UploadedDumps
{
    private const string FileName = "upload.json";
    private const int LongestFile = 256 << 10;

    /// <summary>The newest crash of each key, by its fingerprint. A file that cannot be read counts for nobody.</summary>
    public static Dictionary<string, DumpReport> Newest(CrashStore store)
    {
        Dictionary<string, (DateTimeOffset Began, DumpReport Dump)> newest = [];
        foreach (string path in Directory.EnumerateDirectories(store.Root, "*-*"))
        {
            if (Read(path) is not { } found) continue;
            if (!newest.TryGetValue(found.Key, out (DateTimeOffset Began, DumpReport Dump) other) || found.Began > other.Began) newest[found.Key] = (found.Began, found.Dump);
        }

        return newest.ToDictionary(pair => pair.Key, pair => pair.Value.Dump, StringComparer.Ordinal);
    }

    private static (string Key, DateTimeOffset Began, DumpReport Dump)? Read(string directory)
    {
        string path = Path.Combine(directory, FileName);
        try
        {
            if (!File.Exists(path) || new FileInfo(path).Length > LongestFile) return null;
            using var json = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { MaxDepth = 8 });
            JsonElement record = json.RootElement;
            DateTimeOffset? ended = record.TryGetProperty("ended", out JsonElement end) ? end.GetDateTimeOffset() : null;
            DumpReport dump = new(Path.GetFileName(directory), ended, record.GetProperty("vmcore").GetString() ?? "none");
            return (record.GetProperty("key").GetString() ?? "", record.GetProperty("started").GetDateTimeOffset(), dump);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
