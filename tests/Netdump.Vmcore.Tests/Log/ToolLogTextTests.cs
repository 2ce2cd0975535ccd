using System.Buffers;
using System.Text;
using Netdump.Vmcore.Log;

namespace Netdump.Vmcore.Tests.Log;

/// <summary>The forms of other tools, against what those tools printed of real crashes.</summary>
public class ToolLogTextTests
{
    [Theory]
    [InlineData("linux-6.1-sysrq-4level", "vmcore.kdump")]
    [InlineData("linux-7.3-sysrq-full", "vmcore.elf.zst")]
    [InlineData("linux-6.12-arm64-sysrq", "vmcore.elf.zst")]
    public void Item58_the_log_equals_makedumpfiles_byte_for_byte(string crash, string dump)
    {
        using var file = Open(crash, dump);
        var output = new ArrayBufferWriter<byte>();
        foreach (var record in file.OpenLog().Records())
            ToolLogText.WriteMakedumpfile(output, record, file.Machine);
        Assert.Equal(File.ReadAllText(SharedData.File(crash, "dmesg.txt"), Encoding.Latin1), Encoding.Latin1.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Item58_without_callers_it_is_the_older_makedumpfiles()
    {
        using var file = Open("linux-6.1-sysrq", "vmcore.kdump-zlib-d31");
        var output = new ArrayBufferWriter<byte>();
        foreach (var record in file.OpenLog().Records())
            ToolLogText.WriteMakedumpfile(output, record with { HasCaller = false }, file.Machine);
        Assert.Equal(File.ReadAllText(SharedData.File("linux-6.1-sysrq", "dmesg.txt"), Encoding.Latin1), Encoding.Latin1.GetString(output.WrittenSpan));
    }

    [Theory]
    [InlineData("log.txt", false, false)]
    [InlineData("log_-T.txt", true, false)]
    [InlineData("log_-m.txt", false, true)]
    public void User20_the_log_equals_crashs_byte_for_byte(string golden, bool hasDates, bool hasLevels)
    {
        using var file = Open("linux-6.1-sysrq-4level", "vmcore.kdump");
        var output = new ArrayBufferWriter<byte>();
        foreach (var record in file.OpenLog().Records())
            ToolLogText.WriteCrash(output, record, hasDates ? new DateTimeOffset(2026, 11, 23, 2, 41, 46, TimeSpan.Zero) : null, hasLevels);
        Assert.Equal(File.ReadAllText(SharedData.File("linux-6.1-sysrq-4level", "golden/" + golden), Encoding.Latin1), Encoding.Latin1.GetString(output.WrittenSpan));
    }

    [Fact]
    public void A_time_stamp_that_no_kernel_gives_has_a_date_still() =>
        Assert.Equal("[Fri Dec 31 23:59:59 UTC 9999] ", ToolLogText.Date(new LogRecord { Nanoseconds = ulong.MaxValue }, DateTimeOffset.MaxValue));

    [Fact]
    public void User20_Item59_levels_equal_crashs()
    {
        using var file = Open("linux-6.1-sysrq-4level", "vmcore.kdump");
        var expected = File.ReadLines(SharedData.File("linux-6.1-sysrq-4level", "golden/log_-m.txt"), Encoding.Latin1)
            .Where(l => l.StartsWith('[')).Select(l => l[(l.IndexOf('<') + 1)..l.IndexOf('>')]);
        Assert.Equal(expected, file.ReadLog().Where(r => !r.Text.IsEmpty).Select(r => $"{r.Level}"));
    }

    [Theory]
    [InlineData("plain\ttext \\ kept", "plain\ttext \\ kept", "plain\ttext \\ kept")]
    [InlineData("two\nlines", "two\n                          lines", "two\n               lines")]
    [InlineData("bell \a and \u20ac", @"bell \x07 and \xffffffe2\xffffff82\xffffffac", "bell . and ...")]
    [InlineData("", "", "")] // printk("\n")
    [InlineData("", null, null, false)]
    public void The_two_forms_differ_in_callers_and_escapes(string text, string? makedumpfile, string? crash, bool hasBlock = true)
    {
        var record = new LogRecord(1, 12_345_678_999, 0, 6, 0, 0x80000001, Encoding.UTF8.GetBytes(text), null, null) { HasBlock = hasBlock, HasCaller = true };
        var output = new ArrayBufferWriter<byte>();
        ToolLogText.WriteMakedumpfile(output, record, Machines.X64);
        Assert.Equal(makedumpfile is null ? "" : $"[   12.345678] [      C1] {makedumpfile}\n", Encoding.UTF8.GetString(output.WrittenSpan));
        output.ResetWrittenCount();
        ToolLogText.WriteCrash(output, record);
        Assert.Equal(crash is null ? "" : $"[   12.345678] {crash}\n", Encoding.UTF8.GetString(output.WrittenSpan));
        output.ResetWrittenCount();
        ToolLogText.WriteMakedumpfile(output, record, Machines.Arm64); // where char has no sign
        Assert.DoesNotContain("\\xffffff", Encoding.UTF8.GetString(output.WrittenSpan), StringComparison.Ordinal);
    }

    private static VmcoreFile Open(string crash, string dump) =>
        VmcoreFile.Open(dump.EndsWith(".zst", StringComparison.Ordinal) ? SharedData.UnpackedPath(crash, dump) : SharedData.File(crash, dump));
}
