namespace Netdump.Client.Send;

/// <summary>How far a dump is, in words: the same on a terminal and on the capture kernel's console.</summary>
internal static class ProgressText
{
    /// <summary>Bytes of a MB, as network speeds are counted.</summary>
    public const double MegaByte = 1e6;

    private const double Standstill = 0.05 * MegaByte; // shown as 0.0 MB/s

    /// <summary>Share and, once they are known, speed and time left: <c>12.3 % of 2048 MB, 94.1 MB/s, 19 s left</c>.</summary>
    public static string Of(in SendProgress progress)
    {
        double percent = progress.PagesTotal == 0 ? 0 : 100.0 * progress.PagesSent / progress.PagesTotal;
        string share = $"{percent:0.0} % of {progress.BytesTotal / MegaByte:0} MB";
        if (progress.PagesSent >= progress.PagesTotal) return $"{share}, the server completes it";
        if (progress.TimeLeft is not { } left) return share; // too early to tell
        return $"{share}, {progress.BytesPerSecond / MegaByte:0.0} MB/s, {(progress.BytesPerSecond < Standstill ? "waiting" : $"{Duration(left)} left")}";
    }

    private static string Duration(TimeSpan time) => time.TotalSeconds switch
    {
        < 90 => $"{time.TotalSeconds:0} s",
        < 5400 => $"{time.TotalMinutes:0} min",
        _ => $"{time.TotalHours:0.0} h",
    };
}
