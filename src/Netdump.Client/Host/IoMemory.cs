using System.Globalization;

namespace Netdump.Client.Host;

/// <summary>What physical memory is used for, as the kernel tells root in /proc/iomem; to others all of it is empty.</summary>
internal static class IoMemory
{
    /// <summary>Bytes of all ranges of one name.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="name">"System RAM", "Crash kernel", "Kernel code", ...</param>
    /// <param name="atMargin">Without those that are parts of other ranges.</param>
    public static long Sum(HostFiles host, string name, bool atMargin = false)
    {
        long sum = 0;
        foreach (string line in host.Lines("/proc/iomem")) // "00100000-7ffdffff : System RAM", inner ranges indented
        {
            int colon = line.IndexOf(" : ", StringComparison.Ordinal);
            if (colon < 0 || (atMargin && line[0] == ' ') || !line.AsSpan(colon + 3).SequenceEqual(name)) continue;
            string[] ends = line[..colon].Trim().Split('-');
            if (ends.Length == 2 && ulong.TryParse(ends[0], NumberStyles.HexNumber, null, out ulong first) && ulong.TryParse(ends[1], NumberStyles.HexNumber, null, out ulong last) && last > first)
                sum += (long)(last - first + 1);
        }
        return sum;
    }
}
