using System.Globalization;

namespace Netdump.Client.Linux;

/// <summary>Lines <c>NAME:   NUMBER kB</c>, as /proc/meminfo and /proc/PID/status have them.</summary>
internal static class SizeLines
{
    /// <summary>The amount of a name, in bytes; null when no line has it.</summary>
    public static long? Find(IEnumerable<string> lines, string name)
    {
        foreach (string line in lines)
        {
            if (!line.StartsWith(name, StringComparison.Ordinal) || line.Length <= name.Length || line[name.Length] != ':') continue;
            ReadOnlySpan<char> amount = line.AsSpan(name.Length + 1).Trim();
            if (amount.EndsWith("kB", StringComparison.Ordinal) && long.TryParse(amount[..^2].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long kibibytes)
                && kibibytes <= long.MaxValue >> 10) return kibibytes << 10;
        }
        return null;
    }
}
