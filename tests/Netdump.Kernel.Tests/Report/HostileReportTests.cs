using System.Diagnostics;
using CsCheck;
using Netdump.Kernel.Report;
using Netdump.Vmcore;
using Netdump.Vmcore.Elf;

namespace Netdump.Kernel.Tests.Report;

/// <summary>Dumps that lack what a report is made of, or were changed on purpose: the report says what could not be read and goes on.</summary>
public class HostileReportTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    // Bytes of the kernel's image are overwritten in a copy of an ELF core, where they lie as they were in memory.
    private static CrashReport Overwritten(params string[] what)
    {
        string copy = Path.GetTempFileName();
        try
        {
            File.Copy(Crashes.Linux73, copy, overwrite: true);
            CrashedKernel kernel = Crashes.Open(Crashes.Linux73);
            using (kernel.Dump)
            using (FileStream file = new(copy, FileMode.Open, FileAccess.Write))
                foreach (var name in what)
                {
                    var (start, length) = Place(kernel, name);
                    for (var at = start & ~0xfffUL; at < start + length; at += 4096)
                    {
                        Assert.True(kernel.Memory.TryTranslateImage(at, out var physical));
                        file.Position = ((ElfMemory)kernel.Dump.Physical).Locate(physical / 4096);
                        var from = Math.Max(at, start);
                        file.Position += (long)(from - at);
                        file.Write(new byte[Math.Min(4096 - (from - at), start + length - from)]);
                    }
                }
            return RealReports.Of(copy);
        }
        finally
        {
            File.Delete(copy);
        }
    }

    private static (ulong Start, ulong Length) Place(CrashedKernel kernel, string name)
    {
        ulong At(string symbol) => kernel.Symbols!.TryFind(symbol, out var address) ? address : throw new InvalidOperationException(symbol);
        return name switch
        {
            "BTF" => (At("__start_BTF"), At("__stop_BTF") - At("__start_BTF")),
            "ORC" => (At("__start_orc_unwind_ip"), At("__stop_orc_unwind") - At("__start_orc_unwind_ip")),
            "kallsyms" => (At("kallsyms_num_syms"), At("kallsyms_seqs_of_names") - At("kallsyms_num_syms")),
            _ => throw new ArgumentException(name),
        };
    }

    [Fact]
    public void User10_without_btf_title_log_and_stack_are_there_and_what_is_missing_is_said()
    {
        CrashReport report = Overwritten("BTF");
        Assert.Equal(RealReports.Linux73.Title, report.Title);
        Assert.Equal(RealReports.Linux73.Signature.Id, report.Signature.Id);
        Assert.Equal("7.3.4+deb13-amd64", report.Kernel.Release);
        Assert.NotEmpty(report.Log.Tail);
        Assert.Contains(report.Quality.Missing, m => m.What.Contains("types", StringComparison.Ordinal));
        Assert.Equal("", ReportSchema.Complaints(RealReports.Json(report)));
    }

    [Fact]
    public void Item22_without_orc_stacks_are_searched_and_their_frames_marked()
    {
        CrashReport report = Overwritten("ORC");
        Assert.Equal(RealReports.Linux73.Signature.Id, report.Signature.Id); // by the log
        Assert.NotEqual("orc", report.Quality.Unwinder);
        Assert.Equal(RealReports.Linux73.Tasks.Count, report.Tasks.Count);
        Assert.All(report.Tasks.SelectMany(t => t.Stack).Where(f => f.Trust == "scan"), f => Assert.False(f.Reliable));
        Assert.Contains(report.Tasks.SelectMany(t => t.Stack), f => f.Trust == "scan");
    }

    [Fact]
    public void Item59_without_kallsyms_btf_and_orc_there_are_log_notes_and_a_list_of_what_is_missing()
    {
        CrashReport report = Overwritten("BTF", "ORC", "kallsyms");
        Assert.Equal(RealReports.Linux73.Title, report.Title);
        Assert.Equal(RealReports.Linux73.Signature.Id, report.Signature.Id);
        Assert.Contains(report.Quality.Missing, m => m.What.Contains("symbols", StringComparison.Ordinal));
        Assert.Equal("none", report.Quality.Unwinder);
        Assert.Equal("7.3.4+deb13-amd64", report.Kernel.Release);
        Assert.Equal("", ReportSchema.Complaints(RealReports.Json(report)));
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void User11_a_dump_cut_in_the_middle_says_how_much_of_it_there_is(double share)
    {
        string cut = Path.GetTempFileName();
        try
        {
            var whole = File.ReadAllBytes(Crashes.Linux61FourLevel);
            File.WriteAllBytes(cut, whole[..(int)(whole.Length * share)]);
            CrashReport report = RealReports.Of(cut, RealReports.Golden("linux-6.1-sysrq-4level", "dmesg.txt"));
            Assert.False(report.Quality.Complete);
            Assert.InRange(report.Quality.Percent!.Value, (int)(share * 100) - 10, (int)(share * 100) + 10);
            Assert.Equal("c387c617f6670a05", report.Signature.Id);
            Assert.Contains($"incomplete: {report.Quality.Percent} %", RealReports.Text(report), StringComparison.Ordinal);
            Assert.Contains(report.Findings, f => f.Id == "dump-incomplete");
        }
        finally
        {
            File.Delete(cut);
        }
    }

    [Fact]
    public void User12_bytes_changed_at_random_end_no_report_with_an_exception_or_a_hang()
    {
        var whole = File.ReadAllBytes(Crashes.Linux61FourLevel);
        // Behind the headers: what is broken there is an error of its own, tested elsewhere.
        Gen.Select(Gen.Int[0x3000, whole.Length - 1], Gen.Byte).Array[1000].Sample(changes =>
        {
            var changed = whole.ToArray();
            foreach (var (at, value) in changes)
                changed[at] = value;
            string path = Path.GetTempFileName();
            try
            {
                File.WriteAllBytes(path, changed);
                var began = Stopwatch.GetTimestamp();
                CrashReport report = RealReports.Of(path);
                _ = RealReports.Text(report);
                return Stopwatch.GetElapsedTime(began) < Limit;
            }
            catch (VmcoreFormatException)
            {
                return true; // its notes or bitmaps were hit
            }
            finally
            {
                File.Delete(path);
            }
        }, iter: 12, threads: 1);
    }
}
