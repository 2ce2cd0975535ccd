using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>Issue 7, proofs 2 and 3: netdump send to the real server through paths that break, lead elsewhere, or end at a full disk.</summary>
public sealed class SecureSendTests : IDisposable
{
    private const int Block = 8 << 20;
    private const int Pages = 64 << 10; // 256 MiB, of which four fifths cannot be compressed
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private readonly string _scratch = Workspace.Scratch(nameof(SecureSendTests));
    private readonly string _key;

    public SecureSendTests()
    {
        _key = Path.Combine(_scratch, "key");
        Command.Succeed(Workspace.Client, "keygen", "--key", _key, "--name", "web1");
    }

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    [Fact]
    public void Proof3_twenty_cuts_two_kills_and_a_full_disk_leave_the_dump_as_it_is_and_nothing_acknowledged_is_sent_again()
    {
        string core = Path.Combine(_scratch, "vmcore");
        Workspace.WriteCore(core, Pages);
        string undisturbed = Undisturbed(core);
        long stream = new FileInfo(undisturbed).Length; // the flattened stream is a few kilobytes longer

        using SmallDisk disk = new(Path.Combine(_scratch, "disk"), 512);
        Enrol(disk.Outside);
        int udp = DumpServer.FreePort(), tcp = FreeTcpPort();
        Command server = Serve();
        List<Command> servers = [server];
        try
        {
            server.WaitForLine(@"\[210\]", Limit);
            using TcpRelay relay = new(tcp);
            Random random = new(20);
            string filler = Path.Combine(disk.Outside, "filler");
            List<(long At, Action? Act)> plan =
            [
                (stream * 3 / 10, KillAndServe), (stream * 7 / 10, KillAndServe),
                (stream / 2, () => Command.Succeed("sh", "-c", $"cat /dev/zero > '{filler}' 2> '{_scratch}/full' || true")),
            ];
            for (int cut = 0; cut < 20; cut++) plan.Add((random.NextInt64(100_000, stream), null));
            relay.Plan(plan.OrderBy(s => s.At));
            using Command send = Send(core, relay.Port, Pin(disk.Outside), "--json", "--timeout", "120");
            WaitFor(send, "are needed|disk is full");
            File.Delete(filler);
            Assert.True(send.WaitForExit(Limit) == 0, send.Output + servers[^1].Output);
            Assert.Null(relay.Failure);
            Assert.True(relay.IsPlanDone);
            Assert.Equal(23, relay.Cuts);
            Assert.Equal(3, servers.Count);

            string crash = Assert.Single(Directory.GetDirectories(disk.Outside, "*-????-??-??-*"));
            Assert.True(Same(undisturbed, Path.Combine(crash, "vmcore")), "the dump is another");
            Assert.False(File.Exists(Path.Combine(crash, "vmcore-incomplete")));
            // What passed is the stream once, TLS around it (2 %), handshakes, and what no answer had come to: of each break less than a block.
            // Blocks that found the disk full had their answer, and came again.
            long refused = Notes(send).Count(n => n.Contains("are needed", StringComparison.Ordinal) || n.Contains("disk is full", StringComparison.Ordinal)) * (long)(Block + (256 << 10));
            Assert.InRange(relay.Passed - relay.Unanswered, stream, (stream * 102 / 100) + refused + (relay.Connections * 64L << 10));
            Assert.InRange(relay.Unanswered, 1, relay.Connections * (long)(Block + (256 << 10)));
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"stream {stream}, passed {relay.Passed}, unanswered {relay.Unanswered}, {relay.Connections} connections, {refused / Block} blocks refused for space");
        }
        finally
        {
            foreach (Command one in servers) one.Dispose();
        }

        Command Serve() => disk.Inside(Workspace.Server, "--store", disk.Path, "--listen", "127.0.0.1", "--port", $"{udp}", "--secure-port", $"{tcp}", "--analyser", "none");

