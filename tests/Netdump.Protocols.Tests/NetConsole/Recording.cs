using System.Text;
using System.Text.Json;

namespace Netdump.Protocols.Tests.NetConsole;

/// <summary>Datagrams of real kernels, as a capture of their NIC had them.</summary>
internal static class Recording
{
    public static IReadOnlyList<byte[]> Datagrams(string name) => [.. Read(name).Select(d => d.Payload)];

    public static IReadOnlyList<(TimeSpan At, byte[] Payload)> Read(string name)
    {
        using Stream stream = typeof(Recording).Assembly.GetManifestResourceStream(name + ".jsonl")!;
        using StreamReader reader = new(stream);
        List<(TimeSpan, byte[])> datagrams = [];
        double first = 0;
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument json = JsonDocument.Parse(line);
            double at = double.Parse(json.RootElement.GetProperty("t").GetString()!);
            if (first == 0) first = at - 100;
            byte[] payload = Encoding.Latin1.GetBytes(json.RootElement.GetProperty("payload").GetString()!);
            Assert.Equal(json.RootElement.GetProperty("len").GetInt32(), payload.Length);
            datagrams.Add((TimeSpan.FromSeconds(at - first), payload));
        }

        Assert.NotEmpty(datagrams);
        return datagrams;
    }
}
