using System.Globalization;
using System.Text.Encodings.Web;

namespace Netdump.Kernel.Report;

/// <summary>A report as one self-contained file of HTML: no scripts, nothing fetched, readable in a text browser, light and dark.</summary>
/// <remarks>All that came out of the dump is encoded; a policy in the page forbids scripts all the same.</remarks>
public sealed class ReportHtml
{
    private const string Style = """
        :root{color-scheme:light dark;--line:#8884;--bad:#b3261e;--warn:#8a5a00;--note:#3b5b8c}
        @media(prefers-color-scheme:dark){:root{--bad:#ff9a91;--warn:#ffc56b;--note:#a9c7ff}}
        body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:0 auto;padding:1rem}
        h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid var(--line)}
        table{border-collapse:collapse;width:100%}caption{text-align:left;font-weight:600}
        th,td{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
        pre,code{font:13px/1.45 ui-monospace,monospace}pre{overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
        .critical{color:var(--bad);font-weight:700}.warning{color:var(--warn);font-weight:700}.note{color:var(--note)}
        summary{cursor:pointer}:focus-visible{outline:2px solid}@media print{details>*{display:block}}
        """;

    private readonly CrashReport _report;
    private readonly TextWriter _output;

    private ReportHtml(CrashReport report, TextWriter output)
    {
        _report = report;
        _output = output;
    }

    /// <summary>Writes a report.</summary>
    public static void Write(TextWriter output, CrashReport report) => new ReportHtml(report, output).Write();

