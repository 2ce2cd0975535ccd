using System.Globalization;
using Netdump.Kernel.Report.Findings;

namespace Netdump.Kernel.Report;

/// <summary>A report as text for people: what happened on top, in 80 lines of 100 columns for an ordinary crash; what is in detail behind a rule.</summary>
/// <remarks>No colours and no blank fill, so that it can be mailed and searched. What came out of the dump is shown without control characters.</remarks>
public sealed class ReportText
{
    private const int Width = 100;
    private const int Indent = 10;
    private const int MostFindings = 12;
    private const int StackFrames = 12;
    private const int IdleFold = 8;

    private readonly CrashReport _report;
    private readonly TextWriter _output;

    private ReportText(CrashReport report, TextWriter output)
    {
        _report = report;
        _output = output;
    }

    /// <summary>Writes a report.</summary>
    public static void Write(TextWriter output, CrashReport report) => new ReportText(report, output).Write();

    private void Write()
    {
        Section("VERDICT", _report.Verdict.Text);
        Section("TITLE", _report.Title);
        Section("GROUP", _report.Signature.Id + (_report.Verdict.Deliberate ? "  (asked for; kept apart from faults)" : ""));
        Section("FINDINGS", CountFindings());
        _output.WriteLine();
        Where();
        Why();
        WriteFindings();
        Processors();
        Tasks();
        Memory();
        LastWords();
        System();
        Quality();
    }

    private string CountFindings()
    {
        int Count(string severity) => _report.Findings.Count(f => f.Severity == severity);
        return $"{Count("critical")} critical, {Plural(Count("warning"), "warning")}, {Plural(Count("note"), "note")}";
    }

