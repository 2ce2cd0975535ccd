using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Netdump.Server.Commands;

/// <summary>What <c>enrol --json</c> prints.</summary>
/// <param name="Name">What the host is called.</param>
/// <param name="Key">Fingerprint of its key.</param>
/// <param name="IsNew">False when it was enrolled before.</param>
/// <param name="Fingerprint">The server's key, which the host pins.</param>
internal sealed record EnrolmentReport(string Name, string Key, bool IsNew, string Fingerprint);

/// <summary>What <c>enrol --token --json</c> prints.</summary>
/// <param name="Token">The code with the server's fingerprint.</param>
/// <param name="Name">The name it is for; absent when the host says.</param>
/// <param name="Ends">Until when it works.</param>
internal sealed record TokenReport(string Token, string? Name, DateTimeOffset Ends);

/// <summary>A host in <c>hosts --json</c>.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Key">Fingerprint of its key.</param>
/// <param name="Since">When it was enrolled; absent when nobody noted it.</param>
/// <param name="LastDump">Its newest crash that came over the secure port; absent when there is none.</param>
internal sealed record HostReport(string Name, string Key, DateTimeOffset? Since, DumpReport? LastDump);

/// <summary>A crash of a host.</summary>
/// <param name="Crash">Name of its directory.</param>
/// <param name="At">When it was over; absent while more may come.</param>
/// <param name="Vmcore"><c>complete</c>, <c>incomplete</c>, <c>receiving</c> or <c>none</c>.</param>
internal sealed record DumpReport(string Crash, DateTimeOffset? At, string Vmcore);

/// <summary>What <c>revoke --json</c> prints.</summary>
/// <param name="Revoked">The hosts that are not enrolled any more.</param>
internal sealed record RevocationReport(IReadOnlyList<HostReport> Revoked);

/// <summary>What <c>fingerprint --json</c> prints.</summary>
/// <param name="Fingerprint">As hosts pin it.</param>
/// <param name="Curl">The same for <c>curl --pinnedpubkey</c>.</param>
/// <param name="Certificate">Path of the certificate.</param>
internal sealed record FingerprintReport(string Fingerprint, string Curl, string Certificate);

/// <summary>Serializer of the reports: field names in snake_case, absent ones left out.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EnrolmentReport))]
[JsonSerializable(typeof(TokenReport))]
[JsonSerializable(typeof(IReadOnlyList<HostReport>))]
[JsonSerializable(typeof(RevocationReport))]
[JsonSerializable(typeof(FingerprintReport))]
internal sealed partial class CommandJson : JsonSerializerContext
{
    private static CommandJson? _plain;

    /// <summary>With the <c>+</c> of a fingerprint as it is: people search for it.</summary>
    public static CommandJson Plain => _plain ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
