using System.CommandLine;

namespace Netdump.Client.Commands;

/// <summary><c>netdump info</c>: what a dump is, and whether all of it is there.</summary>
internal static class InfoCommand
{
    private const string Examples = """
        netdump info vmcore
        netdump info vmcore --kinds                     what each dump level would leave out
        netdump info vmcore.zst --json | jq .pages
        netdump info vmcore --taint                     letters and words alone
        netdump info vmcore --format crash              the lines crash begins with
        netdump info part1 part2 part3                  the files of a split dump
        ssh host cat /var/crash/flat | netdump info -
        """;

    public static Command Create()
    {
        var files = DumpArgument.OneOrSplit();
        var kinds = new Option<bool>("--kinds") { Description = "Also pages by what the kernel used them for: reads all page structures" };
        var taint = new Option<bool>("--taint", "-t") { Description = "Only what tainted the kernel, one letter a line with its words" };
        var (format, json) = (KernelArgument.Format(), KernelArgument.Json());
        var command = new CommandWithExamples(
            "info", "Says of which kernel, host and time a dump is, how it is stored, and whether it is complete. Exit code 0 for each that opens.", Examples)
        {
            files, kinds, taint, format, json,
        };
        command.SetAction(p =>
        {
            var paths = p.GetRequiredValue(files);
            using var file = DumpArgument.Open(paths);
            var summary = DumpSummary.Of(file, p.GetValue(kinds) ? StoredKinds.Of(file, DumpArgument.IsMapped(paths[0])) : null);
            if (p.GetValue(taint) || p.GetValue(format) is not null)
            {
                var inside = summary.Inside ?? throw new ClientException($"{paths[0]}: the dead kernel's memory cannot be read");
                if (p.GetValue(taint))
                    WriteTaint(inside, Console.Out);
                else
                    InfoAsCrash.Write(Console.Out, file, summary, inside);
                return 0;
            }
            Console.Out.WriteLine(p.GetValue(json) ? summary.ToJson() : summary.ToString());
            return 0;
        });
        return command;
    }

    private static void WriteTaint(KernelSummary inside, TextWriter output)
    {
        foreach (var flag in inside.Taint ?? throw new ClientException("what tainted the kernel is not in the dump"))
            output.WriteLine($"{flag.Letter}  {flag.Words}");
    }
}
