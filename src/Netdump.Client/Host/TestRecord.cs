using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Netdump.Client.Trust;
using Netdump.Protocols.Upload;

namespace Netdump.Client.Host;

/// <summary>
/// What is known of the last <c>netdump test</c>: /var/lib/netdump/last-test.json. It is written before the crash; the capture kernel writes no
/// disk, so that a dump arrived is only known when somebody who saw it says so.
/// </summary>
public sealed record TestRecord
{
    private const string DirectoryPath = "/var/lib/netdump";

    /// <summary>Where it lies.</summary>
    public const string FilePath = DirectoryPath + "/last-test.json";

    /// <summary>The boot that the test ended.</summary>
    public required string BootId { get; init; }

    /// <summary>When the host was crashed.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What the image was made of.</summary>
    public ImageFingerprint? Image { get; init; }

    /// <summary>Name of the crash's directory on the server, up to its time.</summary>
    public string? Directory { get; init; }

    /// <summary>When the next boot began, as the first netdump of that boot saw it.</summary>
    public DateTimeOffset? BackAt { get; init; }

    /// <summary>When somebody said that the dump had arrived.</summary>
    public DateTimeOffset? ArrivedSaidAt { get; init; }

    /// <summary>What a server said that has its dump: never kept, asked each time.</summary>
    [JsonIgnore]
    public ArrivedDump? Arrival { get; init; }

    /// <summary>The record with the server's word, when it has the dump of the boot that this test ended.</summary>
    public TestRecord Arrived(HostStanding server) =>
        server.LastDump is { BootId: { } boot } dump && Guid.TryParse(BootId, out Guid own) && boot == own ? this with { Arrival = dump } : this;

    /// <summary>The record, or null when there is none that can be read.</summary>
    public static TestRecord? Read(HostFiles host)
    {
        try
        {
            return host.Read(FilePath) is { Length: > 0 } text ? JsonSerializer.Deserialize(text, TestRecordJson.Default.TestRecord) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes the record, through to the disk.</summary>
    /// <exception cref="ClientException">/var/lib cannot be written.</exception>
    public void Save(HostFiles host)
    {
        try
        {
            System.IO.Directory.CreateDirectory(host.Map(DirectoryPath));
            string next = host.Map(FilePath + ".new");
            using (var file = new FileStream(next, FileMode.Create, FileAccess.Write))
            {
                file.Write(JsonSerializer.SerializeToUtf8Bytes(this, TestRecordJson.Default.TestRecord));
                file.Flush(flushToDisk: true);
            }
            File.Move(next, host.Map(FilePath), overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"cannot write {FilePath}: {e.Message}", "make it writable: netdump status finds there when this host was last tested", e);
        }
    }

    /// <summary>Forgets the test.</summary>
    public static void Remove(HostFiles host) => File.Delete(host.Map(FilePath));

    /// <summary>Notes when the host was back after a test: once, in the first boot after it that is armed. A disk that refuses costs nothing but this.</summary>
    public static void NoteReturn(HostFiles host)
    {
        if (Read(host) is not { BackAt: null } record || record.IsOfThisBoot(host) || BootTime(host) is not { } back) return;
        try
        {
            (record with { BackAt = back }).Save(host);
        }
        catch (ClientException)
        {
            // status works it out from this boot
        }
    }

    /// <summary>True when the host did not go down in the test.</summary>
    public bool IsOfThisBoot(HostFiles host) => BootId == host.Read("/proc/sys/kernel/random/boot_id");

    /// <summary>The words of the proof when the dump is known to have arrived and its image is the one that is loaded; otherwise null.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="loaded">The image that is loaded.</param>
    /// <param name="now">The time.</param>
    public string? Proof(HostFiles host, ImageFingerprint? loaded, DateTimeOffset now) =>
        (Arrival is not null || ArrivedSaidAt is not null) && !IsOfThisBoot(host) && loaded is not null && Image is not null && Image.ImageChangesTo(loaded).Count == 0
            ? $"the dump of the test of {Day(At)} ({Ago(now - At)}) arrived, {Witness}" : null;

    // A server's word before a person's.
    private string Witness => Arrival is { } dump ? $"{ServerWord.Size((ulong)Math.Max(0, dump.Bytes))}, as the server says: {ServerWord.Printable(dump.Crash)}"
        : $"as this host was told on {Day(ArrivedSaidAt!.Value)}";

    /// <summary>The line of <c>status</c>.</summary>
    /// <param name="record">The record, or null.</param>
    /// <param name="host">The host's files.</param>
    /// <param name="loaded">The image that is loaded, or null.</param>
    /// <param name="now">The time.</param>
    public static Check Examine(TestRecord? record, HostFiles host, ImageFingerprint? loaded, DateTimeOffset now)
    {
        const string Name = "last proven", Test = "netdump test   (it crashes this host, on purpose)";
        if (record is null) return new(CheckLevel.Warn, Name, "never", Test, "untested");
        string test = $"test of {record.At.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)} UTC ({Ago(now - record.At)})";
        if (record.IsOfThisBoot(host)) return new(CheckLevel.Warn, Name, $"the {test} did not crash this host", Test, "untested");
        if (record.ArrivedSaidAt is null && record.Arrival is null)
        {
            string back = (record.BackAt ?? BootTime(host)) is { } at && at > record.At
                ? $", and this host booted again {(int)(at - record.At).TotalSeconds} s later" : "";
            return new(CheckLevel.Warn, Name, $"{test}{back}; whether its dump arrived only the server knows",
                $"look there for {record.Directory ?? "the crash"}; if it holds log and vmcore: netdump test --arrived", "unproven");
        }
        if (record.Proof(host, loaded, now) is { } proof) return new(CheckLevel.Ok, Name, proof);
        string changes = record.Image is not null && loaded is not null ? string.Join(", ", record.Image.ImageChangesTo(loaded)) : "no image is loaded";
        return new(CheckLevel.Warn, Name, $"the {test} proved another image ({changes})", Test, "unproven");
    }

    /// <summary>When this boot began: btime of /proc/stat.</summary>
    private static DateTimeOffset? BootTime(HostFiles host)
    {
        string? line = host.Lines("/proc/stat").FirstOrDefault(l => l.StartsWith("btime ", StringComparison.Ordinal));
        return line is not null && long.TryParse(line[6..], out long seconds) && seconds is > 0 and < 1L << 35 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
    }

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string Ago(TimeSpan age) => age.TotalDays >= 2 ? $"{(int)age.TotalDays} days ago" : age.TotalHours >= 2 ? $"{(int)age.TotalHours} hours ago" : $"{Math.Max(0, (int)age.TotalMinutes)} min ago";
}

/// <summary>Reflection-free serializer of <see cref="TestRecord"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(TestRecord))]
internal sealed partial class TestRecordJson : JsonSerializerContext;
