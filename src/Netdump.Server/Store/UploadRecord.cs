using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Netdump.Protocols.Upload;

namespace Netdump.Server.Store;

/// <summary>
/// The file <c>upload.json</c> of a crash that was announced over the secure port: who sent it, what was announced and answered, and how far it
/// is. Kept with the crash: another server process goes on with it, and the analysis takes from it what the dump cannot say.
/// </summary>
public sealed record UploadRecord
{
    /// <summary>Name of the file in the crash directory.</summary>
    public const string FileName = "upload.json";

    private const int LongestFile = 256 << 10;

    // People look at it: a fingerprint's + stays a +.
    private static readonly UploadRecordJson Readable = new(new JsonSerializerOptions(UploadRecordJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>Version of the file; this program writes 1.</summary>
    public int Format { get; init; } = 1;

    /// <summary>The host's name by its enrolment.</summary>
    public required string Host { get; init; }

    /// <summary>Fingerprint of its enrolled key.</summary>
    public required string Key { get; init; }

    /// <summary>The boot that the leaf was for; null when the enrolled key itself announced the crash.</summary>
    public Guid? Leaf { get; init; }

    /// <summary>Address that announced it.</summary>
    public required string Address { get; init; }

    /// <summary>When it was announced first.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>What the host said, last.</summary>
    public required CrashAnnouncement Announcement { get; init; }

    /// <summary>How much of the dump was wanted.</summary>
    public WantedVmcore Wanted { get; init; }

    /// <summary>Which pages were to be left out.</summary>
    public int? DumpLevel { get; init; }

    /// <summary>The HTTP status that a vmcore gets, when none is wanted.</summary>
    public int? Refusal { get; init; }

    /// <summary>Why it was answered so.</summary>
    public string? Reason { get; init; }

    /// <summary>Content type of the log that came; null when none did.</summary>
    public string? Log { get; init; }

    /// <summary>Whether the list of tasks came.</summary>
    public bool HasTasks { get; init; }

    /// <summary>How far the vmcore is.</summary>
    public VmcoreState Vmcore { get; init; }

    /// <summary>Bytes of the vmcore's upload, when they were declared.</summary>
    public long? Length { get; init; }

    /// <summary>When the crash was closed; null while more may come.</summary>
    public DateTimeOffset? Ended { get; init; }

    /// <summary>Whether its log was closed because the client fell silent.</summary>
    public bool IsResting { get; init; }

    /// <summary>Size of the stored vmcore in bytes, once complete.</summary>
    public long? Bytes { get; init; }

    /// <summary>What the client had to say of its work.</summary>
    public IReadOnlyDictionary<string, string>? Notes { get; init; }

    /// <summary>Reads the file of a crash; null when there is none. Throws <see cref="InvalidDataException"/> and <see cref="IOException"/>.</summary>
    public static UploadRecord? Read(CrashDirectory directory)
    {
        string path = directory.File(FileName);
        if (!File.Exists(path))
            return null;
        if (new FileInfo(path).Length > LongestFile)
            throw new InvalidDataException($"{path} is longer than this program writes it");
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), UploadRecordJson.Default.UploadRecord) is { Format: 1 } record
                ? record
                : throw new InvalidDataException($"{path} is of another version");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path} is not readable: {error.Message}", error);
        }
    }

    /// <summary>Writes the file in place of the one that is there. Durable when this returns. Throws <see cref="IOException"/>.</summary>
    public void Write(CrashDirectory directory) => directory.Replace(FileName, JsonSerializer.SerializeToUtf8Bytes(this, Readable.UploadRecord));
}

/// <summary>How far the vmcore of an announced crash is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<VmcoreState>))]
public enum VmcoreState
{
    /// <summary>It was never created.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>It is being received, or may be gone on with.</summary>
    [JsonStringEnumMemberName("receiving")]
    Receiving,

    /// <summary>It was ended before all of it had come; <c>vmcore-incomplete</c> holds what did.</summary>
    [JsonStringEnumMemberName("incomplete")]
    Incomplete,

    /// <summary>All of it came.</summary>
    [JsonStringEnumMemberName("complete")]
    Complete,
}

[JsonSerializable(typeof(UploadRecord))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true, MaxDepth = 8)]
internal sealed partial class UploadRecordJson : JsonSerializerContext;
