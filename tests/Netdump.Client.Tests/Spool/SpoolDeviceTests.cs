using System.Diagnostics;
using Netdump.Client.Spool;
using Netdump.Client.Tests.Send;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;

namespace Netdump.Client.Tests.Spool;

/// <summary>On a real block device, a loop over a file: nothing of the user's is ever overwritten, and what is kept comes back.</summary>
public sealed class SpoolDeviceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("netdump-spool-").FullName;
    private readonly List<string> _loops = [];

    private string Device(long mebibytes, byte[]? content = null)
    {
        string file = Path.Combine(_folder, $"disk{_loops.Count}");
        using (FileStream disk = File.Create(file))
        {
            disk.SetLength(mebibytes << 20);
            if (content is not null) disk.Write(content);
        }
        string loop = Run("losetup", "--find", "--show", file).Trim();
        _loops.Add(loop);
        return loop;
    }

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {said}");
        return said;
    }

    [Fact]
    public void An_empty_device_becomes_a_spool_once_and_what_it_keeps_comes_back()
    {
        string path = Device(64);
        Guid id;
        using (SpoolDevice made = SpoolDevice.Init(path))
        {
            (id, long length) = (made.Id, made.DumpLength);
            Assert.Equal((0, 64L << 20), (length, made.Size));
            Assert.Contains("is in use", Assert.Throws<ClientException>(() => SpoolDevice.Open(path)).Message);
        }
        using (SpoolDevice again = SpoolDevice.Init(path)) Assert.Equal(id, again.Id);
        Assert.Equal(id, SpoolDevice.IdOf(path));

        using DumpFile file = new();
        byte[] core = file.Bytes;
        var said = new CrashAnnouncement { BootId = Guid.NewGuid(), Id = Guid.NewGuid(), Title = "kernel panic: a test", Signature = new(1, "0123456789abcdef") };
        using (SpoolDevice spool = SpoolDevice.Open(path))
        {
            spool.Keep(said, output =>
            {
                output.Write(5000, core.AsSpan(5000)); // the beginning comes last
                output.Write(0, core.AsSpan(0, 5000));
            });
        }
        using (SpoolDevice spool = SpoolDevice.Open(path))
        {
            Assert.Equal((core.Length, said), (spool.DumpLength, spool.Announcement));
            using VmcoreFile dump = spool.OpenDump();
            Assert.Equal(file.Source.File.Physical.PageCount, dump.Physical.PageCount);
            byte[] bytes = new byte[core.Length + 1];
            Assert.Equal(core.Length, dump.Bytes.Read(0, bytes));
            Assert.Equal(core, bytes[..^1]);
            spool.Clear();
        }
        using (SpoolDevice spool = SpoolDevice.Open(path)) Assert.Equal(0, spool.DumpLength);
    }

    [Fact]
    public void Whatever_holds_something_is_refused_and_stays_as_it_is()
    {
        string fileSystem = Device(64);
        Run("mkfs.ext4", "-q", fileSystem);
        byte[] before = File.ReadAllBytes(Path.Combine(_folder, "disk0"));
        Assert.Contains("holds something", Assert.Throws<ClientException>(() => SpoolDevice.Init(fileSystem)).Message);
        Assert.Contains("is no spool", Assert.Throws<ClientException>(() => SpoolDevice.Open(fileSystem)).Message);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(_folder, "disk0")));
        Assert.Contains("at least 32 MiB", Assert.Throws<ClientException>(() => SpoolDevice.Init(Device(8))).Message);
        Assert.Contains("no block device", Assert.Throws<ClientException>(() => SpoolDevice.Init(Path.Combine(_folder, "disk0"))).Message);
        Assert.Contains("does not exist", Assert.Throws<ClientException>(() => SpoolDevice.Init("/dev/nothing")).Message);
        Assert.Null(SpoolDevice.IdOf(fileSystem));
    }

    [Fact]
    public void A_dump_that_is_too_large_leaves_it_empty_and_a_damaged_header_is_none()
    {
        string path = Device(40);
        using (SpoolDevice spool = SpoolDevice.Init(path))
        {
            Assert.Contains("has room for", Assert.Throws<IOException>(() => spool.Keep(new CrashAnnouncement(), o => o.Write(40L << 20, [1]))).Message);
        }
        using (SpoolDevice spool = SpoolDevice.Open(path)) Assert.Equal(0, spool.DumpLength);
        using (FileStream disk = new(path, FileMode.Open, FileAccess.ReadWrite))
        {
            disk.Position = 60;
            disk.WriteByte(1);
            disk.Flush(flushToDisk: true);
        }
        Assert.Null(SpoolDevice.IdOf(path));
        Assert.Contains("is no spool", Assert.Throws<ClientException>(() => SpoolDevice.Open(path)).Message);
        Assert.Contains("holds something", Assert.Throws<ClientException>(() => SpoolDevice.Init(path)).Message); // nothing that was ours once is overwritten either
    }

    public void Dispose()
    {
        foreach (string loop in _loops) Run("losetup", "--detach", loop);
        Directory.Delete(_folder, recursive: true);
    }
}
