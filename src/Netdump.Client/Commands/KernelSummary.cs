using System.Globalization;
using Netdump.Kernel;
using Netdump.Vmcore;
using Netdump.Vmcore.Log;

namespace Netdump.Client.Commands;

/// <summary>What <c>netdump info</c> says of the kernel inside a dump. Names of the JSON form are stable; what is absent is not in the dump.</summary>
/// <param name="Symbols">Whether symbols (kallsyms) were found, and proven right.</param>
/// <param name="Types">Whether types (BTF) were found.</param>
/// <param name="Unwinding">Whether stacks can be walked (ORC tables; on arm64 frame pointers).</param>
/// <param name="Booted">When it booted.</param>
/// <param name="UptimeSeconds">Seconds since.</param>
/// <param name="Load">Load over 1, 5 and 15 minutes.</param>
/// <param name="Tasks">How many tasks there were, the idle ones among them.</param>
/// <param name="Taint">What tainted it; empty when nothing did.</param>
/// <param name="Online">Processors in use.</param>
/// <param name="Processor">Their model.</param>
/// <param name="Megahertz">Their clock.</param>
/// <param name="Hardware">The machine around them.</param>
/// <param name="PresentBytes">Memory there was.</param>
/// <param name="ManagedBytes">Memory that the kernel managed.</param>
/// <param name="CrashKernelBytes">Memory set aside for the crash kernel.</param>
/// <param name="PanicProcessor">The processor that panicked.</param>
/// <param name="Panic">The line of the log that says why.</param>
/// <param name="BootId">The boot, as journald knows it.</param>
/// <param name="CommandLine">The kernel's command line.</param>
/// <param name="Missing">What could not be read, and why.</param>
internal sealed record KernelSummary(
    bool Symbols, bool Types, bool Unwinding, DateTimeOffset? Booted, double? UptimeSeconds, IReadOnlyList<double>? Load, int? Tasks,
    IReadOnlyList<TaintWord>? Taint, int? Online, string? Processor, int? Megahertz, string? Hardware, ulong? PresentBytes, ulong? ManagedBytes,
    ulong? CrashKernelBytes, int? PanicProcessor, string? Panic, Guid? BootId, string? CommandLine, IReadOnlyList<string> Missing)
{
    // As crash ranks them: with a crash kernel loaded an oops never comes to print the first.
    private static readonly string[] PanicMarks = ["Kernel panic - ", "BUG: unable to handle", "BUG: kernel NULL pointer", "kernel BUG at", "Oops: "];

    /// <summary>Looks into a dump; null when its kernel's memory cannot be read at all.</summary>
    public static KernelSummary? Of(VmcoreFile dump)
    {
        CrashedKernel kernel;
        try
        {
            kernel = new CrashedKernel(dump);
        }
        catch (VmcoreFormatException)
        {
            return null;
        }
        var facts = kernel.Facts;
        var pages = (ulong)kernel.Memory.PageSize;
        var tasks = kernel.Tasks.All.Count is > 0 and var count ? count + kernel.Tasks.Idle.Count : 0;
        return new KernelSummary(
            kernel.Symbols is not null, kernel.Types is not null, kernel.Unwinder is not null, facts.Clock.Booted, facts.Clock.TickUptime?.TotalSeconds, facts.Load,
            tasks > 0 ? tasks : null, facts.Taint?.Flags.Select(f => new TaintWord(f.Letter.ToString(), f.Words)).ToArray(), facts.Hardware.Online,
            facts.Hardware.Model, facts.Hardware.Megahertz, facts.Hardware.Machine, facts.Memory.PresentPages * pages, facts.Memory.TotalPages * pages,
            facts.CrashKernelBytes, facts.Panic.Processor, PanicLine(dump), facts.BootId, facts.CommandLine,
            [.. kernel.Gaps.All.Select(gap => $"{gap.Key}: {gap.Value}")]);
    }

    /// <summary>The lines of the form for people.</summary>
    public IEnumerable<(string Label, string Value)> Lines
    {
        get
        {
            yield return ("inside", $"kallsyms {Word(Symbols)}, BTF {Word(Types)}, unwinding {Word(Unwinding)}");
            if (Panic is not null)
                yield return ("panic", $"{Panic}{(PanicProcessor is { } cpu ? $" (CPU {cpu})" : "")}");
            if (UptimeSeconds is { } uptime)
                yield return ("uptime", $"{Duration(uptime)}{(Booted is { } booted ? booted.ToString("', booted 'yyyy-MM-dd HH:mm:ss' UTC'", CultureInfo.InvariantCulture) : "")}");
            if (Load is not null)
                yield return ("load", LoadText(", "));
            if (Tasks is { } tasks)
                yield return ("tasks", $"{tasks}");
            if (Taint is not null)
                yield return ("taint", Taint.Count == 0 ? "none" : string.Join(", ", Taint.Select(t => $"{t.Letter} ({t.Words})")));
            if (Processor is not null || Online is not null)
                yield return ("processors", $"{Online}{(Processor is null ? "" : $" x {Processor}")}{(Megahertz is { } clock ? $", {clock} MHz" : "")}");
            if (Hardware is not null)
                yield return ("hardware", Hardware);
            if (ManagedBytes is { } managed)
                yield return (
                    "ram", $"{DumpSummary.Size(managed)} managed{(PresentBytes is { } present ? $" of {DumpSummary.Size(present)}" : "")}"
                        + (CrashKernelBytes is > 0 and var set ? $", {DumpSummary.Size(set)} set aside for the crash kernel" : ""));
            if (BootId is { } boot)
                yield return ("boot id", boot.ToString());
            if (CommandLine is not null)
                yield return ("command line", CommandLine);
            foreach (var missing in Missing)
                yield return ("missing", missing);
        }
    }

    /// <summary>Load as crash prints it.</summary>
    public string LoadText(string between) => string.Join(between, (Load ?? []).Select(l => l.ToString("F2", CultureInfo.InvariantCulture)));

    /// <summary>A time span as crash prints it.</summary>
    public static string Duration(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Floor(seconds));
        var clock = span.ToString(@"hh\:mm\:ss", CultureInfo.InvariantCulture);
        return span.Days == 0 ? clock : $"{span.Days} day{(span.Days == 1 ? "" : "s")}, {clock}";
    }

    private static string Word(bool isPresent) => isPresent ? "present" : "absent";

    private static string? PanicLine(VmcoreFile dump)
    {
        KernelLog log;
        try
        {
            log = dump.OpenLog();
        }
        catch (VmcoreFormatException)
        {
            return null;
        }
        string? best = null;
        var rank = PanicMarks.Length;
        foreach (var record in log.Records(false))
            for (var i = 0; i < rank; i++)
                if (System.Text.Encoding.UTF8.GetString(record.Text.Span) is var text && text.Contains(PanicMarks[i], StringComparison.Ordinal))
                    (best, rank) = (text.Split('\n')[0], i);
        return best;
    }
}

/// <summary>One letter of the taint.</summary>
/// <param name="Letter">As the kernel prints it.</param>
/// <param name="Words">What it means.</param>
internal sealed record TaintWord(string Letter, string Words);
