using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Netdump.Protocols.Keys;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.EndToEnd;

/// <summary>
/// The seed's commands, word for word, from nothing: a user with a password, two services, an address, a crash. Everything is real: OpenSSH, the
/// guest's kernel, the server; what passes on the wire is judged by tshark, and the dump by crash.
/// </summary>
public sealed class SecureCrashTests
{
    [Fact]
    public void Proof_1_propagate_once_and_dump_encrypted() => PropagateAndCrash("6.1");

    [Fact]
    public void Proof_1_on_the_newest_kernel() => PropagateAndCrash("newest");

    private static void PropagateAndCrash(string series)
    {
        TestKernel kernel = Workspace.Kernel(series);
        string scratch = Workspace.Scratch();
        using SecureWorld world = new(scratch);
        world.StartServer();
        string wire = Path.Combine(scratch, "wire.pcap");
        Command recorder = world.Record(wire);

        // A level 0 dump: free memory, page cache and all.
        Terminal guest = world.Boot(kernel, ["NETDUMPADDR=10.0.2.2", "DUMPLEVEL=0"], crashkernel: "128M");
        string first = SecureWorld.Propagate(guest);
        Assert.Contains("enrolled crashguest, its key is SHA256:", first, StringComparison.Ordinal);
        SecureWorld.Propagate(guest, isKnown: true);
        SecureWorld.Propagate(guest, isKnown: true);
        string fingerprint = world.Server.Run("netdump-server fingerprint").Trim();
        Assert.Contains(fingerprint, first, StringComparison.Ordinal);
        Assert.Contains($"10.0.2.2:6667 {fingerprint} ", guest.Run("cat /etc/netdump/known_servers"), StringComparison.Ordinal);
        string keys = world.Server.Run("cat /var/crash/.ssh/authorized_keys").TrimStart();
        Assert.Matches("^restrict,command=\"[^\"]*netdump-server gate[^\"]*\" ecdsa-sha2-nistp256 [^ ]+ crashguest\n$", keys);

        guest.Run("service netdump restart");
        string status = guest.Run("service netdump status; netdump status --wait 60", exit: 1); // an emulated guest beside others is slow
        Assert.True(status.Contains("key as pinned, knows this host as crashguest", StringComparison.Ordinal), status);
        Assert.DoesNotContain("no-secure-channel", status, StringComparison.Ordinal);
        Assert.Matches(@"ok +identity: key of this machine, SHA256:", status);
        Assert.InRange(double.Parse(Regex.Match(status, @"image (\d+\.\d) MiB").Groups[1].Value, CultureInfo.InvariantCulture), 1, 16); // Proof 6
        guest.Run($"for i in $(seq 20000); do echo '{SecureWorld.Secret}'; done > /tmp/secret");
        // While watch asks the servers it has the key in use; what is judged is what it leaves.
        guest.Run("start-stop-daemon --stop --retry 60 --pidfile /run/netdump-watch.pid");
        SecureWorld.Crash(guest);
        string console = guest.Output;
        Assert.True(console.Contains("10.0.2.2 has the dump", StringComparison.Ordinal), console + world.Server.Run("cat /var/log/netdump-server.log"));
        Assert.InRange(int.Parse(Regex.Match(console, @"at most (\d+) MiB of memory were resident").Groups[1].Value, CultureInfo.InvariantCulture), 10, 32);
        Assert.DoesNotContain("it is started again", console, StringComparison.Ordinal); // 128M are enough at the first try
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', console.Split('\n').Where(l => l.Contains("netdump", StringComparison.Ordinal))));

        string crash = world.OneCrash(world.Store());
        string log = File.ReadAllText(Path.Combine(crash, "log"));
        Assert.Contains("sysrq triggered crash", log, StringComparison.Ordinal);
        Assert.Matches(@"task:\S+ +state:[^\n]+ pid:\d+", log[(log.Length * 2 / 3)..]);
        string vmcore = Path.Combine(crash, "vmcore");
        if (series != "newest") Assert.Contains("sysrq_handle_crash", CrashUtility.Run(kernel, vmcore, "bt"), StringComparison.Ordinal);

        recorder.Signal(2);
        recorder.WaitForExit(TimeSpan.FromSeconds(20));
        string versions = Command.Succeed("tshark", "-r", wire, "-d", "tcp.port==6667,tls", "-Y", "tls.handshake.type == 2", "-T", "fields", "-e", "tls.handshake.extensions.supported_version");
        Assert.All(versions.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l.StartsWith("0x", StringComparison.Ordinal)), v => Assert.Equal("0x0304", v.Trim()));
        Assert.Contains("0x0304", versions, StringComparison.Ordinal);
        byte[] passed = File.ReadAllBytes(wire);
        Assert.True(passed.Length > 10 << 20, $"{passed.Length} bytes passed");
        Assert.True(passed.AsSpan().IndexOf("this must never be seen"u8) < 0, "memory passed in the clear");
        Assert.True(passed.AsSpan().IndexOf("Linux version"u8) < 0, "the log passed in the clear");

