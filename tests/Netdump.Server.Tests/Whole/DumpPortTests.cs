using System.Net.Sockets;
using System.Text;
using CsCheck;
using Netdump.Protocols.Classic;
using Netdump.Server.Options;
using Netdump.Server.Tests.Classic;

namespace Netdump.Server.Tests.Whole;

public sealed class DumpPortTests
{
    private static readonly byte[] Startup =
        [4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, .. "[...network console startup...]\n"u8];

    private static string ConsoleText(ServerUnderTest server, string host)
    {
        string directory = Path.Combine(server.Options.Store, "console", host);
        if (!Directory.Exists(directory)) return "";
        return string.Concat(Directory.GetFiles(directory, "*.log").Order().Select(File.ReadAllText));
    }

    [Theory]
    [InlineData(ClassicClientProfile.Netdump)]
    [InlineData(ClassicClientProfile.B)]
    [InlineData(ClassicClientProfile.D)]
    public void A_crash_over_a_real_socket_leaves_its_memory_and_its_log(ClassicClientProfile profile)
    {
        using ServerUnderTest server = new();
        foreach (string hook in new[] { "netdump-start", "netdump-crash", "netdump-reboot" })
            server.Hook(hook, $"echo {hook} $# $1 >> {server.Root}/hooks");
        using (Socket early = server.Connect(port: 0))
        {
            early.Send(Startup);
            early.Send("6,100,3000000,-;before the crash\n"u8);
            server.WaitFor(() => ConsoleText(server, "127.0.0.1").Contains("before the crash", StringComparison.Ordinal));
        }

        SimulatedClient client = SimulatedClient.Create(profile, seed: 7);
        using Socket socket = server.Connect();
        server.Drive(client, socket, () => client.Reboots > 0);
        server.WaitFor(() => server.Log.Count(304) == 1);

        string crash = Assert.Single(server.Crashes);
        Assert.Matches(@"/127\.0\.0\.1-\d{4}-\d\d-\d\d-\d\d:\d\d$", crash);
        Assert.False(File.Exists(crash + "/vmcore-incomplete"));
        byte[] stored = File.ReadAllBytes(crash + "/vmcore");
        long first = stored.Length - (client.PageCount * 4096L);
        Assert.InRange(first, 1, 1 << 20);
        foreach ((ulong pfn, byte[] page) in client.Pages)
            Assert.Equal(page, stored.AsSpan((int)(first + ((long)pfn * 4096)), 4096).ToArray());
        string log = File.ReadAllText(crash + "/log");
        Assert.Contains("before the crash", log, StringComparison.Ordinal);
        Assert.Contains("SysRq : Show State", log, StringComparison.Ordinal);
        Assert.All(Directory.GetFiles(crash), f =>
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(f)));
        server.WaitFor(() => server.Log.Count(305) == 1);
        foreach (int line in new[] { 100, 300, 301, 303, 304, 305 }) Assert.Equal(1, server.Log.Count(line));
        server.WaitFor(() => File.ReadLines(server.Root + "/hooks").Count() == 3);
        Assert.Equal(
            ["netdump-start 1 127.0.0.1", "netdump-crash 2 127.0.0.1", "netdump-reboot 2 127.0.0.1"], File.ReadLines(server.Root + "/hooks"));
    }

    [Fact]
    public void Records_from_the_port_of_a_session_are_the_crash_log_and_those_from_another_port_the_console()
    {
        using ServerUnderTest server = new();
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.Netdump, seed: 8);
        using Socket socket = server.Connect(), console = server.Connect();
        bool sent = false;
        client.OnMemoryRequest = number =>
        {
            if (sent) return;
            sent = true;
            socket.Send("2,500,9000000,-;Kernel panic - not syncing\n"u8);
            socket.Send("6,7,100000,-;capture kernel speaks\n NETDUMP=capture\n"u8);
            console.Send("6,8,200000,-;another boot altogether\n"u8);
        };
        server.Drive(client, socket, () => client.Reboots > 0);
        server.WaitFor(() => server.Log.Count(304) == 1);
        string crash = Assert.Single(server.Crashes);
        string log = File.ReadAllText(crash + "/log");
        Assert.Contains("[    9.000000] Kernel panic - not syncing", log, StringComparison.Ordinal);
        Assert.DoesNotContain("capture kernel speaks", log, StringComparison.Ordinal);
        Assert.DoesNotContain("another boot", log, StringComparison.Ordinal);
        Assert.Contains("capture kernel speaks", File.ReadAllText(crash + "/capture.log"), StringComparison.Ordinal);
        server.WaitFor(() => ConsoleText(server, "127.0.0.1").Contains("another boot altogether", StringComparison.Ordinal));
    }

    [Fact]
    public void The_engine_takes_no_nap_while_a_window_is_open()
    {
        using ServerUnderTest server = new(o => o with { Threads = 1 });
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.Netdump, seed: 12);
        List<long> naps = [];
        client.OnMemoryRequest = _ => naps.Add(server.Server.Counters.Naps);
        using Socket socket = server.Connect();
        server.Drive(client, socket, () => client.Reboots > 0);
        Assert.True(naps.Count > 20, $"{naps.Count} requests");
        Assert.Single(naps.Distinct());
        Assert.True(naps[0] > 0, "before the window opened there were naps");
    }

    [Fact]
    public void Two_hosts_behind_one_address_have_a_crash_each()
    {
        using ServerUnderTest server = new();
        SimulatedClient first = SimulatedClient.Create(ClassicClientProfile.D, seed: 1), second = SimulatedClient.Create(ClassicClientProfile.D, seed: 2, task: 5);
        using Socket one = server.Connect(), two = server.Connect();
        Parallel.Invoke(
            () => server.Drive(first, one, () => first.Reboots > 0),
            () => server.Drive(second, two, () => second.Reboots > 0));
        server.WaitFor(() => server.Log.Count(303) == 2);
        Assert.Equal(2, server.Crashes.Length);
        Assert.Equal(2, server.Crashes.Count(c => File.Exists(c + "/vmcore")));
    }

    [Fact]
    public void Item38_more_dumps_than_allowed_are_logged_and_rebooted_without_memory()
    {
        using ServerUnderTest server = new(o => o with { MaxConcurrentDumps = 0 });
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.D, seed: 3);
        bool asked = false;
        client.OnMemoryRequest = _ => asked = true;
        using Socket socket = server.Connect();
        server.Drive(client, socket, () => client.Reboots > 0);
        Assert.False(asked);
        Assert.Equal(1, server.Log.Count(306));
        Assert.All(server.Crashes, c => Assert.Empty(Directory.GetFiles(c, "vmcore*")));
    }

    [Fact]
    public void Item39_secure_hosts_without_a_magic_file_are_ignored_and_named_once_and_a_file_lets_them_in()
    {
        using ServerUnderTest server = new(o => o with { Secure = SecurePolicy.Always });
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.D, seed: 4);
        using Socket socket = server.Connect();
        socket.Send(Startup);
        server.Drive(client, socket, () => server.Server.Refused.UnknownHost >= 3);
        Assert.Empty(server.Crashes);
        Assert.False(Directory.Exists(server.Options.Store + "/console"));
        Assert.Equal(1, server.Log.Count(311));
        Assert.Equal(0, client.Acknowledgements);

        Directory.CreateDirectory(server.Options.Store + "/magic");
        File.WriteAllText(server.Options.Store + "/magic/127.0.0.1", "123456789abcdef0\n");
        server.Drive(client, socket, () => client.Acknowledgements > 0);
        server.WaitFor(() => server.Crashes.Length == 1);
    }

    [Fact]
    public void A_host_with_another_magic_than_its_file_is_ignored_and_named_once()
    {
        using ServerUnderTest server = new();
        Directory.CreateDirectory(server.Options.Store + "/magic");
        File.WriteAllText(server.Options.Store + "/magic/127.0.0.1", "0000000000000001\n");
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.D, seed: 5);
        using Socket socket = server.Connect();
        server.Drive(client, socket, () => server.Server.Counters.Datagrams >= 3);
        server.WaitFor(() => server.Log.Count(310) == 1);
        Assert.Empty(server.Crashes);
        Assert.Equal(0, client.Acknowledgements);
    }

    [Fact]
    public void Addresses_outside_the_allowed_networks_are_counted_named_once_and_leave_nothing_until_a_reload_allows_them()
    {
        using ServerUnderTest server = new(o => o with { AllowedNetworks = NetworkList.Parse(["127.0.0.9"]) });
        using Socket stranger = server.Connect(), friend = server.Connect("127.0.0.9");
        for (int i = 0; i < 5; i++) stranger.Send("6,1,1,-;hello\n"u8);
        friend.Send("6,1,1,-;hello\n"u8);
        server.WaitForDatagrams(6);
        server.WaitFor(() => ConsoleText(server, "127.0.0.9").Length > 0);
        server.WaitFor(() => server.Server.Refused.Rejected == 5 && server.Log.Count(204) > 0);
        Assert.Equal(1, server.Log.Count(204));
        Assert.False(Directory.Exists(server.Options.Store + "/console/127.0.0.1"));

        server.Server.Reload(server.Options with { AllowedNetworks = NetworkList.Private, Port = 1 });
        Assert.Equal(1, server.Log.Count(102));
        Assert.Contains("port changed: takes effect after a restart", server.Log.Lines);
        Assert.Equal(1, server.Log.Count(104));
        stranger.Send("6,2,2,-;hello again\n"u8);
        server.WaitFor(() => ConsoleText(server, "127.0.0.1").Contains("hello again", StringComparison.Ordinal));
    }

    [Fact]
    public void Junk_is_counted_named_once_and_never_makes_a_host()
    {
        using ServerUnderTest server = new();
        using Socket socket = server.Connect();
        socket.Send(Array.Empty<byte>());
        socket.Send([0x16, 3, 1, 0, 0xff, 0, 0, 1]); // TLS
        socket.Send([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, (byte)'w', (byte)'w', (byte)'w', 0, 0, 1, 0, 1]); // DNS
        socket.Send([6, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, (byte)'x']); // classic layout, version 6
        server.WaitForDatagrams(4);
        server.WaitFor(() => server.Server.Refused.UnknownVersion == 1);
        Assert.Equal((2, 1), (server.Server.Refused.Junk, server.Server.Refused.Empty));
        server.Server.Stop();
        Assert.Equal(1, server.Log.Count(206));
        Assert.Equal(1, server.Log.Count(207));
        Assert.Empty(Directory.GetFileSystemEntries(server.Options.Store));
    }

    [Fact]
    public void Random_datagrams_never_fail_a_handler()
    {
        using ServerUnderTest server = new();
        using Socket socket = server.Connect();
        long sent = 0;
        Gen.Byte.Array[0, 80].Array[0, 20].Sample(
            batch =>
            {
                foreach (byte[] bytes in batch)
                {
                    socket.Send(bytes);
                    if (bytes.Length > 9) bytes[0] = 4;
                    if (bytes.Length > 9) bytes.AsSpan(5, 3).Clear();
                    if (bytes.Length > 9) bytes[8] %= 13;
                    socket.Send(bytes);
                    sent += 2;
                }

                server.WaitForDatagrams(sent);
            },
            iter: 100, threads: 1);
        Assert.Equal(0, server.Server.Counters.Failed);
        Assert.Equal(0, server.Log.Count(202));
        Assert.Equal(0, server.Log.Count(203));
    }

    [Fact]
    public void Stopping_in_the_middle_of_a_dump_keeps_what_came_and_the_session_file()
    {
        using ServerUnderTest server = new();
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.D, seed: 6);
        client.SilentAfter = 40;
        using Socket socket = server.Connect();
        server.Drive(client, socket, () => client.IsSilent);
        server.Server.Stop();
        string crash = Assert.Single(server.Crashes);
        Assert.True(File.Exists(crash + "/vmcore-incomplete"));
        Assert.True(File.Exists(crash + "/.session"));
        Assert.True(File.Exists(crash + "/log"));
        Assert.False(File.Exists(crash + "/vmcore"));
        Assert.Equal(1, server.Log.Count(101));
    }

    [Fact]
    public void A_line_of_the_console_is_on_disk_when_the_server_has_stopped()
    {
        using ServerUnderTest server = new();
        using Socket socket = server.Connect();
        socket.Send(Encoding.ASCII.GetBytes("6,1,1000,-;last words\n"));
        server.WaitForDatagrams(1);
        server.Server.Stop();
        Assert.Contains("[    0.001000] last words", ConsoleText(server, "127.0.0.1"), StringComparison.Ordinal);
    }
}
