using System.Text.Json;
using CsCheck;
using Netdump.Kernel.Report;

namespace Netdump.Kernel.Tests.Report;

public class ReportFormTests
{
    /// <summary>A report that has something in every place.</summary>
    internal static CrashReport Example { get; } = new()
    {
        Tool = "netdump 0.1.0",
        Verdict = new("null-deref", Deliberate: false, "The kernel read through a null pointer in foo_poll.", "certain", "foo_poll"),
        Title = "BUG: unable to handle kernel NULL pointer dereference in foo_poll",
        Signature = new(1, "0123456789abcdef", "a title", ["foo!foo_poll", "bar"], "v1|null-deref|foo!foo_poll|bar", "null-deref", "null-deref|foo!foo_poll"),
        Host = new("web-17", "6dd9eff0-47df-44d4-964c-0a066a754abd", "QEMU Standard PC", "a processor"),
        Kernel = new()
        {
            Release = "6.1.0-56-amd64",
            Version = "#1 SMP",
            Machine = "x86_64",
            BuildId = "eb4fbcd037e7aabb",
            CommandLine = "ro quiet <b>",
            Taint = ["O", "E"],
            TaintWords = ["out-of-tree module (O)", "unsigned module (E)"],
            KaslrOffset = 0x200000,
            CrashKernel = 96 << 20,
        },
        Time = new(new DateTimeOffset(2026, 11, 23, 2, 41, 53, TimeSpan.Zero), new DateTimeOffset(2026, 11, 23, 2, 41, 45, TimeSpan.Zero), 7.86, [0.16, 0.03, 0.01]),
        Cpu = 1,
        Cpus = new(2, 4),
        PanicTask = new(1, 1, "init", "0xffff8e9b011f8000", new(1, "write", ["0x1", "0x9d33b70", "0x2"], "/proc/sysrq-trigger")),
        Panic = new()
        {
            Text = "BUG: kernel NULL pointer dereference, address: 0000000000000018",
            PanicText = "Kernel panic - not syncing: Fatal exception",
            Cpu = 1,
            Where = "foo_poll+0x2c",
            Registers = new Dictionary<string, string> { ["rip"] = "0xffffffff81890926" },
            Code = ["foo_poll+0x2c: mov rax,[rdi+18h]   <-- rdi+18h = 0x18"],
            Stack = [new("0xffffffff81890926", "foo_poll", 0x2c, "foo", true, "registers"), new("0xffffffff81890000", "bar", 1, null, false, "scan")],
        },
        Fault = new("0x18", "read", "0x18 bytes into a null pointer"),
        Stack = [new("0xffffffff81890926", "foo_poll", 0x2c, "foo", true, "registers"), new("0x401158", null, null, null, true, "user")],
        Findings = [new("fault-null", "critical", "The fault address is a null pointer.", new Dictionary<string, string> { ["address"] = "0x18" }, "netdump bt")],
        CpuList = [new(0, "user", 130, "yes", 0.308, 1, null), new(1, "crash", 1, "init", 0.1, 2, "foo_poll"), .. Enumerable.Range(2, 9).Select(i => new ReportProcessor(i, "idle", 0, "swapper", 1, 0, null))],
        TaskSummary = new(61, 61, new Dictionary<string, int> { ["R"] = 5, ["S"] = 19, ["D"] = 2 }, [new(2, 130.5, "cat:12", "mutex foo_lock, held by dog:13", ["foo_lock", "bar"])]),
        Tasks = [new() { Pid = 1, Tgid = 1, Ppid = 0, Comm = "init", State = "R", Address = "0xffff8e9b011f8000", Cpu = 1, OnCpu = true, Flags = "0x400100", LastRunS = 0.1, WaitsFor = "x", StackEnd = "y" }],
        Memory = new() { Total = 179511296, Free = 144273408, Slab = 17645568, Cached = 1, Anonymous = 2, Shared = 3, Huge = 4, Largest = [new(1, "init", 1863680)] },
        Modules = [new("foo", "0xffffffffc0000000", 16384, "OE", "1.0", "ABC")],
        Mounts = [new("/", "ext4", "/dev/sda1", Frozen: true)],
        Network = [new("eth0", Up: true, ["10.0.2.15/24"])],
        Log = new(450, 7.85, [new("null-deref", "a title", 7.85, 449)], ["-4.29  e1000: link up", "0.00  BUG: kernel NULL pointer dereference"]),
        Quality = new() { Complete = false, Percent = 43, Level = 31, Pages = 20209, Unwinder = "orc", Seconds = 0.21, Missing = [new("mounts", "a page is not in the dump")] },
    };

