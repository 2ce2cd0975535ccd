using System.Net;
using System.Net.Sockets;

namespace Netdump.EndToEnd;

/// <summary>The server's disk fills up in the midst of a dump: a small file system of its own, and a file that takes the room.</summary>
public sealed class DiskFullTests : IDisposable
{
    private const int DiskMiB = 64;
    private const int Pages = 8192; // 32 MiB
    private const string Other = "127.0.0.2";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly string _scratch = Workspace.Scratch(nameof(DiskFullTests));
    private readonly string _core;
    private readonly string _hooks;
    private readonly DumpServer _server;
    private readonly InterruptingRelay _relay;

    public DiskFullTests()
    {
        _core = Path.Combine(_scratch, "vmcore");
        _hooks = Path.Combine(_scratch, "hooks");
        Workspace.WriteCore(_core, Pages);
        _server = DumpServer.OnSmallDisk(Path.Combine(_scratch, "store"), DiskMiB, "--hook-timeout", "100");
        _relay = new InterruptingRelay(_server.Port);
    }

    private string Filler => Path.Combine(_server.Store, "filler");

    public void Dispose()
    {
        _relay.Dispose();
        _server.Dispose();
        Directory.Delete(_scratch, recursive: true);
    }

    [Fact]
    public void A_dump_for_which_no_room_is_made_is_refused_with_its_log_kept_and_others_unharmed()
    {
        // The hook makes no room, and takes its time: another host crashes meanwhile.
        AddHook($"until [ -e {_scratch}/go ]; do sleep 0.1; done");
        Say("127.0.0.1", "[    1.000000] the last words\n");
        _relay.Begin(2 * Pages, () =>
        {
            Fill(leave: 8 << 20);
            _server.WaitForLine("no space left in the middle of the dump: waiting for the hook", Limit);
        });
        using Command first = Send(_core, _relay.Port, "127.0.0.1");
        _server.WaitForLine("waiting for the hook", Limit);

        string small = Path.Combine(_scratch, "small");
        Workspace.WriteCore(small, pages: 1024);
        using (Command second = Send(small, _server.Port, Other)) Assert.True(second.WaitForExit(Limit) == 0, second.Output + _server.Output);
        AssertSame(small, CrashOf(Other));

        File.WriteAllText(Path.Combine(_scratch, "go"), "");
        Assert.True(first.WaitForExit(Limit) == 0, first.Output + _server.Output); // it was sent away
        Assert.Null(_relay.Failure);
        _server.WaitForLine($"127.0.0.1: no space left in the middle of the dump, .* free and up to .* to come: vmcore-incomplete is removed", Limit);
        _server.WaitForLine("127.0.0.1: log complete", Limit);
        string refused = CrashOf("127.0.0.1");
        Assert.Equal(["log"], Directory.GetFiles(refused).Select(Path.GetFileName));
        Assert.Contains("the last words", File.ReadAllText(Path.Combine(refused, "log")), StringComparison.Ordinal);
        Assert.Equal([$"127.0.0.1 {Path.Combine(_scratch, "store", Path.GetFileName(refused))}"], File.ReadAllLines(_hooks));

        File.Delete(Filler);
        Directory.Delete(refused, recursive: true);
        using (Command again = Send(_core, _server.Port, "127.0.0.1")) Assert.True(again.WaitForExit(Limit) == 0, again.Output + _server.Output);
        AssertSame(_core, CrashOf("127.0.0.1"));
        Assert.Equal(0, _server.Stop());
    }

    [Fact]
    public void A_dump_that_the_disk_refused_goes_on_when_the_hook_makes_room()
    {
        AddHook("rm filler");
        _relay.Begin(2 * Pages, () => Fill(leave: 0));
        using Command send = Send(_core, _relay.Port, "127.0.0.1");
        Assert.True(send.WaitForExit(Limit) == 0, send.Output + _server.Output);
        _server.WaitForLine("waiting for the hook netdump-nospace", Limit);
        _server.WaitForLine("there is space again, the dump goes on", Limit);
        AssertSame(_core, CrashOf("127.0.0.1"));
        Assert.Single(File.ReadAllLines(_hooks));
        Assert.Equal(0, _server.Stop());
    }

    private static Command Send(string core, int port, string from) => new(
        Workspace.Client, ["send", core, "--classic", "--server", $"127.0.0.1:{port}", "--local-address", from, "--timeout", "100"]);

    private static void AssertSame(string core, string crash) =>
        Assert.True(File.ReadAllBytes(core).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(crash, "vmcore"))));

    private string CrashOf(string address) => Assert.Single(Directory.GetDirectories(_server.Store, address + "-*"));

    private void AddHook(string then)
    {
        string path = Path.Combine(_server.Store, "scripts", "netdump-nospace");
        string written = Path.Combine(_scratch, "hook");
        File.WriteAllText(written, $"#!/bin/sh\necho \"$@\" >> {_hooks}\n{then}\n");
        File.SetUnixFileMode(written, (UnixFileMode)0b111_000_000);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Assert.Equal(0, Command.Run("cp", written, path).ExitCode); // nobody here holds it open for writing when it is run
    }

    /// <summary>Takes the room of the disk.</summary>
    private void Fill(long leave)
    {
        byte[] block = new byte[64 << 10];
        using FileStream file = new(Filler, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (new DriveInfo(_server.Store).AvailableFreeSpace >= leave + block.Length) file.Write(block);
        }
        catch (IOException)
        {
            // The dump was quicker: full all the same.
        }
    }

    private void Say(string from, string line)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        socket.SendTo(System.Text.Encoding.ASCII.GetBytes(line), new IPEndPoint(IPAddress.Loopback, _server.Port));
    }
}
