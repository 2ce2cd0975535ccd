using System.Text.Json;
using System.Text.Json.Nodes;
using Netdump.Vmcore.Tests;

namespace Netdump.Client.Tests.Commands;

[Collection("console")] // its tests take the output of the process
public class ReportCommandTests
{
    private static readonly string Dump = SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump");

    [Fact]
    public void Text_by_default_one_page_with_html_and_everything_with_json()
    {
        var text = CapturedRun.Run("report", Dump);
        Assert.Equal(0, text.Exit);
        Assert.StartsWith("VERDICT   Crashed on purpose: init (PID 1) wrote to /proc/sysrq-trigger.", text.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', text.Output);
        var html = CapturedRun.Run("report", Dump, "--html");
        Assert.StartsWith("<!doctype html>", html.Output, StringComparison.Ordinal);
        Assert.EndsWith("</html>\n", html.Output, StringComparison.Ordinal);
        Assert.Equal(2, CapturedRun.Run("report", Dump, "--html", "--json").Exit);
    }

    [Fact]
    public void User66_each_form_of_a_dump_gives_the_same_report_but_for_its_quality()
    {
        string scratch = Directory.CreateTempSubdirectory("netdump-report-").FullName;
        try
        {
            var expected = Report(Dump);
            foreach (var (name, options) in new[]
            {
                ("zstd", (string[])["-d", "31"]), ("zlib", ["-d", "31", "--compress", "zlib"]), ("elf", ["-d", "31", "--format", "elf"]), ("flat", ["-d", "31", "--format", "flattened"]),
            })
            {
                string path = Path.Combine(scratch, name);
                var run = CapturedRun.Run(["filter", .. options, Dump, path]);
                Assert.True(run.Exit == 0, run.Error);
                Assert.Equal(expected, Report(path));
            }
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    [Fact]
    public void A_file_that_is_no_dump_is_one_line_and_exit_code_1()
    {
        var run = CapturedRun.Run("report", SharedData.File("linux-6.1-sysrq-4level", "dmesg.txt"));
        Assert.Equal(1, run.Exit);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(run.Output);
    }

    [Fact]
    public void User70_a_dump_that_cannot_be_read_is_an_error_and_no_other_source_is_looked_at()
    {
        string scratch = Directory.CreateTempSubdirectory("netdump-report-").FullName;
        try
        {
            string path = Path.Combine(scratch, "vmcore");
            Assert.Equal(1, CapturedRun.Run("report", path).Exit);
            File.WriteAllText(path, "");
            foreach (string command in (string[])["report", "bt", "ps", "dmesg", "mod", "kmem", "info"])
            {
                var run = CapturedRun.Run(command, path);
                Assert.Equal(1, run.Exit);
                Assert.Contains(path, run.Error, StringComparison.Ordinal);
                Assert.Empty(run.Output);
            }
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static string Report(string path)
    {
        var run = CapturedRun.Run("report", path, "--json");
        Assert.True(run.Exit == 0, run.Error);
        JsonObject report = JsonNode.Parse(run.Output)!.AsObject();
        report.Remove("quality");
        return report.ToJsonString(new JsonSerializerOptions { WriteIndented = true });
    }
}
