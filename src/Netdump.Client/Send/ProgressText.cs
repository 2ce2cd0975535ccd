namespace Netdump.Client.Send;

/// <summary>How far a dump is, in words: the same on a terminal and on the capture kernel's console.</summary>
internal static class ProgressText
{
    /// <summary>Bytes of a MB, as network speeds are counted.</summary>
    public const double MegaByte = 1e6;

    private const double Standstill = 0.05 * MegaByte; // shown as 0.0 MB/s

    /// <summary>Share, speed and time left: <c>12.3 % of 2048 MB, 94.1 MB/s, 19 s left</c>.</summary>
    public static string Of(in SendProgress progress)
    {
        double percent = progress.PagesTotal == 0 ? 0 : 100.0 * progress.PagesSent / progress.PagesTotal;
        string left = progress.PagesSent >= progress.PagesTotal ? "the server completes it"
            : progress.BytesPerSecond < Standstill || progress.TimeLeft is not { } time ? "waiting"
            : $"{Duration(time)} left";
        return $"{percent:0.0} % of {progress.BytesTotal / MegaByte:0} MB, {progress.BytesPerSecond / MegaByte:0.0} MB/s, {left}";
    }

    private static string Duration(TimeSpan time) => time.TotalSeconds switch
    {
        < 90 => $"{time.TotalSeconds:0} s",
        < 5400 => $"{time.TotalMinutes:0} min",
        _ => $"{time.TotalHours:0.0} h",
    };
}