        void KillAndServe()
        {
            servers[^1].Signal(9);
            servers[^1].WaitForExit(Limit);
            servers.Add(Serve());
        }
    }

    [Fact]
    public void Proof2_a_man_in_the_middle_gets_nothing_at_the_beginning_or_later()
    {
        string core = Path.Combine(_scratch, "vmcore");
        Workspace.WriteCore(core, Pages / 4);
        string store = Path.Combine(_scratch, "store"), other = Path.Combine(_scratch, "other");
        int tcp = FreeTcpPort(), otherTcp = FreeTcpPort();
        using DumpServer server = new(store, "--secure-port", $"{tcp}", "--analyser", "none");
        using DumpServer middle = new(other, "--secure-port", $"{otherTcp}", "--analyser", "none");
        Enrol(store);
        Enrol(other);
        server.WaitForLine(@"\[210\]", Limit);
        middle.WaitForLine(@"\[210\]", Limit);
        string told = $"shows key {Pin(other)}, pinned is {Pin(store)}; if the server was reinstalled: netdump propagate";

        using (Command send = Send(core, otherTcp, Pin(store)))
        {
            Assert.Equal(1, send.WaitForExit(Limit));
            Assert.Contains(told, send.Errors, StringComparison.Ordinal);
        }
        // In the midst of a dump the path leads elsewhere.
        using TcpRelay relay = new(tcp);
        relay.Plan([(10 << 20, () => relay.ServerPort = otherTcp)]);
        using (Command send = Send(core, relay.Port, Pin(store)))
        {
            Assert.Equal(1, send.WaitForExit(Limit));
            Assert.Contains(told, send.Errors, StringComparison.Ordinal);
        }
        Assert.Empty(middle.Crashes);
        Assert.Single(server.Crashes);
        // And when it leads to the server again, the next run goes on.
        relay.ServerPort = tcp;
        long before = relay.Passed;
        using (Command send = Send(core, relay.Port, Pin(store), "--json"))
            Assert.True(send.WaitForExit(Limit) == 0, send.Output + server.Output);
        Assert.InRange(relay.Passed - before, 1, new FileInfo(core).Length - Block);
        string crash = Assert.Single(server.Crashes);
        Assert.True(Same(Undisturbed(core), Path.Combine(crash, "vmcore")), "the dump is another");
    }

    [Fact]
    public void A_key_that_is_not_enrolled_or_was_revoked_is_told_so_and_nothing_is_written()
    {
        string core = Path.Combine(_scratch, "vmcore");
        Workspace.WriteCore(core, 1024);
        string store = Path.Combine(_scratch, "store");
        int tcp = FreeTcpPort();
        using DumpServer server = new(store, "--secure-port", $"{tcp}", "--analyser", "none");
        server.WaitForLine(@"\[210\]", Limit);
        Refused();
        Enrol(store);
        using (Command send = Send(core, tcp, Pin(store))) Assert.True(send.WaitForExit(Limit) == 0, send.Output);
        string crash = Assert.Single(server.Crashes);
        Directory.Delete(crash, recursive: true);
        Command.Succeed(Workspace.Server, "revoke", "web1", "--store", store);
        File.SetLastWriteTimeUtc(core, DateTime.UnixEpoch);
        Refused();

        void Refused()
        {
            using Command send = Send(core, tcp, Pin(store));
            Assert.Equal(1, send.WaitForExit(Limit));
            Assert.Contains($"127.0.0.1:{tcp} does not know the key {_key} (SHA256:", send.Errors, StringComparison.Ordinal);
            Assert.Contains("netdump-server enrol key.pub", send.Errors, StringComparison.Ordinal);
            Assert.Empty(server.Crashes);
        }
    }

    [Fact]
    public void The_program_and_the_C_library_are_all_that_a_secure_upload_needs()
    {
        string root = Path.Combine(_scratch, "root"), store = Path.Combine(_scratch, "store");
        foreach (string line in Command.Succeed("ldd", Workspace.Client).Split('\n'))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(w => w.Contains('/')) is not { } library) continue;
            string to = root + Path.GetFullPath(library.Trim());
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(library.Trim(), to);
        }
        File.Copy(Workspace.Client, Path.Combine(root, "netdump"));
        File.Copy(_key, Path.Combine(root, "key"));
        File.Copy(SharedData.File("linux-6.1-sysrq", "vmcore.kdump-zlib-d31"), Path.Combine(root, "vmcore"));
        int tcp = FreeTcpPort();
        using DumpServer server = new(store, "--secure-port", $"{tcp}", "--analyser", "none");
        server.WaitForLine(@"\[210\]", Limit);
        Enrol(store);
        // No /etc, no home, no environment, as in the capture kernel.
        string[] user = Environment.UserName == "root" ? [] : ["--map-root-user"];
        using Command send = new("env", ["-i", "/usr/bin/unshare", .. user, "--root", root, "/netdump", "send", "/vmcore", "--server", $"127.0.0.1:{tcp}", "--key", "/key", "--pin", Pin(store)]);
        Assert.True(send.WaitForExit(Limit) == 0, send.Output + server.Output);
        Assert.True(Same(Path.Combine(root, "vmcore"), Path.Combine(Assert.Single(server.Crashes), "vmcore")));
    }

    private static bool Same(string one, string other)
    {
        using FileStream a = File.OpenRead(one), b = File.OpenRead(other);
        if (a.Length != b.Length) return false;
        byte[] left = new byte[1 << 20], right = new byte[1 << 20];
        for (int count; (count = a.ReadAtLeast(left, left.Length, throwOnEndOfStream: false)) > 0;)
        {
            if (b.ReadAtLeast(right, count, throwOnEndOfStream: false) < count || !left.AsSpan(0, count).SequenceEqual(right.AsSpan(0, count))) return false;
        }
        return true;
    }

    private static IEnumerable<string> Notes(Command send) => send.Output.Split('\n').Where(l => l.StartsWith('{')).Select(l => JsonDocument.Parse(l).RootElement)
        .Where(e => e.GetProperty("event").GetString() == "note").Select(e => e.GetProperty("note").GetString()!);

    private static void WaitFor(Command send, string pattern) => send.WaitForLine(pattern, Limit);

    private static int FreeTcpPort()
    {
        using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    /// <summary>The same dump as it arrives when nothing happens.</summary>
    private string Undisturbed(string core)
    {
        string store = Path.Combine(_scratch, $"quiet-{Guid.NewGuid():N}");
        int tcp = FreeTcpPort();
        using DumpServer server = new(store, "--secure-port", $"{tcp}", "--analyser", "none");
        server.WaitForLine(@"\[210\]", Limit);
        Enrol(store);
        using Command send = Send(core, tcp, Pin(store));
        Assert.True(send.WaitForExit(Limit) == 0, send.Output + server.Output);
        return Path.Combine(Assert.Single(server.Crashes), "vmcore");
    }

    private void Enrol(string store) => Command.Succeed(Workspace.Server, "enrol", _key + ".pub", "--store", store);

    private static string Pin(string store) => Command.Succeed(Workspace.Server, "fingerprint", "--store", store).Split('\n').First(l => l.StartsWith("SHA256:", StringComparison.Ordinal)).Trim();

    private Command Send(string core, int port, string pin, params string[] more) =>
        new(Workspace.Client, ["send", core, "--server", $"127.0.0.1:{port}", "--key", _key, "--pin", pin, .. more]);
}
