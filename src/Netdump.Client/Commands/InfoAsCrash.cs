using System.Globalization;
using Netdump.Vmcore;

namespace Netdump.Client.Commands;

/// <summary>The lines that crash prints when it starts (its command sys).</summary>
internal static class InfoAsCrash
{
    /// <summary>Writes them: what the dump does not have is left out. crash names the vmlinux it was given; here the usual name of it stands.</summary>
    public static void Write(TextWriter output, VmcoreFile dump, DumpSummary summary, KernelSummary kernel)
    {
        Line("KERNEL", $"vmlinux-{summary.Kernel}{(kernel.Taint is { Count: > 0 } ? "  [TAINTED]" : "")}");
        Line("DUMPFILE", $"{summary.File}{(!summary.Complete ? "  [INCOMPLETE DUMP]" : summary.DumpLevel > 0 ? "  [PARTIAL DUMP]" : "")}");
        Line("CPUS", kernel.Online?.ToString(CultureInfo.InvariantCulture));
        Line("DATE", summary.CrashTime is { } time ? $"{time.UtcDateTime.ToString("ddd MMM", CultureInfo.InvariantCulture)} {time.UtcDateTime.Day,2} {time.UtcDateTime.ToString("HH:mm:ss 'UTC' yyyy", CultureInfo.InvariantCulture)}" : null);
        Line("UPTIME", kernel.UptimeSeconds is { } uptime ? KernelSummary.Duration(uptime) : null);
        Line("LOAD AVERAGE", kernel.Load is null ? null : kernel.LoadText(", "));
        Line("TASKS", kernel.Tasks?.ToString(CultureInfo.InvariantCulture));
        Line("NODENAME", summary.Host);
        Line("RELEASE", summary.Kernel);
        Line("VERSION", summary.KernelVersion);
        Line("MACHINE", $"{summary.Machine}{(kernel.Megahertz is { } clock ? $"  ({clock} Mhz)" : "")}");
        Line("MEMORY", kernel.PresentBytes is { } bytes ? MemoryText.SizeAsCrash((long)(bytes / (ulong)dump.PageSize), dump.PageSize) : null);
        // crash prints the panic itself, and of an oops that there is more to read.
        Line("PANIC", kernel.Panic is not { } panic ? null : panic.StartsWith("Kernel panic", StringComparison.Ordinal) ? $"\"{panic}\"" : $"\"{panic}\" (check log for details)");

        void Line(string key, string? value)
        {
            if (value is not null)
                output.WriteLine($"{key,12}: {value.ReplaceLineEndings(" ")}");
        }
    }
}
