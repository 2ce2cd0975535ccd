using System.Buffers.Text;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Log;

namespace Netdump.Vmcore;

/// <summary>Tells which CPU's registers are those of the crash, without debugging information.</summary>
/// <remarks>
/// The rule, in this order:
/// <list type="number">
/// <item>The last record of the log that opens a fatal report (panic, oops, BUG, sysrq-c) names who printed it; the first
/// <c>CPU: n ... PID: p Comm:</c> line of the same printer from there on names CPU and task, else a thread that printed it is the task.</item>
/// <item>The note whose pr_pid is that task. Several (idle CPUs all have 0): the n-th note when it is one of them, else the first of them
/// that was in the kernel, else the first of them.</item>
/// <item>No such note: the first that was in the kernel (a bystander is often in user mode, the one that panicked never), else the first.</item>
/// </list>
/// Notes are in the order of CPUs, but CPUs without a note leave no gap, so a CPU's number alone proves nothing.
/// </remarks>
public static class PanickingProcessor
{
    /// <summary>Index of the note, or -1 when there is none.</summary>
    /// <param name="notes">The core's PRSTATUS notes in the file's order.</param>
    /// <param name="log">The kernel's log, oldest first; may be empty.</param>
    public static int Find(IReadOnlyList<ProcessorStatus> notes, IEnumerable<LogRecord> log)
    {
        if (notes.Count == 0)
            return -1;
        var (pid, processor) = Blamed(log);
        if (pid is { } task)
        {
            var first = -1;
            var firstInKernel = -1;
            for (var i = 0; i < notes.Count; i++)
            {
                if (notes[i].Pid != task)
                    continue;
                if (i == processor)
                    return i;
                if (first < 0)
                    first = i;
                if (firstInKernel < 0 && notes[i].InKernel)
                    firstInKernel = i;
            }
            if (first >= 0)
                return firstInKernel >= 0 ? firstInKernel : first;
        }
        for (var i = 0; i < notes.Count; i++)
            if (notes[i].InKernel)
                return i;
        return 0;
    }

    private static (int? Pid, int? Processor) Blamed(IEnumerable<LogRecord> log)
    {
        uint? reporter = null;
        (int? Pid, int? Processor) blamed = default;
        var isNamed = false;
        foreach (var record in log)
        {
            var text = record.Text.Span;
            if (OpensReport(text))
            {
                reporter = record.CallerId;
                blamed = (record.Thread, record.Processor);
                isNamed = false;
            }
            if (isNamed || record.CallerId != reporter || text.IndexOf(" Comm: "u8) < 0 || NumberAfter(text, "PID: "u8) is not { } pid)
                continue;
            blamed = (pid, NumberAfter(text, "CPU: "u8));
            isNamed = true;
        }
        return blamed;
    }

    private static bool OpensReport(ReadOnlySpan<byte> text) =>
        text.StartsWith("Kernel panic - not syncing"u8)
        || text.StartsWith("sysrq: Trigger a crash"u8)
        || text.StartsWith("BUG: "u8)
        || text.StartsWith("kernel BUG at "u8)
        || text.StartsWith("Unable to handle kernel "u8)
        || text.StartsWith("general protection fault"u8)
        || text.StartsWith("Oops: "u8);

    private static int? NumberAfter(ReadOnlySpan<byte> text, ReadOnlySpan<byte> label)
    {
        var at = text.IndexOf(label);
        return at >= 0 && Utf8Parser.TryParse(text[(at + label.Length)..], out int number, out _) ? number : null;
    }
}
