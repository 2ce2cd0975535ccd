using System.Globalization;

namespace Netdump.Kernel.Report.Findings;

/// <summary>Severities, and findings made short.</summary>
internal static class Finding
{
    public const string Critical = "critical";
    public const string Warning = "warning";
    public const string Note = "note";

    /// <summary>A finding with its evidence; empty values are left out.</summary>
    public static ReportFinding Of(string id, string severity, string text, string? more, params ReadOnlySpan<(string Name, object? Value)> evidence)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in evidence)
            if (value is not null)
                values[name] = value switch
                {
                    double number => number.ToString("0.###", CultureInfo.InvariantCulture),
                    ulong address => $"0x{address:x}",
                    IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
                    _ => value.ToString() ?? "",
                };
        return new ReportFinding(id, severity, text, values, more);
    }

    /// <summary>The worst first, else in the order they were found.</summary>
    public static int Rank(string severity) => severity switch
    {
        Critical => 0,
        Warning => 1,
        _ => 2,
    };

    /// <summary>A time in words.</summary>
    public static string Words(TimeSpan time) => time.TotalSeconds switch
    {
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0.0} min"),
        < 172_800 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.0} h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:0.0} days"),
    };
}
