using System.Text.Json;
using Netdump.Client.Commands;
using Netdump.Vmcore.Tests;
using static Netdump.Client.Tests.Commands.CapturedRun;

namespace Netdump.Client.Tests.Commands;

/// <summary><c>netdump info</c> and <c>netdump read</c> as an operator types them.</summary>
[Collection("console")] // its tests take the output of the process
public sealed class DumpCommandTests : IDisposable
{
    private readonly string _dump = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public DumpCommandTests() => File.WriteAllBytes(_dump, SyntheticDump.Make("first words", "last words"));

    [Fact]
    public void Info_says_what_a_dump_is()
    {
        (int exit, string output, _) = Run("info", _dump);
        Assert.Equal(0, exit);
        Assert.Contains("format        ELF core\n", output, StringComparison.Ordinal);
        Assert.Contains("complete      yes\n", output, StringComparison.Ordinal);
        Assert.Contains("x86_64, 2 processors with registers", output, StringComparison.Ordinal);
        Assert.Contains("memory        192 pages of 4096 bytes, 768 KiB\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Info_of_a_real_dump_in_JSON()
    {
        (int exit, string output, _) = Run("info", "--json", SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31"));
        Assert.Equal(0, exit);
        JsonElement json = JsonDocument.Parse(output).RootElement;
        Assert.Equal("kdump-compressed", json.GetProperty("format").GetString());
        Assert.Equal("zlib", json.GetProperty("codecs")[0].GetString());
        Assert.Equal(31, json.GetProperty("dump_level").GetInt32());
        Assert.StartsWith("6.1.0-", json.GetProperty("kernel").GetString(), StringComparison.Ordinal);
        Assert.True(json.GetProperty("complete").GetBoolean());
        JsonElement pages = json.GetProperty("pages");
        Assert.Equal((89979, 23167, 6488, 66812, 0), (Count("memory"), Count("stored"), Count("zero"), Count("left_out"), Count("lost")));

        int Count(string kind) => pages.GetProperty(kind).GetInt32();
    }

    [Fact]
    public void Info_tells_pages_by_kind_when_asked()
    {
        (int exit, string output, _) = Run("info", "--kinds", SharedData.FullCore);
        Assert.Equal(0, exit);
        Assert.Contains("  of it free  29027 pages of 4096 bytes, 113.4 MiB\n", output, StringComparison.Ordinal);
        Assert.Contains("  of it private cache 1996 pages", output, StringComparison.Ordinal);
        JsonElement kinds = JsonDocument.Parse(Run("info", "--kinds", "--json", SharedData.FullCore).Output).RootElement.GetProperty("kinds");
        Assert.Equal((29027, 10245, 2048), (kinds.GetProperty("free").GetInt32(), kinds.GetProperty("user").GetInt32(), kinds.GetProperty("offline").GetInt32()));
        Assert.Equal(0, kinds.GetProperty("unknown").GetArrayLength());
        Assert.DoesNotContain("kinds", Run("info", "--json", _dump).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Info_of_a_dump_cut_short_says_so()
    {
        File.WriteAllBytes(_dump, File.ReadAllBytes(_dump)[..^20000]);
        (int exit, string output, _) = Run("info", _dump);
        Assert.Equal(0, exit);
        Assert.Contains("complete      no: it has ", output, StringComparison.Ordinal);
        Assert.Contains("pages are lost", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_prints_memory_by_physical_address()
    {
        (int exit, string output, _) = Run("read", _dump, "0x0", "32", "--physical");
        Assert.Equal(0, exit);
        Assert.Matches("^0000000000000000: ([0-9a-f]{4} ){8} .{16}\n0000000000000010: ", output);
        (exit, output, _) = Run("read", _dump, "0", "0x10", "--physical", "--json");
        Assert.Equal((0, 16, 32, true), (exit, Json("length").GetInt32(), Json("hex").GetString()!.Length, Json("complete").GetBoolean()));

        JsonElement Json(string name) => JsonDocument.Parse(output).RootElement.GetProperty(name);
    }

    [Fact]
    public void User68_a_text_log_is_analysed_like_a_dumps_log()
    {
        string dump = Run("dmesg", SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31"), "--analyse").Output;
        Assert.StartsWith(
            "title      kernel panic: sysrq triggered crash\nclass      sysrq, asked for\n"
            + "signature  c387c617f6670a05  v1|sysrq|sysrq_handle_crash|__handle_sysrq|write_sysrq_trigger\n"
            + "where      line 399, 12.358416 s after boot, CPU 0, init (PID 1), kernel 6.1.0-56-amd64\n", dump, StringComparison.Ordinal);
        (int exit, string text, _) = Run("dmesg", "--analyse", SharedData.File("linux-6.1-sysrq", "dmesg.txt"));
        Assert.Equal((0, dump), (exit, text));
        JsonElement json = JsonDocument.Parse(Run("dmesg", "--analyse", "--json", SharedData.File("linux-6.1-sysrq", "dmesg.txt")).Output).RootElement;
        Assert.True(json.GetProperty("deliberate").GetBoolean());
        Assert.Equal("c387c617f6670a05", json.GetProperty("signature").GetProperty("id").GetString());
        Assert.Equal("init", json.GetProperty("incidents")[0].GetProperty("comm").GetString());
    }

    [Fact]
    public void Dmesg_prints_the_log_in_all_its_forms()
    {
        File.WriteAllBytes(_dump, SyntheticDump.Make("first words", "two\nlines", "euro \u20ac and \u001b[2J"));
        Assert.Equal(
            (0, "[    0.000001] first words\n[    0.000002] two\n[    0.000002] lines\n[    0.000003] euro \u20ac and \\x1b[2J\n", ""), Run("dmesg", _dump));
        Assert.StartsWith(
            "kern  :emerg : [    0.000001] [    T0] first words\nkern  :emerg : [    0.000002] [    T0] two\nkern  :emerg : [    0.000002] [    T0] lines\n",
            Run("dmesg", "-x", _dump).Output, StringComparison.Ordinal);
        Assert.Contains("[    0.000002] [      T0] two\n                          lines\n", Run("dmesg", "--format", "makedumpfile", _dump).Output, StringComparison.Ordinal);
        Assert.Contains("[    0.000003] euro ... and .[2J\n", Run("dmesg", "--format", "crash", _dump).Output, StringComparison.Ordinal);
        JsonElement[] json = [.. Run("dmesg", "--json", _dump).Output.TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement)];
        Assert.Equal(["first words", "two\nlines", "euro \u20ac and \u001b[2J"], json.Select(j => j.GetProperty("text").GetString()));
        Assert.Equal((1, 1000, "T0"), (json[0].GetProperty("sequence").GetInt32(), json[0].GetProperty("nanoseconds").GetInt32(), json[0].GetProperty("caller").GetString()));
    }

    [Fact]
    public void Dmesg_marks_what_is_torn()
    {
        LogPrinter printer = new(LogFormat.Dmesg, decode: false, Vmcore.Machines.X64);
        Vmcore.Log.LogRecord record = new(7, 5_000_000_000, 0, 6, 0, 1, "half a te"u8.ToArray(), null, null);
        Assert.Equal("[    5.000000] half a te <the rest of this record is lost>\n", Print(record with { Damage = Vmcore.Log.RecordDamage.Cut }));
        Assert.Equal("[    5.000000] <this record's text is lost>\n", Print(record with { Text = default, Damage = Vmcore.Log.RecordDamage.Lost }));
        Assert.Contains("\"damage\":\"cut\"", System.Text.Encoding.UTF8.GetString(new LogPrinter(LogFormat.Json, false, 62).Print(record with { Damage = Vmcore.Log.RecordDamage.Cut })), StringComparison.Ordinal);

        string Print(Vmcore.Log.LogRecord torn) => System.Text.Encoding.UTF8.GetString(printer.Print(torn));
    }

    [Theory]
    [InlineData("read FILE 100000000 16 --physical", "physical address 0x100000000: page 0x100000 is no memory")]
    [InlineData("read FILE 123456789 16", "0x123456789")]
    [InlineData("info /nonexistent", "/nonexistent")]
    [InlineData("info /dev/null", "/dev/null: not an ELF core but empty")]
    public void What_cannot_be_read_is_exit_code_1_and_one_line(string line, string message)
    {
        (int exit, _, string error) = Run([.. line.Split(' ').Select(w => w == "FILE" ? _dump : w)]);
        Assert.Equal(1, exit);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Equal(1, error.Count(c => c == '\n'));
    }

    /// <summary>crash's log -T and log -m of a real dump, of which the dump itself says when it booted.</summary>
    [Theory]
    [InlineData("--time", "log_-T.txt")]
    [InlineData("--level", "log_-m.txt")]
    public void User20_dates_and_levels_are_crashs(string option, string golden)
    {
        string dump = SharedData.File("linux-6.1-sysrq-4level", "vmcore.kdump"), expected = File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", "golden/" + golden));
        Assert.Equal(expected, Run("dmesg", "--format", "crash", option, dump).Output);
        string[] ours = Run("dmesg", option, dump).Output.Split('\n'), theirs = expected.Split('\n');
        Assert.Equal(theirs.Length, ours.Length);
        // crash reckons from the first tick, which comes a second late here.
        Assert.StartsWith(option == "--time" ? "[Mon Nov 23 02:41:45 UTC 2026] Command line: " : "[    0.000000] <6>Command line: ", ours[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("read FILE xyz 16", "xyz")]
    [InlineData("read FILE 0 0", "number of bytes")]
    [InlineData("read FILE 0", "LENGTH")]
    [InlineData("info", "FILE")]
    [InlineData("dmesg FILE --format json", "json")]
    [InlineData("dmesg FILE --json --format crash", "--format")]
    [InlineData("dmesg FILE --analyse --decode", "--analyse")]
    [InlineData("dmesg FILE --analyse --time", "--analyse")]
    [InlineData("dmesg FILE --json --level", "--level")]
    [InlineData("dmesg FILE --format makedumpfile --time", "--time")]
    public void Wrong_usage_is_exit_code_2(string line, string word)
    {
        (int exit, _, string error) = Run([.. line.Split(' ').Select(w => w == "FILE" ? _dump : w)]);
        Assert.Equal(2, exit);
        Assert.Contains(word, error, StringComparison.OrdinalIgnoreCase);
    }

    public void Dispose() => File.Delete(_dump);
}
