using System.CommandLine;
using System.Reflection;
using Netdump.Kernel.Report;
using Netdump.Vmcore;

namespace Netdump.Client.Commands;

/// <summary><c>netdump report</c>: what happened, out of a dump alone.</summary>
internal static class ReportCommand
{
    private const string Examples = """
        netdump report vmcore
        netdump report vmcore --json | jq -r '.title, .signature.id, (.findings[] | .text)'
        netdump report vmcore --json | jq '.tasks[] | select(.state == "D")'
        netdump report vmcore --html > report.html
        """;

    public static Command Create()
    {
        var files = DumpArgument.OneOrSplit();
        var json = new Option<bool>("--json") { Description = "All of it as JSON, by docs/report.schema.json" };
        var html = new Option<bool>("--html") { Description = "One self-contained page" };
        var command = new CommandWithExamples(
            "report", "Says what happened to the kernel of a dump: no debuginfo, no network, no root. Exit code 1 when the dump cannot be read.", Examples)
        {
            files, json, html,
        };
        command.Validators.Add(r =>
        {
            if (r.GetValue(json) && r.GetValue(html))
                r.AddError("--json and --html are two forms: say one.");
        });
        command.SetAction(p =>
        {
            using VmcoreFile dump = DumpArgument.Open(p.GetRequiredValue(files));
            CrashReport report = Build(dump);
            if (p.GetValue(json))
            {
                Console.Out.WriteLine(ReportJson.Text(report));
            }
            else if (p.GetValue(html))
            {
                ReportHtml.Write(Console.Out, report);
            }
            else
            {
                ReportText.Write(Console.Out, report);
            }
            return 0;
        });
        return command;
    }

    /// <summary>Makes the report of a dump.</summary>
    /// <param name="dump">The dump; null when there is only a log.</param>
    /// <param name="console">Console lines of the crash, which serve where the dump's own log cannot be read; closed here.</param>
    public static CrashReport Build(VmcoreFile? dump, Stream? console = null) => ReportBuilder.Build(dump, Tool, TimeProvider.System, console);

    private static string Tool { get; } =
        $"netdump {typeof(ReportCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]}";
}