        AssertNoKey(scratch, vmcore);
        Directory.Delete(scratch, true);
    }

    /// <summary>The host's own key is nowhere in a dump of all memory, free pages and page cache too: neither as a number nor as what says it in its file.</summary>
    private static void AssertNoKey(string scratch, string vmcore)
    {
        string file = Path.Combine(scratch, "id_ecdsa"), disk = Path.Combine(scratch, "guest.disk");
        Assert.InRange(Command.Run("e2fsck", "-fy", disk).ExitCode, 0, 1); // the crash may have left the file in the journal
        Command.Succeed("debugfs", "-R", $"dump /id_ecdsa {file}", disk);
        byte[] text = File.ReadAllBytes(file);
        Assert.True(OpenSshKeyFile.TryRead(text, out ECDsa? key));
        byte[] number = key.ExportParameters(includePrivateParameters: true).D!;
        List<(string What, byte[] Bytes)> wanted =
        [
            ("number", number), ("number backwards", [.. number.Reverse()]), ("number in hexadecimal digits", Encoding.ASCII.GetBytes(Convert.ToHexStringLower(number))),
            .. TextOf(number, Encoding.ASCII.GetString(text)).Select(t => ($"'{t}' of the file", Encoding.ASCII.GetBytes(t))),
        ];
        Assert.True(wanted.Count > 3, $"{wanted.Count}");
        (int secrets, List<string> found) = Search(vmcore, wanted);
        Assert.True(secrets > 0, "the search finds nothing at all");
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    /// <summary>The pieces of a key file's lines that say nothing but the private number.</summary>
    private static IEnumerable<string> TextOf(byte[] number, string file)
    {
        string[] lines = [.. file.Split('\n').Where(l => l.Length > 0 && l[0] != '-')];
        int begin = Convert.FromBase64String(string.Concat(lines)).AsSpan().IndexOf(number);
        (int first, int end) = ((begin + 2) / 3 * 4, (begin + number.Length) / 3 * 4);
        for (int i = 0, at = 0; i < lines.Length; at += lines[i++].Length)
        {
            (int from, int to) = (Math.Max(first - at, 0), Math.Min(end - at, lines[i].Length));
            if (to - from >= 12) yield return lines[i][from..to];
        }
    }

    private static (int Secrets, List<string> Found) Search(string vmcore, List<(string What, byte[] Bytes)> wanted)
    {
        int secrets = 0;
        byte[] secret = Encoding.ASCII.GetBytes(SecureWorld.Secret);
        List<string> found = [];
        const int Tail = 128; // what lies across two pages
        byte[] window = new byte[Tail + 4096];
        using VmcoreFile dump = VmcoreFile.Open(vmcore);
        using PageReader reader = dump.Physical.OpenReader();
        foreach (PageRange range in dump.Physical.Ranges)
        {
            for (ulong page = range.First; page < range.End; page++)
            {
                window.AsSpan(4096).CopyTo(window);
                reader.Read(page, out ReadOnlySpan<byte> bytes);
                window.AsSpan(Tail).Clear();
                bytes[..Math.Min(4096, bytes.Length)].CopyTo(window.AsSpan(Tail));
                if (window.AsSpan().IndexOf(secret) >= 0) secrets++;
                foreach ((string what, byte[] one) in wanted)
                    if (window.AsSpan().IndexOf(one) is >= 0 and int place) found.Add($"{what} at 0x{(page * 4096) - Tail + (ulong)place:x}");
            }
        }
        return (secrets, found);
    }
}
