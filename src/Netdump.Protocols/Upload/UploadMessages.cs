using System.Text.Json.Serialization;

namespace Netdump.Protocols.Upload;

/// <summary>What a host says of a crash before it sends anything of it.</summary>
public sealed record CrashAnnouncement
{
    /// <summary>Boot that crashed; a leaf's own, else the announcement is refused. With an enrolled key itself: null when unknown.</summary>
    public Guid? BootId { get; init; }

    /// <summary>
    /// Names this sending, chosen by the client: a second announcement with the same one goes on with the crash. Only for uploads with an enrolled
    /// key itself; a leaf has one crash, its boot's.
    /// </summary>
    public Guid? Id { get; init; }

    /// <summary>Release of the dead kernel; null when unknown.</summary>
    public string? Release { get; init; }

    /// <summary>Machine of the dead kernel, as uname has it.</summary>
    public string? Machine { get; init; }

    /// <summary>Host name the dead kernel had; for people: enrolment decides what the host is called.</summary>
    public string? HostName { get; init; }

    /// <summary>The crash in one line; null when it was not found out.</summary>
    public string? Title { get; init; }

    /// <summary>By what it is grouped; null when it was not found out.</summary>
    public AnnouncedSignature? Signature { get; init; }

    /// <summary>Bytes of memory in the dump.</summary>
    public ulong MemoryBytes { get; init; }

    /// <summary>Bytes that the stored vmcore takes at most, as far as the client can tell; 0 when it cannot.</summary>
    public ulong VmcoreBytes { get; init; }

    /// <summary>Which pages the client means to leave out (makedumpfile's 0 to 31); null: it sends a file as it is.</summary>
    public int? DumpLevel { get; init; }

    /// <summary>The sender: name and version.</summary>
    public string? Program { get; init; }
}

/// <summary>A signature in an announcement.</summary>
/// <param name="Version">Version of the algorithm (docs/signature.md).</param>
/// <param name="Id">16 hexadecimal digits.</param>
public sealed record AnnouncedSignature(int Version, string Id);

/// <summary>How much of a dump the server wants.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<WantedVmcore>))]
public enum WantedVmcore
{
    /// <summary>All of memory.</summary>
    [JsonStringEnumMemberName("full")]
    Full,

    /// <summary>Without the pages of <see cref="CrashAnswer.DumpLevel"/>.</summary>
    [JsonStringEnumMemberName("filtered")]
    Filtered,

    /// <summary>None: log, tasks and title are enough.</summary>
    [JsonStringEnumMemberName("none")]
    None,
}

/// <summary>The server's answer to an announcement.</summary>
public sealed record CrashAnswer
{
    /// <summary>Name of the crash: its directory's, made by the server.</summary>
    public required string Crash { get; init; }

    /// <summary>How much of the dump is wanted.</summary>
    public required WantedVmcore Vmcore { get; init; }

    /// <summary>Which pages to leave out, 0 to 31; with <see cref="WantedVmcore.Filtered"/>.</summary>
    public int? DumpLevel { get; init; }

    /// <summary>With <see cref="WantedVmcore.None"/>: the HTTP status that a vmcore would get (507 for lack of space, 403 by a rule).</summary>
    public int? Refusal { get; init; }

    /// <summary>Why, in words; null when the client's own wish is granted.</summary>
    public string? Reason { get; init; }

    /// <summary>Whether the log is there already.</summary>
    public bool HasLog { get; init; }

    /// <summary>Whether the list of tasks is there already.</summary>
    public bool HasTasks { get; init; }

    /// <summary>Bytes of the vmcore's upload that are on the server's disk; null when it was not created.</summary>
    public long? VmcoreOffset { get; init; }
}

/// <summary>Says that everything was sent.</summary>
public sealed record CrashDone
{
    /// <summary>Bytes of the vmcore's upload; null without one.</summary>
    public long? Bytes { get; init; }

    /// <summary>Blocks (PATCHes with a digest of their own) that it was sent in; null when the client did not count.</summary>
    public long? Blocks { get; init; }

    /// <summary>Base64 of SHA-256 over the SHA-256 digests of all blocks, in order; null when the client did not compute it.</summary>
    public string? Digest { get; init; }

    /// <summary>What the client has to say of its work: pages, time, memory; kept beside the crash.</summary>
    public IReadOnlyDictionary<string, string>? Notes { get; init; }
}

/// <summary>What became of a crash.</summary>
/// <param name="Crash">Its name.</param>
/// <param name="Vmcore"><c>complete</c>, <c>incomplete</c> or <c>none</c>.</param>
public sealed record CrashResult(string Crash, string Vmcore);

/// <summary>Enrolment by a token that <c>netdump-server enrol --token</c> made.</summary>
/// <param name="Token">The code; works once.</param>
/// <param name="Name">Name the host goes by.</param>
public sealed record TokenEnrolment(string Token, string Name);

/// <summary>What the server knows of the host that asks.</summary>
public sealed record HostStanding
{
    /// <summary>Name the host is enrolled under.</summary>
    public required string Name { get; init; }

    /// <summary>The server: name and version.</summary>
    public required string Server { get; init; }

    /// <summary>Time on the server.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>Bytes free where dumps are kept.</summary>
    public required ulong FreeBytes { get; init; }

    /// <summary>When a console line of this host's address came last; null: never, or longer ago than the server remembers.</summary>
    public DateTimeOffset? LastConsole { get; init; }

    /// <summary>The newest crash with a complete vmcore of this host; null: none.</summary>
    public ArrivedDump? LastDump { get; init; }
}

/// <summary>A dump that arrived.</summary>
/// <param name="Crash">Name of the crash.</param>
/// <param name="At">When it was complete.</param>
/// <param name="Bytes">Size of the vmcore.</param>
/// <param name="BootId">Boot that crashed; null when unknown.</param>
/// <param name="Title">The crash in one line; null when unknown.</param>
public sealed record ArrivedDump(string Crash, DateTimeOffset At, long Bytes, Guid? BootId, string? Title);

/// <summary>A refusal, <c>application/problem+json</c> (RFC 9457).</summary>
public sealed record UploadProblem
{
    /// <summary>Stable code, as <c>urn:netdump:not-enrolled</c>; docs/upload.md lists them.</summary>
    public required string Type { get; init; }

    /// <summary>What happened, one line.</summary>
    public required string Title { get; init; }

    /// <summary>HTTP status.</summary>
    public required int Status { get; init; }

    /// <summary>What to do about it.</summary>
    public string? Detail { get; init; }
}

/// <summary>Reflection-free serializer of the messages: field names in snake_case, absent ones left out.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, MaxDepth = 8)]
[JsonSerializable(typeof(CrashAnnouncement))]
[JsonSerializable(typeof(CrashAnswer))]
[JsonSerializable(typeof(CrashDone))]
[JsonSerializable(typeof(CrashResult))]
[JsonSerializable(typeof(TokenEnrolment))]
[JsonSerializable(typeof(HostStanding))]
[JsonSerializable(typeof(UploadProblem))]
public sealed partial class UploadJson : JsonSerializerContext;
