using System.Text.Json;
using Netdump.Server.Store;

namespace Netdump.Server.Commands;

/// <summary>Which crashes came from which key, by what lies beside a crash that was announced over the secure port (<see cref="UploadRecord"/>).</summary>
internal static class UploadedDumps
{
    /// <summary>The newest crash of each key, by its fingerprint. A record that cannot be read counts for nobody.</summary>
    public static Dictionary<string, DumpReport> Newest(CrashStore store)
    {
        Dictionary<string, (DateTimeOffset Began, DumpReport Dump)> newest = [];
        foreach (string path in Directory.EnumerateDirectories(store.Root, "*-*"))
        {
            if (Read(new CrashDirectory(path)) is not { } record) continue;
            if (newest.TryGetValue(record.Key, out (DateTimeOffset Began, DumpReport Dump) other) && other.Began >= record.Started) continue;
            newest[record.Key] = (record.Started, new DumpReport(Path.GetFileName(path), record.Ended, JsonNamingPolicy.SnakeCaseLower.ConvertName($"{record.Vmcore}")));
        }

        return newest.ToDictionary(pair => pair.Key, pair => pair.Value.Dump, StringComparer.Ordinal);
    }

    private static UploadRecord? Read(CrashDirectory directory)
    {
        try
        {
            return UploadRecord.Read(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return null;
        }
    }
}
