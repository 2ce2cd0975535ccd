using Netdump.Kernel.Types;

namespace Netdump.Kernel.Facts;

/// <summary>The kernel's times when it died.</summary>
/// <param name="Jiffies">Ticks since boot and the kernel's start value (jiffies_64).</param>
/// <param name="Hz">Ticks a second.</param>
/// <param name="Crashed">The crash, UTC: to the tick by the kernel's clock, else to the second by VMCOREINFO; null in a dump of a running kernel without either.</param>
/// <param name="Uptime">Time since boot by the clock, suspended time included.</param>
/// <param name="TickUptime">Time since boot by the ticks; a few tenths of a second less, since ticks begin later.</param>
/// <param name="Monotonic">The monotonic clock, which the log's time stamps come close to.</param>
public sealed record KernelClock(ulong? Jiffies, int? Hz, DateTimeOffset? Crashed, TimeSpan? Uptime, TimeSpan? TickUptime, TimeSpan? Monotonic)
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    // The years 1970 to 9999: whatever else memory says is no time.
    private const long MostSeconds = 253_402_300_799;

    /// <summary>When the kernel booted, UTC.</summary>
    public DateTimeOffset? Booted => Crashed is { } crashed && Uptime is { } uptime && crashed - DateTimeOffset.UnixEpoch > uptime ? crashed - uptime : null;

    /// <summary>
    /// When crash believes that the kernel booted: by whole seconds and by the ticks, which begin late, so that it may be a second or two after
    /// <see cref="Booted"/>.
    /// </summary>
    public DateTimeOffset? BootedByTicks => Crashed is { } crashed && TickUptime is { } uptime && crashed - DateTimeOffset.UnixEpoch > uptime
        ? DateTimeOffset.FromUnixTimeSeconds(crashed.ToUnixTimeSeconds() - (long)uptime.TotalSeconds) : null;

    internal static KernelClock Read(CrashedKernel kernel)
    {
        var keeper = Timekeeper(kernel);
        var hz = TicksPerSecond(kernel, keeper);
        var jiffies = kernel.ReadLong("jiffies_64");
        var seconds = keeper["xtime_sec"].Signed;
        var shift = keeper["tkr_mono"]["shift"].Unsigned;
        var fine = keeper["tkr_mono"]["xtime_nsec"].Unsigned;
        var nanoseconds = keeper["coarse_nsec"].Unsigned ?? (shift is < 64 && fine is { } value ? value >> (int)shift.Value : null);
        if (seconds is not ({ } and > 0 and < MostSeconds) || nanoseconds is not (< 10 * (ulong)NanosecondsPerSecond))
            return new KernelClock(jiffies, hz, kernel.Info.CrashTime, null, ByTicks(jiffies, hz), null);
        var real = Span(seconds.Value, (long)nanoseconds.Value);
        TimeSpan? monotonic = null;
        if (keeper["wall_to_monotonic"]["tv_sec"].Signed is { } backSeconds and > -MostSeconds and < MostSeconds
            && keeper["wall_to_monotonic"]["tv_nsec"].Signed is { } backNanoseconds and >= 0 and < NanosecondsPerSecond)
            monotonic = real + Span(backSeconds, backNanoseconds);
        var suspended = keeper["offs_boot"].Signed is { } offset and >= 0 ? Span(0, offset) : TimeSpan.Zero;
        return new KernelClock(
            jiffies, hz, DateTimeOffset.UnixEpoch + real, monotonic is { } sinceBoot && sinceBoot >= TimeSpan.Zero ? sinceBoot + suspended : null,
            ByTicks(jiffies, hz), monotonic);
    }

    /// <summary>The time between two readings of jiffies, in this kernel's ticks.</summary>
    public TimeSpan? OfTicks(ulong ticks) => Hz is { } hz ? TimeSpan.FromTicks((long)Math.Min(long.MaxValue, (double)ticks / hz * TimeSpan.TicksPerSecond)) : null;

    /// <summary>Seconds from a reading of jiffies to the crash, negative when it lies ahead; null without <see cref="Jiffies"/> and <see cref="Hz"/>.</summary>
    public double? SecondsSince(ulong jiffies) => Jiffies is { } now && Hz is > 0 and var hz ? unchecked((long)(now - jiffies)) / (double)hz : null;

    // The structure's place moved: tk_core with a lock before it, then struct tk_data, then an array of those.
    private static KernelObject Timekeeper(CrashedKernel kernel)
    {
        if (kernel.Types is not { } types)
            return default;
        if (kernel.TryFind("timekeeper_data", out var array) && types.OffsetOf("tk_data", "timekeeper") is { } inArray)
            return types.At("timekeeper", array + (ulong)inArray);
        return kernel.TryFind("tk_core", out var core) ? types.At("timekeeper", core + (ulong)(types.OffsetOf("tk_data", "timekeeper") ?? 8)) : default;
    }

    private static int? TicksPerSecond(CrashedKernel kernel, KernelObject keeper)
    {
        var tick = keeper["ntp_tick"].Unsigned >> 32 ?? kernel.ReadLong("tick_nsec");
        return tick is > 0 and <= NanosecondsPerSecond ? (int)Math.Round(NanosecondsPerSecond / (double)tick.Value) : null;
    }

    // Jiffies begin at -300 seconds as 32 bits (INITIAL_JIFFIES), so that what cannot stand their wrap shows early.
    private static TimeSpan? ByTicks(ulong? jiffies, int? hz)
    {
        if (jiffies is not { } ticks || hz is not ({ } and > 0))
            return null;
        var start = (1UL << 32) - 300UL * (ulong)hz.Value;
        return ticks >= start && (ticks - start) / (ulong)hz.Value < 100L * 366 * 86400 ? TimeSpan.FromSeconds((ticks - start) / (double)hz.Value) : null;
    }

    private static TimeSpan Span(long seconds, long nanoseconds) => TimeSpan.FromTicks(seconds * TimeSpan.TicksPerSecond + nanoseconds / 100);
}
