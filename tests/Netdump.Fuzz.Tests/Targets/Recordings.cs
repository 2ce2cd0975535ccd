using System.Text;
using System.Text.Json;

namespace Netdump.Fuzz.Tests.Targets;

/// <summary>What real kernels sent over netconsole.</summary>
internal static class Recordings
{
    public static IReadOnlyList<string> Names { get; } =
        [.. typeof(Recordings).Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".jsonl", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    public static IReadOnlyList<byte[]> Datagrams(string name)
    {
        using StreamReader reader = new(typeof(Recordings).Assembly.GetManifestResourceStream(name)!);
        List<byte[]> datagrams = [];
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument json = JsonDocument.Parse(line);
            datagrams.Add(Encoding.Latin1.GetBytes(json.RootElement.GetProperty("payload").GetString()!));
        }

        return datagrams;
    }

    /// <summary>All datagrams of all recordings.</summary>
    public static IEnumerable<byte[]> All => Names.SelectMany(Datagrams);
}
