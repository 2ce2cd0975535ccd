using System.Text.Json;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Tests;
using static Netdump.Client.Tests.Commands.CapturedRun;

namespace Netdump.Client.Tests.Commands;

/// <summary><c>netdump filter</c> as an operator types it.</summary>
[Collection("console")] // its tests take the output of the process
public sealed class FilterCommandTests : IDisposable
{
    private const string Crash = "linux-7.3-sysrq-full";
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-filter").FullName;

    [Theory]
    [InlineData("", "kdump", "zstd")]
    [InlineData("--compress zlib --level 3 --threads 1", "kdump", "zlib")]
    [InlineData("--level -5", "kdump", "zstd")]
    [InlineData("--compress none", "kdump", "none")]
    [InlineData("--format elf", "elf", "none")]
    [InlineData("--format flattened", "flattened", "zstd")]
    public void A_dump_becomes_a_smaller_one_with_exactly_the_pages_of_the_level(string options, string format, string codec)
    {
        var output = Path.Combine(_directory, "out");
        (int exit, string said, string complained) = Run(["filter", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries), SharedData.FullCore, output, "--json"]);
        Assert.Equal((0, ""), (exit, complained));
        JsonElement json = JsonDocument.Parse(said).RootElement;
        Assert.Equal((31, format, codec), (json.GetProperty("dump_level").GetInt32(), json.GetProperty("format").GetString(), json.GetProperty("codec").GetString()));
        Assert.Equal(77695, json.GetProperty("memory_pages").GetInt32());
        Assert.Equal(29027, json.GetProperty("excluded").GetProperty("free").GetInt32());
        Assert.Equal(0, json.GetProperty("source_lacks").GetInt32());
        Assert.InRange(json.GetProperty("saved_share").GetDouble(), 0.7, 1);
        Assert.Equal(0, json.GetProperty("kept").GetArrayLength());

