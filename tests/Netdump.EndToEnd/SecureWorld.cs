using System.Text.RegularExpressions;

namespace Netdump.EndToEnd;

/// <summary>
/// A server and a guest in a network of their own, each with an administrator at its terminal: real sshd, real services, default ports. What the
/// administrators type is what the manual says.
/// </summary>
public sealed class SecureWorld : IDisposable
{
    /// <summary>Of the server's user netdump.</summary>
    public const string Password = "correct horse";

    /// <summary>Stands in the guest's memory many times, and in no packet.</summary>
    public const string Secret = "lab: this must never be seen on the wire";

    private static readonly TimeSpan BootLimit = TimeSpan.FromMinutes(4);
    private readonly List<IDisposable> _running = [];

    /// <summary>Makes the server's machine, with everything installed and nothing started.</summary>
    public SecureWorld(string scratch)
    {
        Scratch = scratch;
        Server = new Terminal("unshare", ["--net", "--mount", "unshare", "--pid", "--fork", "--kill-child", Tool("world"), scratch]);
        Server.Run($"cd {Workspace.Root}");
        Server.Run("packaging/install");
    }

    public string Scratch { get; }

    /// <summary>The server's administrator.</summary>
    public Terminal Server { get; }

    /// <summary>What an administrator does on a server, once.</summary>
    public void StartServer()
    {
        Server.Run($"printf '{Password}\\n{Password}\\n' | passwd netdump");
        Server.Run("ssh-keygen -A && /usr/sbin/sshd -o UsePAM=no");
        Server.Run("service netdump-server start");
    }

    /// <summary>Records what passes between guest and server on the port of the secure upload.</summary>
    public Command Record(string file)
    {
        Command recorder = new("nsenter", ["--target", $"{Server.Id}", "--net", "dumpcap", "-q", "-i", "lo", "-w", file, "-f", "tcp port 6667"]);
        _running.Add(recorder);
        recorder.WaitForLine("File: ", TimeSpan.FromSeconds(30));
        return recorder;
    }

    /// <summary>Boots a guest with a shell on its terminal, and a disk below /etc/netdump.</summary>
    public Terminal Boot(TestKernel kernel, IEnumerable<string> configuration, string name = "guest", string crashkernel = "128M", int memoryMiB = 512, string more = "", string qemu = "")
    {
        string image = Path.Combine(Scratch, name + ".cpio.gz"), extra = Path.Combine(Scratch, name + "-terminal.cpio.gz");
        string conf = Path.Combine(Scratch, name + ".conf"), disk = Path.Combine(Scratch, name + ".disk");
        File.WriteAllLines(conf, configuration);
        Command.Succeed(Tool("make-image"), kernel.Release, Workspace.Client, conf, image);
        Command.Succeed(Tool("make-terminal"), kernel.Release, extra);
        using (FileStream whole = new(image, FileMode.Append), part = File.OpenRead(extra)) part.CopyTo(whole);
        if (!File.Exists(disk))
        {
            using (FileStream empty = File.Create(disk)) empty.SetLength(16 << 20);
            Command.Succeed("mkfs.ext4", "-q", disk);
        }
        Dictionary<string, string> environment = new()
        {
            ["INPUT"] = "/dev/stdin",
            ["QEMU_EXTRA"] = $"-drive file={disk},if=virtio,format=raw,cache=writethrough {qemu}",
        };
        Terminal guest = new("nsenter", ["--target", $"{Server.Id}", "--net", Tool("boot"), kernel.Release, image, $"{memoryMiB}", crashkernel, "rdinit=/terminal", .. more.Split(' ', StringSplitOptions.RemoveEmptyEntries)], environment);
        _running.Add(guest);
        guest.Expect("guest: up on ", BootLimit);
        guest.Run("true", limit: BootLimit);
        return guest;
    }

    /// <summary>Types the command of the manual, and answers ssh as it asks.</summary>
    public static string Propagate(Terminal guest, string command = "service netdump propagate", bool isKnown = false, int exit = 0)
    {
        guest.Type($"{command}; echo propagate' said' $?");
        if (!isKnown)
        {
            guest.Expect(@"continue connecting \(yes/no");
            guest.Type("yes");
        }
        guest.Expect("netdump@10.0.2.2's password: ");
        guest.Type(Password);
        string said = guest.Expect(@"propagate said \d+");
        Assert.EndsWith($"said {exit}", said, StringComparison.Ordinal);
        return said;
    }

    /// <summary>Crashes the guest and waits until it restarts.</summary>
    public static void Crash(Terminal guest)
    {
        guest.Type("echo c > /proc/sysrq-trigger");
        Assert.Equal(0, guest.WaitForExit(BootLimit));
    }

    /// <summary>What the server has, brought out of its machine.</summary>
    public string Store()
    {
        string copy = Path.Combine(Scratch, $"crash-{Guid.NewGuid():N}");
        Server.Run($"cp -a /var/crash {copy}");
        return copy;
    }

    /// <summary>The one crash in a store.</summary>
    public string OneCrash(string store) => Assert.Single(Directory.GetDirectories(store), d => Regex.IsMatch(Path.GetFileName(d), @"-\d{4}-\d\d-\d\d-\d\d:\d\d"));

    public void Dispose()
    {
        foreach (IDisposable one in _running) one.Dispose();
        Server.Dispose();
    }

    private static string Tool(string name) => Path.Combine(Workspace.Root, "tests/guest", name);
}