    private void Where()
    {
        ReportKernel kernel = _report.Kernel;
        Fact("host", Join(", ", _report.Host.Name, _report.Host.BootId is { } boot ? $"boot {boot}" : null));
        Fact("kernel", Join(", ", kernel.Release, kernel.Version, kernel.BuildId is { } id ? $"build {id[..Math.Min(12, id.Length)]}" : null));
        Fact("when", Join(", ", _report.Time.Crash?.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture),
            _report.Time.UptimeS is { } up ? $"{Duration(up)} after boot" : null));
        Fact("machine", Join("; ", _report.Host.Hardware, _report.Cpus.Online is { } online ? $"{online} CPUs" : null,
            _report.Memory?.Total is { } total ? $"{Size(total)} of memory managed" : null,
            kernel.CrashKernel is > 0 and var crash ? $"crash kernel {Size(crash)}" : null));
        if (_report.PanicTask is { } task)
            Fact("where", Join(", ", _report.Cpu is { } cpu ? $"CPU {cpu}" : null, $"{task.Comm} (PID {task.Pid})", Call(task.Syscall)));
        if (kernel.TaintWords.Count > 0)
            Fact("taint", string.Join(", ", kernel.TaintWords));
        _output.WriteLine();
    }

    private static string? Call(ReportSyscall? call) => call is null ? null
        : $"in {call.Name ?? $"system call {call.Nr}"}({(call.Args is [var first, ..] ? first : "")}{(call.File is { } file ? $" <{file}>" : "")}, ..)";

    private void Why()
    {
        ReportPanic panic = _report.Panic;
        _output.WriteLine("WHY IT STOPPED");
        if (panic.Text is { } text)
            Line($"  {text}");
        if (panic.PanicText is { } last && last != panic.Text)
            Line($"  {last}");
        if (_report.Fault is { } fault)
            Line($"  -- {(fault.Access is { } access ? $"{access} of " : "")}{fault.Address}: {fault.Meaning}{(panic.Where is { } at ? $", at {at}" : "")} --");
        foreach (ReportFrame frame in _report.Stack.Take(StackFrames))
            Line($"  {Frame(frame)}");
        int more = _report.Stack.Count - StackFrames;
        if (_report.Stack.Count == 0)
            Line("  no stack could be read: see QUALITY");
        if (more > 0)
            Line($"  ({Plural(more, "more frame")}: netdump bt)");
        if (panic.Code.Count > 0)
        {
            _output.WriteLine();
            foreach (string instruction in panic.Code)
                Line($"  {instruction}");
        }
        _output.WriteLine();
    }

    private void WriteFindings()
    {
        if (_report.Findings.Count == 0)
            return;
        _output.WriteLine("FINDINGS");
        foreach (ReportFinding finding in _report.Findings.Take(MostFindings))
        {
            Wrap($"  {finding.Severity,-8}  {finding.Text}", 12);
            string evidence = string.Join(", ", finding.Evidence.Select(e => $"{e.Key} {e.Value}"));
            Wrap($"            [{finding.Id}{(evidence.Length > 0 ? $": {evidence}" : "")}]", 13);
            if (finding.More is { } command)
                Line($"            {command}");
        }
        if (_report.Findings.Count > MostFindings)
            Line($"  and {_report.Findings.Count - MostFindings} more: netdump report --json");
        _output.WriteLine();
    }

    private void Processors()
    {
        var heading = "CPUS";
        List<ReportProcessor> idle = [.. _report.CpuList.Where(c => c.State == "idle")];
        foreach (ReportProcessor cpu in _report.CpuList)
        {
            if (cpu.State == "idle" && idle.Count >= IdleFold)
                continue;
            string state = cpu.State switch
            {
                "crash" => "the crash",
                "user" => "user mode",
                "kernel" => cpu.Where is { } place ? $"in {place}" : "in the kernel",
                "idle" => "idle",
                _ => "its registers were not saved",
            };
            string task = cpu.Comm is null || cpu.State == "idle" ? "" : $"{cpu.Comm} (PID {cpu.Pid}), ";
            string time = cpu.OnCpuS is { } s && cpu.State != "idle" ? $", {s:0.00} s on the CPU" : "";
            string queue = cpu.Queued is > 1 and var queued ? $", {queued - 1} waiting" : "";
            Section(heading, $"{cpu.Cpu,-3} {task}{state}{time}{queue}");
            heading = "";
        }
        if (idle.Count >= IdleFold)
            Section(heading, $"{idle.Count} CPUs idle");
    }

    private void Tasks()
    {
        ReportTaskSummary tasks = _report.TaskSummary;
        string states = string.Join(", ", tasks.ByState.Select(s => $"{s.Value} {Words(s.Key, s.Value)}"));
        Section("TASKS", $"{tasks.Total}{(states.Length > 0 ? $": {states}" : "")}{(tasks.ByState.ContainsKey("D") ? "" : "; none in uninterruptible sleep")}");
        foreach (ReportTaskGroup group in tasks.DGroups.Take(5))
        {
            string age = group.OldestS is { } s ? $", {Duration(s)}" : "";
            Section("", $"{group.Count} D: {group.Oldest}{age}{(group.WaitsFor is { } what ? $", {what}" : "")}");
            Line($"{"",Indent}  {string.Join(" < ", group.Stack.Take(5))}");
        }
    }

    private static string Words(string state, int count) => state switch
    {
        "R" => "running or ready",
        "S" => "sleeping",
        "D" => "in uninterruptible sleep",
        "I" => count == 1 ? "idle worker" : "idle workers",
        "Z" => count == 1 ? "zombie" : "zombies",
        "T" => "stopped",
        "t" => "traced",
        "X" => "dead",
        "P" => "parked",
        _ => $"in state {state}",
    };

    private void Memory()
    {
        if (_report.Memory is not { Total: { } total } memory)
            return;
        string largest = memory.Largest is [var process, ..] ? $"; largest process {process.Comm} (PID {process.Pid}) {Size(process.Rss)}" : "";
        string free = memory.Free is { } f ? $"{Size(f)} of {Size(total)} free ({f * 100 / Math.Max(1, total)} %)" : $"{Size(total)}";
        Section("MEMORY", Join("; ", free, memory.Slab is { } slab ? $"slab {Size(slab)}" : null, memory.Cached is { } cached ? $"cache {Size(cached)}" : null)
            + largest);
    }

    private void LastWords()
    {
        if (_report.Log.Tail.Count == 0)
            return;
        _output.WriteLine();
        _output.WriteLine("LAST WORDS (seconds before the crash)");
        foreach (string line in _report.Log.Tail)
            Line($"  {line}");
    }

    private void System()
    {
        _output.WriteLine();
        if (_report.Network.Count > 0)
            Section("NETWORK", string.Join("; ", _report.Network.Select(d => $"{d.Name} {(d.Up ? "up" : "down")}{string.Concat(d.Addresses.Select(a => $" {a}"))}")));
        string modules = string.Join(" ", _report.Modules.OrderByDescending(m => m.Taint.Length).Take(8).Select(m => m.Taint.Length > 0 ? $"{m.Name}({m.Taint})" : m.Name));
        Section("SYSTEM", Join(" | ", $"modules {_report.Modules.Count}: {modules}", _report.Mounts.Count > 0 ? $"mounts {_report.Mounts.Count}" : null,
            _report.Kernel.CommandLine is { } line ? $"command line: {line}" : null));
    }

    private void Quality()
    {
        ReportQuality quality = _report.Quality;
        string whole = quality.Complete ? "complete" : quality.Percent is { } percent ? $"incomplete: {percent} %" : "incomplete";
        string level = quality.Level is { } filtered ? $" at level {filtered}" : "";
        string expected = _report.TaskSummary.Expected is { } count ? $"{_report.TaskSummary.Total} of {count} tasks; " : "";
        if (_report.Upload is { Reason: { } reason })
            Section("POLICY", reason);
        Section("QUALITY", $"{whole}, {quality.Pages:N0} pages{level}; {expected}stacks by {quality.Unwinder}; {quality.Seconds:0.0} s");
        foreach (ReportGap gap in quality.Missing.Take(10))
            Section("", $"not read: {gap.What}: {gap.Why}");
        if (quality.Missing.Count > 10)
            Section("", $"and {quality.Missing.Count - 10} more: netdump report --json");
    }

    /// <summary>A frame in one line: symbol, offset, module; a question mark before one that was found by searching.</summary>
    internal static string Frame(ReportFrame frame)
    {
        string place = frame.Symbol is null ? frame.Pc ?? "?" : $"{frame.Symbol}+0x{frame.Offset:x}";
        return $"{(frame.Reliable ? "" : "? ")}{place}{(frame.Module is { } module ? $" [{module}]" : "")}{(frame.Trust == "user" ? " (user)" : "")}";
    }

    private void Section(string name, string text) => Wrap($"{name,-Indent}{text}", Indent);

    private void Fact(string name, string text)
    {
        if (text.Length > 0)
            Section(name, text);
    }

    // Long lines break at blanks; a word that is longer than a line stays whole.
    private void Wrap(string text, int indent)
    {
        text = Clean(text);
        while (text.Length > Width && text.LastIndexOf(' ', Width) is var space && space > indent + 8)
        {
            _output.WriteLine(text[..space].TrimEnd());
            text = new string(' ', indent) + text[(space + 1)..].TrimStart();
        }
        _output.WriteLine(text.TrimEnd());
    }

    private void Line(string text)
    {
        text = Clean(text).TrimEnd();
        _output.WriteLine(text.Length <= Width ? text : string.Concat(text.AsSpan(0, Width - 1), "…"));
    }

    internal static string Clean(string text) => text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)) : text;

    private static string Join(string separator, params string?[] parts) => string.Join(separator, parts.Where(p => !string.IsNullOrEmpty(p)));

    private static string Plural(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";

    private static string Duration(double seconds) => Finding.Words(TimeSpan.FromSeconds(seconds));

    private static string Size(long bytes) => bytes switch
    {
        < 10L << 20 => $"{bytes / 1024.0 / 1024:0.0} MiB",
        < 10L << 30 => $"{bytes >> 20} MiB",
        _ => $"{bytes >> 30} GiB",
    };
}