    private void Write()
    {
        _output.Write($"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>{E(_report.Title)}</title><style>{Style}</style></head><body><main>
            <h1>{E(_report.Title)}</h1>
            <p>{E(_report.Verdict.Text)}</p>

            """);
        Facts();
        Stack();
        Findings();
        Processors();
        Tasks();
        Log();
        System();
        Quality();
        _output.Write("</main></body></html>\n");
    }

    private void Facts()
    {
        ReportKernel kernel = _report.Kernel;
        _output.Write("<table><caption>Who, where and when</caption>\n");
        Row("Group", $"{_report.Signature.Id} ({string.Join(" < ", _report.Signature.Frames)})");
        Row("Host", _report.Host.Name);
        Row("Boot", _report.Host.BootId);
        Row("Kernel", $"{kernel.Release} {kernel.Version}");
        Row("Build", kernel.BuildId);
        if (_report.Time.Crash is { } crash)
        {
            string text = crash.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
            _output.Write($"<tr><th scope=\"row\">When</th><td><time datetime=\"{crash:yyyy-MM-dd'T'HH:mm:ss'Z'}\">{text}</time>"
                + $"{(_report.Time.UptimeS is { } up ? string.Create(CultureInfo.InvariantCulture, $", {up:0.0} s after boot") : "")}</td></tr>\n");
        }
        Row("Machine", _report.Host.Hardware);
        Row("Processor", $"{_report.Host.Processor} ({_report.Cpus.Online} online)");
        Row("Task", _report.PanicTask is { } task ? $"{task.Comm} (PID {task.Pid}), CPU {_report.Cpu}" : null);
        Row("Taint", string.Join(", ", kernel.TaintWords));
        Row("Fault", _report.Fault is { } fault ? $"{fault.Access} {fault.Address}: {fault.Meaning}" : null);
        _output.Write("</table>\n");
    }

    private void Row(string name, string? value)
    {
        if (!string.IsNullOrWhiteSpace(value))
            _output.Write($"<tr><th scope=\"row\">{name}</th><td>{E(value)}</td></tr>\n");
    }

    private void Stack()
    {
        Heading("stack", "Why it stopped");
        Lines([.. new[] { _report.Panic.Text, _report.Panic.PanicText }.OfType<string>().Distinct(), .. _report.Stack.Select(ReportText.Frame)]);
        if (_report.Panic.Code.Count > 0)
            Fold("Code", () => Lines(_report.Panic.Code));
        if (_report.Panic.Registers is { Count: > 0 } registers)
            Fold("Registers", () => Lines(registers.Select(r => $"{r.Key,-9} {r.Value}")));
        Fold("Whole stack", () => Lines(_report.Panic.Stack.Select(ReportText.Frame)));
    }

    private void Findings()
    {
        Heading("findings", "Findings");
        if (_report.Findings.Count == 0)
        {
            _output.Write("<p>None.</p>\n");
            return;
        }
        _output.Write("<table><tr><th scope=\"col\">Severity</th><th scope=\"col\">What</th><th scope=\"col\">Evidence</th></tr>\n");
        foreach (ReportFinding finding in _report.Findings)
        {
            string evidence = string.Join(", ", finding.Evidence.Select(e => $"{e.Key} {e.Value}"));
            _output.Write($"<tr><td class=\"{E(finding.Severity)}\">{E(finding.Severity)}</td><td>{E(finding.Text)} <code>{E(finding.Id)}</code></td>"
                + $"<td>{E(evidence)}{(finding.More is { } more ? $"<br><code>{E(more)}</code>" : "")}</td></tr>\n");
        }
        _output.Write("</table>\n");
    }

    private void Processors()
    {
        Heading("cpus", "Processors");
        _output.Write("<table><tr><th scope=\"col\">CPU</th><th scope=\"col\">State</th><th scope=\"col\">Task</th><th scope=\"col\">Place</th></tr>\n");
        foreach (ReportProcessor cpu in _report.CpuList)
            _output.Write($"<tr><th scope=\"row\">{cpu.Cpu}</th><td>{E(cpu.State)}</td><td>{E($"{cpu.Comm} ({cpu.Pid})")}</td><td>{E(cpu.Where ?? "")}</td></tr>\n");
        _output.Write("</table>\n");
    }

    private void Tasks()
    {
        Heading("tasks", "Tasks");
        string states = string.Join(", ", _report.TaskSummary.ByState.Select(s => $"{s.Value} {s.Key}"));
        _output.Write($"<p>{_report.TaskSummary.Total}: {E(states)}</p>\n");
        foreach (ReportTask task in _report.Tasks)
        {
            string wait = task.WaitsFor is { } what ? $", {what}" : "";
            string age = task.LastRunS is { } s ? string.Create(CultureInfo.InvariantCulture, $", last ran {s:0.0} s before") : "";
            // The permalink that a page beside this one uses.
            _output.Write($"<details id=\"bt-{task.Pid}{(task.Pid == 0 ? $"-{task.Cpu}" : "")}\"><summary>{task.Pid} {E(task.Comm)} {E(task.State)}{E(age + wait)}</summary>");
            Lines(task.Stack.Count > 0 ? task.Stack.Select(ReportText.Frame) : [task.StackEnd ?? "no kernel stack"]);
            _output.Write("</details>\n");
        }
    }

    private void Log()
    {
        Heading("log", "Last words");
        Lines(_report.Log.Tail);
        if (_report.Log.Incidents.Count > 0)
            Fold("Incidents in the log", () => Lines(_report.Log.Incidents.Select(i => $"line {i.Line}: {i.Kind}: {i.Title}")));
    }

    private void System()
    {
        Heading("system", "System");
        Paragraph("Command line", _report.Kernel.CommandLine);
        Fold($"Modules ({_report.Modules.Count})", () => Lines(_report.Modules.Select(m => $"{m.Name,-24} {m.Address} {m.Size,9} {m.Taint} {m.Version} {m.Srcversion}".TrimEnd())));
        Fold($"Mounts ({_report.Mounts.Count})", () => Lines(_report.Mounts.Select(m => $"{m.Path}  {m.Type}  {m.Device}{(m.Frozen ? "  frozen" : "")}")));
        Fold($"Network ({_report.Network.Count})", () => Lines(_report.Network.Select(d => $"{d.Name}  {(d.Up ? "up" : "down")}  {string.Join(' ', d.Addresses)}")));
    }

    private void Paragraph(string name, string? value)
    {
        if (!string.IsNullOrWhiteSpace(value))
            _output.Write($"<p>{name}: <code>{E(value)}</code></p>\n");
    }

    private void Quality()
    {
        Heading("quality", "Quality");
        ReportQuality quality = _report.Quality;
        _output.Write($"<p>{(quality.Complete ? "Complete" : "Incomplete")}, {quality.Pages} pages, stacks by {E(quality.Unwinder)}, made by {E(_report.Tool)}.</p>\n");
        if (quality.Missing.Count > 0)
            Lines(quality.Missing.Select(m => $"not read: {m.What}: {m.Why}"));
    }

    private void Heading(string id, string text) => _output.Write($"<h2 id=\"{id}\">{text}</h2>\n");

    private void Fold(string name, Action content)
    {
        _output.Write($"<details><summary>{E(name)}</summary>");
        content();
        _output.Write("</details>\n");
    }

    private void Lines(IEnumerable<string> lines)
    {
        _output.Write("<pre>");
        foreach (string line in lines)
            _output.Write($"{E(ReportText.Clean(line))}\n");
        _output.Write("</pre>\n");
    }

    private static string E(string text) => HtmlEncoder.Default.Encode(text);
}
