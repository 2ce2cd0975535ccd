using System.Text.Json.Serialization;

namespace Netdump.Client.Host;

/// <summary>How a check ended.</summary>
public enum CheckLevel
{
    /// <summary>As it should be.</summary>
    [JsonStringEnumMemberName("ok")]
    Ok,

    /// <summary>Not known, or not tried: nothing is claimed.</summary>
    [JsonStringEnumMemberName("unknown")]
    Unknown,

    /// <summary>Works, but somebody should know.</summary>
    [JsonStringEnumMemberName("warn")]
    Warn,

    /// <summary>No dump would arrive.</summary>
    [JsonStringEnumMemberName("fail")]
    Fail,
}

/// <summary>One fact about being armed.</summary>
/// <param name="Level">How it ended.</param>
/// <param name="Name">What was checked.</param>
/// <param name="Fact">What is so.</param>
/// <param name="Advice">What to do, or null.</param>
/// <param name="Code">Stable name of the trouble for programs, or null. docs/client.md lists them all.</param>
public sealed record Check(CheckLevel Level, string Name, string Fact, string? Advice = null, string? Code = null)
{
    /// <summary>The check as one or two lines: <c>FAIL  name: fact  [code]</c> and <c>-&gt; advice</c>.</summary>
    public override string ToString()
    {
        string level = Level switch { CheckLevel.Ok => "ok", CheckLevel.Unknown => "-", CheckLevel.Warn => "warn", _ => "FAIL" };
        string line = $"  {level,-5} {Name}: {Fact}{(Code is null ? "" : $"  [{Code}]")}";
        return Advice is null ? line : $"{line}\n        -> {Advice}";
    }

    /// <summary>Throws when the check failed.</summary>
    /// <exception cref="ClientException">With the check.</exception>
    public Check OrThrow() => Level == CheckLevel.Fail ? throw new ClientException(this) : this;
}
