using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Netdump.Client.Host;

/// <summary>Whether a crash of this host would be dumped, and the facts behind it.</summary>
/// <param name="Verdict">One line.</param>
/// <param name="Armed">A crash kernel of ours is loaded, and nothing is known that keeps it from dumping.</param>
/// <param name="Proven">A dump of this very image is known to have arrived.</param>
/// <param name="ExitCode">0 armed and proven, 1 armed with warnings or unproven, 2 not armed.</param>
/// <param name="Checks">The facts, in fixed order.</param>
public sealed record StatusReport(string Verdict, bool Armed, bool Proven, int ExitCode, IReadOnlyList<Check> Checks)
{
    /// <summary>Makes the report from its checks: one that failed means not armed.</summary>
    /// <param name="checks">The facts.</param>
    /// <param name="proof">Words of the proof that a dump arrived; null when there is none.</param>
    public static StatusReport Of(IReadOnlyList<Check> checks, string? proof)
    {
        if (checks.Any(c => c.Level == CheckLevel.Fail)) return new("NOT ARMED: a crash of this host would not be dumped", false, false, 2, checks);
        int warned = checks.Count(c => c.Level == CheckLevel.Warn);
        string warnings = warned == 0 ? "" : $", {warned} warning{(warned == 1 ? "" : "s")}";
        return proof is null ? new($"ARMED, UNPROVEN{warnings}", true, false, 1, checks)
            : new($"ARMED, PROVEN{warnings}: {proof}", true, true, warned == 0 ? 0 : 1, checks);
    }

    /// <summary>The report as an operator reads it.</summary>
    public override string ToString() => string.Join('\n', Checks.Select(c => c.ToString()).Prepend(Verdict));

    /// <summary>The report as JSON; <c>code</c> of a check is stable.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, StatusJson.Readable.StatusReport);
}

/// <summary>Reflection-free serializer of <see cref="StatusReport"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(StatusReport))]
internal sealed partial class StatusJson : JsonSerializerContext
{
    /// <summary>Leaves <c>-&gt;</c> and <c>+</c> as they are: nobody puts this into a web page.</summary>
    public static StatusJson Readable => new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
