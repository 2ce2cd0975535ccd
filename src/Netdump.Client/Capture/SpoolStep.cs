using Netdump.Client.Linux;
using Netdump.Client.Spool;
using Netdump.Protocols.Upload;
using Netdump.Vmcore;
using Netdump.Vmcore.Filter;
using Netdump.Vmcore.Kdump;
using Netdump.Vmcore.Output;

namespace Netdump.Client.Capture;

/// <summary>The last step of the ladder: the dump goes to the disk that carries the spool's identity, whatever its name is now.</summary>
internal sealed class SpoolStep(Guid id, VmcoreFile dump, int level, CrashAnnouncement announcement, CaptureConsole console, Action<ulong> moved)
{
    private const string Block = "/sys/class/block";
    private static readonly TimeSpan DeviceLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    /// <summary>Keeps the dump.</summary>
    /// <returns>False when there is no such disk, or it failed.</returns>
    public bool Run()
    {
        if (Find() is not { } path)
        {
            console.Say($"no disk carries the spool {id}; is its driver in the image?");
            return false;
        }
        try
        {
            using SpoolDevice spool = SpoolDevice.Open(path);
            console.Say($"no server took it: the dump is kept on {path}");
            spool.Keep(announcement, Write);
            console.Reached($"{path} keeps the dump, {spool.DumpLength} bytes: the next netdump start sends it");
            return true;
        }
        catch (Exception failure) when (failure is IOException or ClientException or UnauthorizedAccessException or VmcoreFormatException)
        {
            console.Say($"the spool failed: {failure.Message}");
            return false;
        }
    }

    private void Write(DumpOutput output)
    {
        ulong done = 0;
        void Moved(ulong pages)
        {
            ulong all = pages * (ulong)dump.PageSize;
            if (all <= done) return;
            moved(all - done);
            done = all;
        }
        using PageFilter filter = new(dump, level, isMapped: true, (pages, _) => Moved(pages));
        KdumpWriter.Write(dump, filter.Select, output, new WriteOptions { DumpLevel = level, Threads = 1, IsMapped = true, Progress = (pages, _) => Moved(pages) });
    }

    private string? Find()
    {
        for (TimeSpan start = Uptime.Now; ; Descriptors.Pause(LookAgain))
        {
            foreach (string name in Directory.Exists(Block) ? Directory.GetFileSystemEntries(Block).Select(e => Path.GetFileName(e)!) : [])
                if (SpoolDevice.IdOf($"/dev/{name}") == id) return $"/dev/{name}";
            if (Uptime.Now - start >= DeviceLimit) return null;
        }
    }
}
