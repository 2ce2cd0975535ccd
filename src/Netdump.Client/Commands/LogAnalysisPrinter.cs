using System.Globalization;
using System.Text;
using System.Text.Json;
using Netdump.Kernel.Incidents;

namespace Netdump.Client.Commands;

/// <summary>Prints what <c>netdump dmesg --analyse</c> found in a log.</summary>
internal static class LogAnalysisPrinter
{
    private const int LongestLine = 160;

    /// <summary>For people: the crash, every incident on a line of its own, and the last lines before the crash.</summary>
    public static void Print(LogAnalysis log, TextWriter output)
    {
        if (log.Cause is { } cause)
        {
            output.Write($"title      {cause.Title}\nclass      {cause.Class}{(log.IsDeliberate ? ", asked for" : "")}\n");
            output.Write($"signature  {cause.Signature.Id}  {cause.Signature.Key}\n");
            output.Write($"where      {Where(cause)}\n");
            if (cause.FaultAddress is { } address)
                output.Write($"fault      address 0x{address:x}{(FaultClass.PoisonOf(address) is { } poison ? $": {poison}" : "")}\n");
            if (log.PanicText is { } panic)
                output.Write($"panic      {Printable(panic)}\n");
        }
        else
            output.Write("title      no crash in this log\n");
        if (log.Silence is { TotalSeconds: >= 1 } silence && log.Cause is not null)
            output.Write($"silence    {Seconds(silence)} before the crash's first lines\n");
        output.Write($"incidents  {log.Incidents.Count} in {log.Lines} lines\n");
        foreach (Incident incident in log.Incidents)
        {
            string time = incident.Time is { } at ? Seconds(at) : "-";
            string count = incident.Count > 1 ? $" ({incident.Count} times)" : "";
            output.Write($"  line {incident.FirstLine}-{incident.LastLine}  {time}  {Name(incident.Severity)}  {Printable(incident.Title)}{count}\n");
        }
        output.Write("last words\n");
        foreach (ConsoleLine line in log.LastWords)
            output.Write($"  {(line.Time is { } time ? Seconds(time) : "-")}  {Printable(line.Text)}\n");
    }

    /// <summary>The same and more for programs: one object.</summary>
    public static void PrintJson(LogAnalysis log, Stream output)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("title", log.Title);
        json.WriteString("class", log.Class);
        json.WriteBoolean("deliberate", log.IsDeliberate);
        if (log.Signature is { } signature)
            Write(json, signature);
        else
            json.WriteNull("signature");
        json.WriteString("panic", log.PanicText);
        json.WriteNumber("lines", log.Lines);
        if (log.Silence is { } silence)
            json.WriteNumber("silence_s", silence.TotalSeconds);
        json.WriteNumber("lines_in_last_second", log.LinesInLastSecond);
        json.WriteStartArray("incidents");
        foreach (Incident incident in log.Incidents)
            Write(json, incident, ReferenceEquals(incident, log.Cause));
        json.WriteEndArray();
        json.WriteStartArray("last_words");
        foreach (ConsoleLine line in log.LastWords)
            json.WriteStringValue(line.Text);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, CrashSignature signature)
    {
        json.WriteStartObject("signature");
        json.WriteNumber("version", signature.Version);
        json.WriteString("id", signature.Id);
        json.WriteString("key", signature.Key);
        json.WriteString("title", signature.Title);
        json.WriteString("coarse", signature.Coarse);
        json.WriteStartArray("frames");
        foreach (string frame in signature.Frames)
            json.WriteStringValue(frame);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, Incident incident, bool isCause)
    {
        json.WriteStartObject();
        json.WriteBoolean("cause", isCause);
        json.WriteString("kind", incident.Kind.ToString());
        json.WriteString("severity", Name(incident.Severity));
        json.WriteString("class", incident.Class);
        json.WriteString("title", incident.Title);
        json.WriteString("head", incident.Head);
        json.WriteString("signature", incident.Signature.Id);
        json.WriteNumber("first_line", incident.FirstLine);
        json.WriteNumber("last_line", incident.LastLine);
        json.WriteNumber("count", incident.Count);
        if (incident.Time is { } time)
            json.WriteNumber("seconds", time.TotalSeconds);
        WriteNumber(json, "cpu", incident.Cpu);
        WriteNumber(json, "pid", incident.Pid);
        WriteText(json, "comm", incident.Comm);
        WriteText(json, "function", incident.Function);
        WriteText(json, "source", incident.SourceLine);
        WriteText(json, "release", incident.Release);
        WriteText(json, "taint", incident.Taint);
        WriteText(json, "hardware", incident.Hardware);
        WriteText(json, "panic", incident.PanicText);
        WriteText(json, "code", incident.Code);
        WriteNumber(json, "owner", incident.Owner);
        WriteText(json, "fault_address", incident.FaultAddress is { } address ? $"0x{address:x}" : null);
        WriteText(json, "error_code", incident.ErrorCode is { } code ? $"0x{code:x}" : null);
        if (incident.Registers.Count > 0)
        {
            json.WriteStartObject("registers");
            foreach ((string name, ulong value) in incident.Registers)
                json.WriteString(name, $"0x{value:x}");
            json.WriteEndObject();
        }
        json.WriteStartArray("trace");
        foreach (LogFrame frame in incident.Trace)
            json.WriteStringValue(frame.ToString());
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, int? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
    }

    private static void WriteText(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }

    private static string Where(Incident cause)
    {
        string time = cause.Time is { } at ? $", {Seconds(at)} after boot" : "";
        string cpu = cause.Cpu is { } number ? $", CPU {number}" : "";
        string process = cause.Pid is { } pid ? $", {Printable(cause.Comm ?? "?")} (PID {pid})" : "";
        string release = cause.Release is { } kernel ? $", kernel {Printable(kernel)}" : "";
        return $"line {cause.FirstLine}{time}{cpu}{process}{release}";
    }

    private static string Seconds(TimeSpan time) => $"{(time.Ticks / TimeSpan.TicksPerMicrosecond / 1e6).ToString("0.000000", CultureInfo.InvariantCulture)} s";

    private static string Name(IncidentSeverity severity) => severity switch
    {
        IncidentSeverity.Crash => "crash",
        IncidentSeverity.Error => "error",
        IncidentSeverity.Warning => "warning",
        _ => "notice",
    };

    // What a terminal would obey is shown, not sent.
    private static string Printable(string text)
    {
        var shown = new StringBuilder(Math.Min(text.Length, LongestLine));
        foreach (char c in text.Length > LongestLine ? text.AsSpan(0, LongestLine) : text)
        {
            if (char.IsControl(c))
                shown.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
            else
                shown.Append(c);
        }
        return shown.ToString();
    }
}
