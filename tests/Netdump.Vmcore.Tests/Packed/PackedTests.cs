using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using Netdump.Vmcore.Packed;

namespace Netdump.Vmcore.Tests.Packed;

public sealed class PackedTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("netdump-packed").FullName;
    private readonly byte[] _core = SyntheticDump.Make("first words", "last words");

    [Theory]
    [InlineData(Packing.Zstd)]
    [InlineData(Packing.Gzip)]
    public void Item01_a_packed_dump_opens_by_its_content_and_tells_how_far_it_is(Packing packing)
    {
        var path = Save(Pack(packing, _core));
        UnpackProgress last = default;
        using var file = VmcoreFile.Open([path], p => last = p);
        Assert.Equal(new DumpWrapping(packing, IsFlattened: false, IsWhole: true), file.Wrapping);
        Assert.Equal(["first words", "last words"], file.ReadLog().Select(r => Encoding.ASCII.GetString(r.Text.Span)));
        Assert.Equal((_core.Length, new FileInfo(path).Length), (last.Unpacked, last.Length));
        Assert.True(file.IsComplete);
    }

    [Theory]
    [InlineData(Packing.Zstd)]
    [InlineData(Packing.Gzip)]
    public void A_packed_dump_cut_short_opens_with_what_came_or_is_refused_in_one_line(Packing packing)
    {
        var packed = Pack(packing, _core);
        for (var length = 20; length < packed.Length; length += packed.Length / 7)
        {
            try
            {
                using var file = VmcoreFile.Open(Save(packed[..length]));
                Assert.False(file.IsComplete);
            }
            catch (VmcoreFormatException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
    }

    [Theory]
    [InlineData(Packing.Zstd)]
    [InlineData(Packing.Gzip)]
    public void Corrupt_packed_data_are_a_format_error(Packing packing)
    {
        var packed = Pack(packing, _core);
        for (var i = 0; i < 8; i++)
            packed[40 + i] ^= 0xff;
        Assert.Throws<VmcoreFormatException>(() => VmcoreFile.Open(Save(packed)));
    }

    [Theory]
    [InlineData(Packing.None)]
    [InlineData(Packing.Zstd)]
    public void A_pipe_serves_as_well_as_a_file(Packing packing)
    {
        var source = Save(packing == Packing.None ? _core : Pack(packing, _core));
        var pipe = Path.Combine(_directory, "pipe");
        using (var make = Process.Start("mkfifo", [pipe]))
            make.WaitForExit();
        using var writer = Process.Start("sh", ["-c", "cat \"$0\" > \"$1\"", source, pipe]);
        using var file = VmcoreFile.Open(pipe);
        writer.WaitForExit();
        Assert.Equal(2, file.ReadLog().Count);
    }

    [Theory]
    [InlineData(Packing.Zstd)]
    [InlineData(Packing.Gzip)]
    public void Item63_a_file_that_unpacks_to_a_thousand_times_its_size_takes_little_memory(Packing packing)
    {
        var bomb = Save(Pack(packing, new byte[256 << 20]));
        Assert.InRange(new FileInfo(bomb).Length, 0, 1 << 20);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<VmcoreFormatException>(() => VmcoreFile.Open(bomb));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    [Fact]
    public void Item63_a_zstd_window_larger_than_any_dump_needs_is_refused()
    {
        // A frame header that asks for a window of 2 TiB (RFC 8878, 3.1.1.1.2), and a block of no bytes.
        var bomb = Save([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<VmcoreFormatException>(() => VmcoreFile.Open(bomb));
        Assert.Contains("corrupt", error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    [Fact]
    public void The_unpacked_file_has_no_name_and_its_zeros_take_no_room()
    {
        var core = new SyntheticCore();
        core.AddMemory(0, new byte[64 << 20]);
        using var file = VmcoreFile.Open(Save(Pack(Packing.Zstd, core.Build())));
        // Blocks of the unlinked file, through its descriptor.
        var found = Directory.GetFiles("/proc/self/fd").Select(fd => new FileInfo(fd)).Where(IsUnlinkedSpool).ToList();
        Assert.NotEmpty(found);
        var sizes = found.Select(fd =>
        {
            using var stat = Process.Start(new ProcessStartInfo("stat", ["-L", "-c", "%b %s", $"/proc/{Environment.ProcessId}/fd/{fd.Name}"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
            var fields = stat.StandardOutput.ReadToEnd().Split(' ', StringSplitOptions.TrimEntries);
            return fields.Length == 2 ? (Blocks: long.Parse(fields[0]), Size: long.Parse(fields[1])) : default;
        });
        Assert.Contains(sizes, s => s.Size > 64 << 20 && s.Blocks * 512 < 1 << 20);
    }

    // Other tests open and close descriptors meanwhile.
    private static bool IsUnlinkedSpool(FileInfo descriptor)
    {
        try
        {
            return descriptor.LinkTarget is { } target && target.Contains("/netdump-", StringComparison.Ordinal) && target.EndsWith("(deleted)", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string Save(byte[] bytes)
    {
        var path = Path.Combine(_directory, Path.GetRandomFileName());
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static byte[] Pack(Packing packing, byte[] bytes)
    {
        var packed = new MemoryStream();
        using (Stream stream = packing == Packing.Gzip ? new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true) : new ZstdSharp.CompressionStream(packed, 3, leaveOpen: true))
            stream.Write(bytes);
        return packed.ToArray();
    }
}
