using System.Diagnostics;
using Netdump.Vmcore.Codecs;
using Netdump.Vmcore.Elf;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Tests.Kdump;

/// <summary>makedumpfile and crash as judges on a real core: theirs opens here, ours opens there.</summary>
public sealed class MakedumpfileTests : IDisposable
{
    private const int RandomPages = 100_000;
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-judge").FullName;
    private readonly VmcoreFile _source = VmcoreFile.Open(SharedData.FullCore);

    [Theory]
    [InlineData("-c", 1, PageCodec.Zlib)]
    [InlineData("-l", 1, PageCodec.Lzo)]
    [InlineData("-p", 1, PageCodec.Snappy)]
    [InlineData("-z", 1, PageCodec.Zstd)]
    public void Item17_its_kdump_opens_here_and_random_pages_are_equal(string option, int level, PageCodec codec)
    {
        var path = Path.Combine(_directory, "out");
        Run($"makedumpfile {option} -d {level} {SharedData.FullCore} {path}");
        using var file = VmcoreFile.Open(path);
        // Debian builds it without snappy: it warns and writes pages as they are.
        Assert.Contains((PageCodec)file.Kdump!.Status, codec == PageCodec.Snappy ? [codec, PageCodec.None] : new[] { codec });
        Assert.Equal(_source.Info!.Release, file.Kdump.Utsname[2]);
        Assert.True(file.IsComplete);
        AssertEqual(file);
    }

    [Theory]
    [InlineData("-c", 1)]
    [InlineData("-l", 1)]
    [InlineData("-p", 1)]
    [InlineData("-z", 1)]
    [InlineData("--split -l --splitblock-size 4096", 3)]
    public void Item17_of_a_kernel_it_knows_every_page_is_equal(string options, int parts)
    {
        using var original = VmcoreFile.Open(SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31"));
        string[] paths = [.. Enumerable.Range(0, parts).Select(i => Path.Combine(_directory, $"part{i}"))];
        Run($"makedumpfile {options} -d 31 {original.Bytes.Path} {string.Join(' ', paths)}");
        using var file = VmcoreFile.Open(paths);
        var (expected, page) = (new byte[4096], new byte[4096]);
        for (var pfn = 0UL; pfn < original.Physical.EndPage; pfn++)
        {
            var state = original.Physical.ReadInPage(pfn, 0, expected);
            Assert.Equal(state, file.Physical.ReadInPage(pfn, 0, page));
            if (state == PageState.Present)
                Assert.True(expected.AsSpan().SequenceEqual(page), $"page 0x{pfn:x} differs");
        }
    }

    [Fact]
    public void Item08_its_core_opens_here_and_random_pages_are_equal()
    {
        var path = Path.Combine(_directory, "out");
        Run($"makedumpfile -E -d 1 {SharedData.FullCore} {path}");
        using var file = VmcoreFile.Open(path);
        AssertEqual(file);
    }

    [Theory]
    [InlineData("-c")]
    [InlineData("-E")]
    public void Item27_its_flattened_stream_opens_here_and_arranged_equals_the_plain_file(string option)
    {
        var (flat, plain, arranged) = (Path.Combine(_directory, "flat"), Path.Combine(_directory, "plain"), Path.Combine(_directory, "arranged"));
        Run($"makedumpfile {option} -d 1 -F {SharedData.FullCore} > {flat}");
        Run($"makedumpfile -R {plain} < {flat}");
        using (var output = FileOutput.Create(arranged))
        using (var stream = File.OpenRead(flat))
            Assert.True(Vmcore.Flattened.FlattenedArranger.Arrange(stream, output));
        Run($"cmp {plain} {arranged}");
        using var file = VmcoreFile.Open(flat);
        Assert.True(file.Wrapping.IsFlattened && file.IsComplete);
        AssertEqual(file);
    }

    [Fact]
    public void Item21_its_split_dump_opens_here_and_random_pages_are_equal()
    {
        string[] parts = [.. Enumerable.Range(1, 3).Select(i => Path.Combine(_directory, $"part{i}"))];
        Run($"makedumpfile --split -c -d 1 --splitblock-size 8192 {SharedData.FullCore} {string.Join(' ', parts)}");
        using var file = VmcoreFile.Open([parts[1], parts[2], parts[0]]);
        Assert.True(file.IsComplete && file.Kdump!.IsSplit);
        AssertEqual(file);
    }

    [Fact]
    public void Item25_ours_is_read_refiltered_and_arranged_by_it_and_read_by_crash()
    {
        var (zlib, again, flat, arranged, elf) = (Path.Combine(_directory, "zlib"), Path.Combine(_directory, "again"), Path.Combine(_directory, "flat"), Path.Combine(_directory, "arranged"), Path.Combine(_directory, "elf"));
        var options = new WriteOptions { Codec = PageCodec.Zlib, Threads = 2, DumpLevel = 1 };
        using (var output = FileOutput.Create(zlib))
            KdumpWriter.Write(_source, Everything, output, options);
        using (var output = new FlattenedOutput(File.Create(flat)))
            KdumpWriter.Write(_source, Everything, output, options);
        using (var output = FileOutput.Create(elf))
            ElfWriter.Write(_source, Everything, output, options with { Codec = PageCodec.None });
        Run($"makedumpfile -R {arranged} < {flat}");
        Run($"cmp {zlib} {arranged}");
        Run($"makedumpfile -c -d 1 {zlib} {again}");
        using (var file = VmcoreFile.Open(again))
            AssertEqual(file);
        Run($"makedumpfile --dump-dmesg {SharedData.FullCore} {_directory}/log0");
        foreach (var ours in (string[])[zlib, elf])
        {
            Run($"rm -f {_directory}/log1 && makedumpfile --dump-dmesg {ours} {_directory}/log1 && cmp {_directory}/log0 {_directory}/log1");
            Assert.Equal(_source.Info!.Release, Run($"crash --osrelease {ours}").Trim());
        }
    }

    public void Dispose()
    {
        _source.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private void Everything(PageBlock block)
    {
        var bits = new ulong[4096];
        Array.Fill(bits, ulong.MaxValue);
        for (var first = 0UL; first < _source.Physical.EndPage; first += 4096 * 64)
            block(first, bits);
    }

    private void AssertEqual(VmcoreFile file)
    {
        var random = new Random(20261125);
        var (expected, page) = (new byte[4096], new byte[4096]);
        var missing = 0;
        for (var i = 0; i < RandomPages; i++)
        {
            var pfn = (ulong)random.NextInt64((long)_source.Physical.EndPage);
            var original = _source.Physical.ReadInPage(pfn, 0, expected);
            var state = file.Physical.ReadInPage(pfn, 0, page);
            if (original == PageState.NotMemory)
                Assert.True(state == PageState.NotMemory, $"page 0x{pfn:x} is {state}");
            else if (state is PageState.Present or PageState.NotInDump)
                Assert.True(expected.AsSpan().SequenceEqual(page), $"page 0x{pfn:x} differs");
            else
            {
                Assert.True(state == PageState.Excluded || pfn == 0x9f, $"page 0x{pfn:x} is {state}"); // split: the partial last page is lost (7.8)
                missing++;
            }
        }
        // makedumpfile 1.7.8 is older than this kernel, and leaves out some pages in use at any level.
        Assert.InRange(missing, 0, RandomPages / 50);
    }

    private static string Run(string command)
    {
        var start = new ProcessStartInfo("sh", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["PATH"] = $"{Judges.Folder}:{Environment.GetEnvironmentVariable("PATH")}";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{command}: {errors.Result}{output}");
        return output;
    }
}
