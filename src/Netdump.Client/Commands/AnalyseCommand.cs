using System.Buffers;
using System.CommandLine;
using System.Text.Json;
using Netdump.Client.Confinement;
using Netdump.Kernel.Report;
using Netdump.Vmcore;
using Netdump.Vmcore.Log;

namespace Netdump.Client.Commands;

/// <summary>
/// <c>netdump analyse DIRECTORY</c>, which the server starts for each crash: confines itself, then writes report.json and report.txt beside the
/// dump and says the crash's title on one line.
/// </summary>
internal static class AnalyseCommand
{
    private static readonly string[] Dumps = ["vmcore", "vmcore-incomplete"];

    public static Command Create()
    {
        var directory = new Argument<string>("DIRECTORY") { Description = "A crash's directory, with a vmcore or a vmcore-incomplete" };
        var command = new Command("analyse", "Writes report.json and report.txt of a crash's directory. The server starts this; people say netdump report.")
        {
            directory,
        };
        command.Hidden = true;
        command.SetAction(p => Run(Path.GetFullPath(p.GetRequiredValue(directory))));
        return command;
    }

    private static int Run(string directory)
    {
        string? path = Dumps.Select(name => Path.Combine(directory, name)).FirstOrDefault(File.Exists);
        string upload = Path.Combine(directory, "upload.json");
        if (path is null && !File.Exists(upload))
            throw new ClientException($"{directory} holds no vmcore", "name a crash's directory");
        if (AnalysisConfinement.Enter(directory) is { } complaint)
            Console.Error.WriteLine($"netdump: {complaint}");

        using VmcoreFile? dump = path is null ? null : DumpArgument.Explain(path, () => VmcoreFile.Open(path));
        string log = Path.Combine(directory, "log");
        CrashReport report = ReportCommand.Build(dump, ReadLog(log));
        report = UploadRecord.Read(upload) is { } record ? record.Complete(report, hasDump: dump is not null) : report;
        if (dump is not null && (!File.Exists(log) || new FileInfo(log).Length == 0))
            WriteLog(log, dump);
        Replace(Path.Combine(directory, "report.txt"), output =>
        {
            using StreamWriter text = new(output, leaveOpen: true) { NewLine = "\n" };
            ReportText.Write(text, report);
        });
        Replace(Path.Combine(directory, "report.json"), output => ReportJson.Write(output, report));
        Console.WriteLine(JsonEncodedText.Encode(report.Title) + $" ({report.Signature.Id})");
        return 0;
    }

    // A dump that somebody uploaded by itself: its ring is all the log there is.
    private static void WriteLog(string path, VmcoreFile dump)
    {
        try
        {
            ArrayBufferWriter<byte> text = new();
            foreach (LogRecord record in dump.ReadLog())
                ToolLogText.WriteMakedumpfile(text, record, dump.Machine);
            Replace(path, output => output.Write(text.WrittenSpan));
        }
        catch (Exception e) when (e is VmcoreFormatException or IOException)
        {
            // The report says that it could not be read.
        }
    }

    // The console's lines stand for the dead kernel's ring where that is not in the dump.
    private static FileStream? ReadLog(string path) => File.Exists(path) ? File.OpenRead(path) : null;

    // A reader sees the old report or the new one, and report.json comes last: where it is, report.txt is.
    private static void Replace(string path, Action<Stream> write)
    {
        string fresh = path + ".new";
        FileStreamOptions options = new()
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (FileStream output = new(fresh, options))
        {
            write(output);
            output.Flush(flushToDisk: true);
        }
        File.Move(fresh, path, overwrite: true);
    }
}
