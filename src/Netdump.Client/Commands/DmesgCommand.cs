using System.CommandLine;
using System.Text;
using Netdump.Kernel.Incidents;
using Netdump.Vmcore;
using Netdump.Vmcore.Log;

namespace Netdump.Client.Commands;

/// <summary><c>netdump dmesg</c>: the dead kernel's log, out of a dump.</summary>
internal static class DmesgCommand
{
    private const int Batch = 64 << 10;

    private const string Examples = """
        netdump dmesg vmcore | less
        netdump dmesg vmcore --time                     dates (UTC) instead of seconds since boot
        netdump dmesg vmcore.zst -x | grep ':err'
        netdump dmesg vmcore --json | jq -r 'select(.level < 4) | .text'
        netdump dmesg vmcore --analyse                  what crashed, and every incident in the log
        netdump dmesg console.log --analyse --json      the same of a text: a serial console's, dmesg's, netconsole's
        netdump dmesg vmcore --format makedumpfile      as makedumpfile --dump-dmesg prints it
        """;

    public static Command Create()
    {
        var files = DumpArgument.OneOrSplit();
        var format = new Option<LogFormat>("--format", "-f")
        {
            Description = "As the kernel's own dmesg prints, or byte for byte as other tools do",
            HelpName = "dmesg|makedumpfile|crash",
            DefaultValueFactory = _ => LogFormat.Dmesg,
        };
        format.AcceptOnlyFromAmong(StringComparer.Ordinal, "dmesg", "makedumpfile", "crash");
        var decode = new Option<bool>("--decode", "-x") { Description = "Facility, level and caller before each line" };
        var time = new Option<bool>("--time", "-T") { Description = "Dates (UTC) instead of seconds since boot" };
        var level = new Option<bool>("--level", "-m") { Description = "The level, <0> to <7>, before each text" };
        var uncommitted = new Option<bool>("--uncommitted") { Description = "Also records whose writer died inside, marked" };
        var analyse = new Option<bool>("--analyse") { Description = "What crashed and which incidents the log tells of, instead of the log; FILE may be a text, too" };
        var json = new Option<bool>("--json") { Description = "One JSON object a record and line; with --analyse one for all" };
        var command = new CommandWithExamples(
            "dmesg", "Prints the dead kernel's log, found by nothing but what is in the dump. Torn records are marked. Exit code 1 when there is no log.", Examples)
        {
            files, format, decode, time, level, uncommitted, analyse, json,
        };
        command.Validators.Add(r =>
        {
            if ((r.GetValue(json) || r.GetValue(decode)) && r.GetValue(format) != LogFormat.Dmesg)
                r.AddError("--json and --decode are forms of their own: leave --format out.");
            if ((r.GetValue(time) || r.GetValue(level)) && (r.GetValue(json) || r.GetValue(format) == LogFormat.Makedumpfile))
                r.AddError("--time and --level are of dmesg's form and crash's; --json has the times and levels as numbers.");
            if (r.GetValue(analyse) && (r.GetValue(decode) || r.GetValue(time) || r.GetValue(level) || r.GetValue(uncommitted) || r.GetValue(format) != LogFormat.Dmesg))
                r.AddError("--analyse prints no records: leave --decode, --time, --level, --uncommitted and --format out.");
        });
        command.SetAction(p =>
        {
            var paths = p.GetRequiredValue(files);
            if (p.GetValue(analyse))
            {
                var log = LogText.Analyse(paths);
                if (p.GetValue(json))
                    WriteJson(log);
                else
                    LogAnalysisPrinter.Print(log, Console.Out);
                return 0;
            }
            using var dump = DumpArgument.Open(paths);
            var records = DumpArgument.Explain(string.Join(", ", paths), dump.OpenLog).Records(p.GetValue(uncommitted));
            var printer = new LogPrinter(p.GetValue(json) ? LogFormat.Json : p.GetValue(format), p.GetValue(decode), dump.Machine)
            {
                Booted = p.GetValue(time) ? Booted(dump, paths, p.GetValue(format)) : null,
                WithLevel = p.GetValue(level),
            };
            Print(records, printer, Console.Out);
            return 0;
        });
        return command;
    }

    private static DateTimeOffset Booted(VmcoreFile dump, IReadOnlyList<string> paths, LogFormat format)
    {
        var kernel = KernelArgument.Open(dump, string.Join(", ", paths));
        var clock = kernel.Facts.Clock;
        return (format == LogFormat.Crash ? clock.BootedByTicks : clock.Booted) ?? throw KernelArgument.Absent(kernel, "when the kernel booted");
    }

    private static void WriteJson(LogAnalysis log)
    {
        using var text = new MemoryStream();
        LogAnalysisPrinter.PrintJson(log, text);
        Console.Out.Write($"{Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length)}\n");
    }

    // Every form is UTF-8, most of it ASCII. Many records at a time: the console's writer makes a call of each.
    private static void Print(IEnumerable<LogRecord> records, LogPrinter printer, TextWriter output)
    {
        var text = new StringBuilder();
        foreach (var record in records)
        {
            text.Append(Encoding.UTF8.GetString(printer.Print(record)));
            if (text.Length < Batch)
                continue;
            output.Write(text);
            text.Clear();
        }
        output.Write(text);
    }
}
