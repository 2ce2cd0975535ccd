using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Netdump.Client.Send;

/// <summary>Shows how a dump goes: a bar on a terminal, a line every few seconds in a file, or JSON lines for programs.</summary>
/// <param name="output">Takes it.</param>
/// <param name="errors">Takes what happens besides.</param>
/// <param name="json">For programs.</param>
/// <param name="isTerminal">Whether <paramref name="output"/> is one.</param>
internal sealed class SendDisplay(TextWriter output, TextWriter errors, bool json, bool isTerminal)
{
    private readonly Lock _lock = new();
    private const int BarWidth = 24;
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(5);
    private readonly ArrayBufferWriter<byte> _json = new();
    private TimeSpan _sinceLine = LineInterval;
    private int _barLength;

    /// <summary>Shows one step; steps of progress come once a second.</summary>
    public void Show(SendProgress progress)
    {
        lock (_lock) ShowLocked(progress);
    }

    /// <summary>Shows what happens besides, a line; from any thread.</summary>
    public void Note(string note)
    {
        lock (_lock)
        {
            if (json)
            {
                WriteJson(w =>
                {
                    w.WriteString("event", "note");
                    w.WriteString("note", note);
                });
                return;
            }
            if (_barLength > 0)
            {
                output.Write($"\r{"".PadRight(_barLength)}\r");
                output.Flush();
                _barLength = 0;
            }
            errors.WriteLine($"netdump: {note}");
        }
    }

    private void ShowLocked(SendProgress progress)
    {
        if (json)
        {
            if (progress.Stage != SendStage.Ended)
                WriteJson(w => Describe(w, progress));
            return;
        }
        switch (progress.Stage)
        {
            case SendStage.Connecting:
                Line($"sending {progress.BytesTotal / ProgressText.MegaByte:0} MB to {progress.Target.Name}");
                break;
            case SendStage.Connected:
                Line($"{progress.Target.Name} answered{(progress.IsOurs ? "" : ": an original netdump server")}");
                break;
            case SendStage.Sending when isTerminal:
                Bar(progress);
                break;
            case SendStage.Sending:
                _sinceLine += TimeSpan.FromSeconds(1);
                if (_sinceLine < LineInterval)
                    break;
                _sinceLine = TimeSpan.Zero;
                Line(ProgressText.Of(progress));
                break;
            case SendStage.GivenUp:
                Line($"{progress.Target.Name} is given up{(progress.Reason is { } reason ? $": {reason}" : "")}");
                break;
        }
    }

    /// <summary>Shows the end.</summary>
    /// <param name="result">How it ended.</param>
    /// <param name="logTrouble">Why the log was not sent, or null.</param>
    public void End(SendResult result, string? logTrouble)
    {
        if (json)
        {
            WriteJson(w =>
            {
                w.WriteString("event", "end");
                w.WriteString("outcome", Name(result.Outcome));
                w.WriteString("server", result.Target.Name);
                w.WriteNumber("pages", result.PagesSent);
                w.WriteNumber("seconds", Math.Round(result.Elapsed.TotalSeconds, 3));
                if (result.Crash is not null)
                    w.WriteString("crash", result.Crash);
                if (result.Reason is not null)
                    w.WriteString("reason", result.Reason);
                if (logTrouble is not null)
                    w.WriteString("log_trouble", logTrouble);
            });
            return;
        }
        if (logTrouble is not null)
            Line($"without the kernel's log: {logTrouble}");
        if (result.Outcome == SendOutcome.NotWanted)
            Line($"done: {result.Target.Name} has log and tasks as {result.Crash}, and wants no more of it");
        else if (result.IsDone)
            Line($"done: {result.PagesSent} pages in {result.Elapsed.TotalSeconds:0.0} s{(result.Crash is null ? "" : $", kept as {result.Crash}")}");
        else if (_barLength > 0)
            Line("stopped");
    }

    private static void Describe(Utf8JsonWriter writer, SendProgress progress)
    {
        writer.WriteString("event", progress.Stage switch
        {
            SendStage.Connecting => "connecting",
            SendStage.Connected => "connected",
            SendStage.LogSent => "log-sent",
            SendStage.Sending => "progress",
            _ => "given-up",
        });
        writer.WriteString("server", progress.Target.Name);
        writer.WriteNumber("pages", progress.PagesSent);
        writer.WriteNumber("pages_total", progress.PagesTotal);
        writer.WriteNumber("bytes", progress.BytesSent);
        writer.WriteNumber("bytes_total", progress.BytesTotal);
        writer.WriteNumber("bytes_per_second", Math.Round(progress.BytesPerSecond));
        if (progress.TimeLeft is { } left)
            writer.WriteNumber("seconds_left", Math.Round(left.TotalSeconds, 1));
        if (progress.Outcome != SendOutcome.None)
            writer.WriteString("outcome", Name(progress.Outcome));
        if (progress.Reason is not null)
            writer.WriteString("reason", progress.Reason);
    }

    private static string Name(SendOutcome outcome) => outcome switch
    {
        SendOutcome.Rebooted or SendOutcome.Stored => "done",
        SendOutcome.Exited => "exited",
        SendOutcome.Refused => "refused",
        SendOutcome.NoAnswer => "no-answer",
        SendOutcome.PortClosed => "port-closed",
        SendOutcome.Unreachable => "unreachable",
        SendOutcome.Silent => "silent",
        SendOutcome.NotWanted => "not-wanted",
        SendOutcome.NoSpace => "no-space",
        SendOutcome.NotEnrolled => "not-enrolled",
        SendOutcome.WrongServerKey => "wrong-server-key",
        _ => "cancelled",
    };

    private void Bar(SendProgress progress)
    {
        var filled = progress.PagesTotal == 0 ? 0 : (int)(progress.PagesSent * BarWidth / progress.PagesTotal);
        var text = $"[{new string('#', filled)}{new string('.', BarWidth - filled)}] {ProgressText.Of(progress)}";
        output.Write($"\r{text.PadRight(_barLength)}");
        output.Flush();
        _barLength = text.Length;
    }

    private void Line(string text)
    {
        // Over the bar, if one stands in this line.
        output.WriteLine(_barLength > 0 ? $"\r{text.PadRight(_barLength)}" : text);
        output.Flush();
        _barLength = 0;
    }

    private void WriteJson(Action<Utf8JsonWriter> write)
    {
        _json.ResetWrittenCount();
        using (var writer = new Utf8JsonWriter(_json))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }
        output.WriteLine(Encoding.UTF8.GetString(_json.WrittenSpan));
        output.Flush();
    }
}
