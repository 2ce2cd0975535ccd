using Netdump.Kernel.Tasks;

namespace Netdump.Kernel.Facts;

/// <summary>The kernel's count of timer ticks, which most of its own records of time are kept in.</summary>
/// <param name="Jiffies">jiffies_64; it begins 300 seconds below 2^32.</param>
/// <param name="PerSecond">HZ: 100, 250, 300 or 1000.</param>
internal readonly record struct Ticks(ulong Jiffies, int PerSecond)
{
    private const ulong FirstMember = 8; // timekeeper in tk_core, behind a sequence counter (up to 6.12, where no type describes tk_core)
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>Seconds from a value of jiffies to the crash; negative when it lies ahead.</summary>
    public double SecondsSince(ulong jiffies) => unchecked((long)(Jiffies - jiffies)) / (double)PerSecond;

    /// <summary>Reads both.</summary>
    /// <returns>Null without symbols or types.</returns>
    public static Ticks? Read(TaskSource source)
    {
        if (source.Symbols is not { } symbols || source.Types is not { } types || !symbols.TryFind("jiffies_64", out var at) || !source.Memory.TryReadUInt64(at, out var jiffies))
            return null;
        var within = types.OffsetOf("tk_data", "timekeeper");
        var timekeeper = symbols.TryFind("timekeeper_data", out var data) ? data + (ulong)(within ?? (int)FirstMember)
            : symbols.TryFind("tk_core", out var core) ? core + (ulong)(within ?? (int)FirstMember)
            : 0;
        // ntp_tick is the nominal length of a tick in nanoseconds, shifted left by 32 bits.
        if (Field.Of(types, "timekeeper", "ntp_tick").Read(source.Memory, timekeeper) is not { } tick || tick >> 32 is not (> 0 and <= 100_000_000 and var length))
            return null;
        return new Ticks(jiffies, (int)((NanosecondsPerSecond + (long)length / 2) / (long)length));
    }
}