        using VmcoreFile written = VmcoreFile.Open(output), source = VmcoreFile.Open(SharedData.FullCore);
        Assert.True(written.IsComplete);
        byte[] keeps = SharedData.Unpacked(Crash, "keeps-d31.bin.zst");
        byte[] expected = new byte[4096], page = new byte[4096];
        foreach (PageRange range in source.Physical.Ranges)
        {
            for (ulong pfn = range.First; pfn < range.End; pfn++)
            {
                bool isKept = (keeps[pfn / 8] >> (int)(pfn % 8) & 1) != 0;
                PageState state = written.Physical.ReadInPage(pfn, 0, page);
                // An ELF core fills small gaps with zeros and cannot tell them from zero pages.
                if (format != "elf")
                    Assert.Equal(isKept ? PageState.Present : PageState.Excluded, state);
                if (!isKept)
                    continue;
                source.Physical.ReadInPage(pfn, 0, expected);
                Assert.True(expected.AsSpan().SequenceEqual(page), $"page 0x{pfn:x} differs");
            }
        }
    }

    [Fact]
    public void The_result_says_what_was_left_out_and_how_much_is_saved()
    {
        (int exit, string said, _) = Run("filter", "-d", "24", SharedData.FullCore, Path.Combine(_directory, "out"));
        Assert.Equal(0, exit);
        Assert.Matches(@"^kept +36375 of 77695 pages, \d+ of them zero\nleft out +29027 free, 10245 user, 2048 offline\nwritten +[\d.]+ MiB for 303.5 MiB of memory: \d\d\.\d % saved, [\d.]+ s\n$", said);
    }

    [Fact]
    public void A_filtered_dump_filtered_again_loses_nothing_more()
    {
        string first = Path.Combine(_directory, "first"), second = Path.Combine(_directory, "second");
        Assert.Equal(0, Run("filter", "-d", "16", SharedData.FullCore, first).Exit);
        (int exit, string said, _) = Run("filter", "--json", first, second);
        Assert.Equal(0, exit);
        JsonElement json = JsonDocument.Parse(said).RootElement;
        Assert.Equal((26780, 31076), (json.GetProperty("kept_pages").GetInt32(), json.GetProperty("source_lacks").GetInt32()));
        Assert.Equal(0, json.GetProperty("excluded").GetProperty("free").GetInt32());
    }

    [Fact]
    public void An_existing_file_is_overwritten_only_by_force()
    {
        string output = Path.Combine(_directory, "out"), input = Path.Combine(_directory, "in");
        File.WriteAllBytes(input, SyntheticDump.Make("words"));
        File.WriteAllText(output, "precious");
        (int exit, _, string complained) = Run("filter", input, output);
        Assert.Equal(1, exit);
        Assert.Contains("give --force to overwrite it", complained, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(output));
        Assert.Equal(0, Run("filter", "--force", input, output).Exit);
        using VmcoreFile written = VmcoreFile.Open(output);
        Assert.True(written.IsComplete);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(output));
    }

    [Theory]
    [InlineData("filter --force IN IN", "is IN itself")]
    [InlineData("filter --force IN /dev/null", "/dev/null is no ordinary file")]
    [InlineData("filter --force IN /tmp", "/tmp is a directory")]
    [InlineData("filter IN /nonexistent/out", "/nonexistent")]
    [InlineData("filter /nonexistent OUT", "/nonexistent")]
    public void What_cannot_be_done_is_exit_code_1_and_one_line(string line, string message)
    {
        string input = Path.Combine(_directory, "in");
        byte[] core = SyntheticDump.Make("words");
        File.WriteAllBytes(input, core);
        (int exit, _, string complained) = Run([.. line.Split(' ').Select(w => w switch { "IN" => input, "OUT" => Path.Combine(_directory, "out"), _ => w })]);
        Assert.Equal(1, exit);
        Assert.Contains(message, complained, StringComparison.Ordinal);
        Assert.Equal(1, complained.Count(c => c == '\n'));
        Assert.Equal(core, File.ReadAllBytes(input));
    }

    [Theory]
    [InlineData("filter IN", "OUT")]
    [InlineData("filter -d 32 IN OUT", "0 to 31")]
    [InlineData("filter --threads 0 IN OUT", "1 to 16")]
    [InlineData("filter --level 10 IN OUT", "-7 to 9")]
    [InlineData("filter --level 0 IN OUT", "1 to 9")]
    [InlineData("filter --level -1 --compress zlib IN OUT", "zstd alone")]
    [InlineData("filter --compress lzo IN OUT", "lzo")]
    [InlineData("filter --format elf --compress zstd IN OUT", "no compression")]
    public void Wrong_usage_is_exit_code_2(string line, string word)
    {
        (int exit, _, string complained) = Run(line.Split(' '));
        Assert.Equal(2, exit);
        Assert.Contains(word, complained, StringComparison.Ordinal);
    }

    [Fact]
    public void A_source_that_was_cut_short_gives_an_output_that_says_so()
    {
        string input = Path.Combine(_directory, "in"), output = Path.Combine(_directory, "out");
        File.WriteAllBytes(input, SyntheticDump.Make("words")[..^20000]);
        (int exit, string said, string complained) = Run("filter", input, output);
        Assert.Equal(1, exit);
        Assert.StartsWith("kept ", said, StringComparison.Ordinal);
        Assert.Contains("is marked as incomplete", complained, StringComparison.Ordinal);
        using VmcoreFile written = VmcoreFile.Open(output);
        Assert.False(written.IsComplete);
    }

    [Fact]
    public void A_class_that_cannot_be_told_is_kept_and_named()
    {
        string input = Path.Combine(_directory, "in");
        File.WriteAllBytes(input, SyntheticDump.Make("words")); // its VMCOREINFO has no page structures
        (int exit, string said, _) = Run("filter", input, Path.Combine(_directory, "out"));
        Assert.Equal(0, exit);
        Assert.Contains("note          free pages are kept: VMCOREINFO has no SIZE(page)\n", said, StringComparison.Ordinal);
        Assert.Contains("left out      nothing\n", said, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
