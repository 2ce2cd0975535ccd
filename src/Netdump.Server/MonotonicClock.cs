using System.Diagnostics;

namespace Netdump.Server;

/// <summary>Time since the process began, never set back: what sessions and timers count in.</summary>
public static class MonotonicClock
{
    private static readonly long Start = Stopwatch.GetTimestamp();

    /// <summary>Time since the process began.</summary>
    public static TimeSpan Now => Stopwatch.GetElapsedTime(Start);
}
