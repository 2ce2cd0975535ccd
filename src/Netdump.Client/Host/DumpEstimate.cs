using System.Globalization;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>How large a dump of this host would be now, and how long it would take at most of the link's speed.</summary>
public static class DumpEstimate
{
    /// <summary>Bytes of memory in one Ethernet frame of the classic protocol: 1024 of 1103 (reply header 13, UDP 8, IP 20, Ethernet 18, preamble and gap 20).</summary>
    private const double ClassicShare = 1024.0 / (1024 + 13 + 8 + 20 + 18 + 20);

    private const long UsualMegabits = 1000;
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    /// <summary>Estimates.</summary>
    /// <param name="host">The host's files.</param>
    /// <param name="device">The interface that sends; null: not known.</param>
    /// <param name="level">DUMPLEVEL; null when nobody chose.</param>
    public static Check Examine(HostFiles host, string? device, int? level = null)
    {
        long total = Total(host), free = Memory(host, "MemFree"), used = Math.Max(0, Memory(host, "MemTotal") - free);
        if (total == 0) return new(CheckLevel.Unknown, "estimate", "/proc/meminfo does not tell how much memory there is");
        long? told = device is not null && long.TryParse(host.Read($"/sys/class/net/{device}/speed"), NumberStyles.None, CultureInfo.InvariantCulture, out long speed) && speed > 0 ? speed : null;
        long megabits = told ?? UsualMegabits;
        // What a server of ours takes: in use is more than what is left of it without caches and processes, and all that is known here.
        bool leavesFree = ((level ?? 31) & 16) != 0;
        long bytes = leavesFree ? Math.Min(used, total) : total;
        var time = TimeSpan.FromSeconds(bytes / (megabits * 125_000.0 * ClassicShare));
        string at = $"{(megabits >= 1000 ? Number(megabits / 1000.0) + " Gbit/s" : megabits + " Mbit/s")}{(told is null ? ", if the card does that: it does not tell" : "")}";
        string fact = leavesFree
            ? $"at most {Size(bytes)} of {Size(total)} at level {level ?? 31} (an original server takes all but zeros), {Duration(time)} at {at}"
            : $"about {Size(bytes)} of {Size(total)} at level {level} ({Size(used)} are in use), {Duration(time)} at {at}";
        return time <= Long ? new(CheckLevel.Ok, "estimate", fact)
            : new(CheckLevel.Warn, "estimate", fact, "reckon with the host being away for that long, or send by a faster card (DEV=)", "slow-dump");
    }

    /// <summary>Memory that the capture kernel shows: all but what it runs in itself.</summary>
    private static long Total(HostFiles host)
    {
        long ram = IoMemory.Sum(host, "System RAM", atMargin: true), own = IoMemory.Sum(host, "Crash kernel");
        return ram > own ? ram - own : Memory(host, "MemTotal");
    }

    private static long Memory(HostFiles host, string key) => SizeLines.Find(host.Lines("/proc/meminfo"), key) ?? 0;

    private static string Number(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);

    private static string Size(long bytes) => bytes >= 1L << 30 ? $"{Number(bytes / (double)(1L << 30))} GiB" : $"{bytes >> 20} MiB";

    private static string Duration(TimeSpan time) =>
        time.TotalSeconds < 100 ? $"{Math.Max(1, (int)Math.Ceiling(time.TotalSeconds))} s"
        : time.TotalMinutes < 100 ? $"{(int)Math.Ceiling(time.TotalMinutes)} min"
        : $"{(int)time.TotalHours} h {time.Minutes} min";
}
