namespace Netdump.Server.Receivers.Classic;

/// <summary>Sizes and times as people read them in a log line.</summary>
internal static class ByteText
{
    private static readonly string[] Units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>A number of bytes with three digits or so: <c>512 bytes</c>, <c>1.5 GiB</c>.</summary>
    public static string Size(double bytes)
    {
        int unit = 0;
        for (; bytes >= 1024 && unit < Units.Length - 1; unit++)
            bytes /= 1024;
        return unit == 0 ? $"{bytes:F0} {Units[0]}" : $"{bytes:F1} {Units[unit]}";
    }

    /// <summary>A duration: <c>42 s</c>, <c>3 min 5 s</c>, <c>2 h 10 min</c>; <c>unknown time</c> for null.</summary>
    public static string Duration(TimeSpan? time) => time switch
    {
        null => "unknown time",
        { TotalMinutes: < 1 } t => $"{t.TotalSeconds:F0} s",
        { TotalHours: < 1 } t => $"{t.Minutes} min {t.Seconds} s",
        { } t => $"{(int)t.TotalHours} h {t.Minutes} min",
    };
}
