using System.Diagnostics;

namespace Netdump.Client.Capture;

/// <summary>Time since the kernel started: CLOCK_MONOTONIC, which the capture kernel's messages show too.</summary>
internal static class Uptime
{
    /// <summary>Now.</summary>
    public static TimeSpan Now => Stopwatch.GetElapsedTime(0);
}
