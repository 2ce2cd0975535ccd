using System.Text.Json;
using System.Text.Json.Serialization;

namespace Netdump.Client.Host;

/// <summary>Whether a crash of this host would be dumped, and the facts behind it.</summary>
/// <param name="Verdict">One line.</param>
/// <param name="Armed">A crash kernel of ours is loaded.</param>
/// <param name="ExitCode">0 armed, 1 armed with warnings, 2 not armed.</param>
/// <param name="Checks">The facts, in fixed order.</param>
public sealed record StatusReport(string Verdict, bool Armed, int ExitCode, IReadOnlyList<Check> Checks)
{
    /// <summary>Makes the report from its checks: one that failed means not armed.</summary>
    public static StatusReport Of(IReadOnlyList<Check> checks)
    {
        int failed = checks.Count(c => c.Level == CheckLevel.Fail), warned = checks.Count(c => c.Level == CheckLevel.Warn);
        return failed > 0 ? new StatusReport("NOT ARMED: a crash of this host would not be dumped", false, 2, checks)
            : warned > 0 ? new StatusReport($"ARMED, with {warned} warning{(warned == 1 ? "" : "s")}", true, 1, checks)
            : new StatusReport("ARMED", true, 0, checks);
    }

    /// <summary>The report as an operator reads it.</summary>
    public override string ToString() => string.Join('\n', Checks.Select(c => c.ToString()).Prepend(Verdict));

    /// <summary>The report as JSON; <c>code</c> of a check is stable.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, StatusJson.Default.StatusReport);
}

/// <summary>Reflection-free serializer of <see cref="StatusReport"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(StatusReport))]
internal sealed partial class StatusJson : JsonSerializerContext;