    private static string Json(CrashReport report)
    {
        var output = new MemoryStream();
        ReportJson.Write(output, report);
        return System.Text.Encoding.UTF8.GetString(output.ToArray());
    }

    internal static string Text(CrashReport report)
    {
        var output = new StringWriter { NewLine = "\n" };
        ReportText.Write(output, report);
        return output.ToString();
    }

    private static string Html(CrashReport report)
    {
        var output = new StringWriter { NewLine = "\n" };
        ReportHtml.Write(output, report);
        return output.ToString();
    }

    [Fact]
    public void The_published_schema_is_that_of_the_types()
    {
        if (Environment.GetEnvironmentVariable("NETDUMP_UPDATE_SCHEMA") == "1")
            File.WriteAllText(ReportSchema.Path, ReportSchema.Make());
        Assert.Equal(ReportSchema.Make(), File.ReadAllText(ReportSchema.Path));
    }

    [Fact]
    public void User09_json_is_valid_by_the_published_schema_and_comes_back()
    {
        var json = Json(Example);
        Assert.Equal("", ReportSchema.Complaints(json));
        Assert.Equal(json, Json(ReportJson.Read(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(json)))));
        Assert.NotEqual("", ReportSchema.Complaints(json.Replace("\"schema\": 1", "\"schema\": \"one\"", StringComparison.Ordinal)));
        Assert.NotEqual("", ReportSchema.Complaints(json.Replace("\"pid\": 1,", "", StringComparison.Ordinal)));
        using var parsed = JsonDocument.Parse(json);
        Assert.Equal("0xffff8e9b011f8000", parsed.RootElement.GetProperty("tasks")[0].GetProperty("address").GetString());
        Assert.Equal(7.86, parsed.RootElement.GetProperty("time").GetProperty("uptime_s").GetDouble());
    }

    [Fact]
    public void User08_text_is_narrow_short_and_plain()
    {
        var lines = Text(Example).TrimEnd('\n').Split('\n');
        Assert.InRange(lines.Length, 20, 80);
        Assert.All(lines, line =>
        {
            Assert.InRange(line.Length, 0, 100);
            Assert.Equal(line.TrimEnd(), line);
            Assert.DoesNotContain(line, char.IsControl);
        });
    }

    [Fact]
    public void Everything_of_the_first_screen_is_there()
    {
        var text = Text(Example);
        foreach (var word in new[]
        {
            "VERDICT", "null pointer in foo_poll", "web-17", "6.1.0-56-amd64", "2026-11-23 02:41:53 UTC", "7.9 s after boot", "CPU 1", "init (PID 1)",
            "in write(0x1 </proc/sysrq-trigger>, ..)", "out-of-tree module", "foo_poll+0x2c [foo]", "[fault-null: address 0x18]", "9 CPUs idle", "yes (PID 130)",
            "2 D: cat:12, 2.2 min, mutex foo_lock", "137 of", "incomplete: 43 %", "not read: mounts", "1 critical",
        })
            Assert.Contains(word.Replace("137 of", "137 MiB of", StringComparison.Ordinal), text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_came_out_of_a_dump_is_no_markup_and_no_terminal_sequence()
    {
        var evil = Example with
        {
            Title = "<script>alert(1)</script>\e[31m",
            Verdict = Example.Verdict with { Text = "<img src=x>\e]0;x\a" },
            Log = Example.Log with { Tail = ["</pre><script>x</script>\e[2J"] },
            Kernel = Example.Kernel with { CommandLine = "\"><script>y</script>" },
        };
        var html = Html(evil);
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain('\e', Text(evil));
        Assert.Contains("Content-Security-Policy", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_is_wrapped_without_losing_a_word() =>
        Gen.String[Gen.Char["ab \t\u00e9"], 0, 400].Sample(words =>
        {
            var text = Text(Example with { Verdict = Example.Verdict with { Text = words } });
            var shown = string.Concat(text[..text.IndexOf("\nTITLE", StringComparison.Ordinal)].Where(c => !char.IsWhiteSpace(c)));
            return shown == "VERDICT" + string.Concat(words.Where(c => !char.IsWhiteSpace(c)));
        });
}
