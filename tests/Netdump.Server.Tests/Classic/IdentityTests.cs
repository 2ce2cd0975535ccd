using System.Net;
using CsCheck;
using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Udp;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Classic;

/// <summary>Which packets belong to which crash.</summary>
public sealed class IdentityTests
{
    [Fact]
    public async Task Two_hosts_behind_one_address_are_dumped_at_once_each_into_its_own_directory()
    {
        using var simulation = new Simulation(seed: 4, loss: 0.05);
        var first = SimulatedClient.Create(ClassicClientProfile.D, seed: 1, port: 40001, task: 0x1000);
        var second = SimulatedClient.Create(ClassicClientProfile.B, seed: 2, port: 40002, task: 0x2000);
        simulation.Clients.AddRange([first, second]);
        await simulation.RunToTheEnd();
        Assert.Equal(2, simulation.CrashDirectories.Length);
        foreach (SimulatedClient client in simulation.Clients)
        {
            Assert.Single(simulation.CrashDirectories, directory =>
            {
                byte[] file = File.ReadAllBytes(Path.Combine(directory, "vmcore"));
                return file.Length == 4096 + client.PageCount * 4096
                    && client.Pages.All(page => page.Value.AsSpan().SequenceEqual(file.AsSpan(4096 + (int)page.Key * 4096, 4096)));
            });
        }
    }

    [Fact]
    public async Task Another_task_in_the_start_of_the_same_peer_begins_another_crash()
    {
        using var simulation = new Simulation();
        var first = SimulatedClient.Create(ClassicClientProfile.D, seed: 1, task: 0x1000);
        var second = SimulatedClient.Create(ClassicClientProfile.D, seed: 2, task: 0x2000);
        first.SilentAfter = 10;
        simulation.Clients.Add(first);
        await simulation.RunUntil(() => first.IsSilent);
        simulation.Clients.Clear();
        simulation.Clients.Add(second);
        await simulation.RunToTheEnd();
        Assert.Equal(2, simulation.CrashDirectories.Length);
        Assert.True(File.Exists(Path.Combine(simulation.CrashDirectories[0], "vmcore-incomplete")));
        Assert.True(File.Exists(Path.Combine(simulation.CrashDirectories[0], ".session")));
        Assert.True(File.Exists(Path.Combine(simulation.CrashDirectories[1], "vmcore")));
        Assert.Equal(0, simulation.Context.Dumps.Taken);
    }

    [Theory]
    [InlineData(6666)]
    [InlineData(6667)]
    public async Task A_handshake_begun_again_after_silence_joins_the_same_crash(int port)
    {
        using var simulation = new Simulation();
        var lost = SimulatedClient.Create(ClassicClientProfile.D, seed: 1);
        lost.SilentAfter = 10;
        simulation.Clients.Add(lost);
        await simulation.RunUntil(() => lost.IsSilent);
        TimeSpan silence = simulation.Now;
        await simulation.RunUntil(() => simulation.Now - silence > TimeSpan.FromSeconds(15));
        simulation.Clients.Clear();
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1, port: (ushort)port));
        await simulation.RunToTheEnd();
        Assert.True(File.Exists(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore")));
    }

    [Theory]
    [InlineData(6666)]
    [InlineData(6667)]
    public async Task A_client_that_was_given_up_and_begins_again_joins_what_it_left(int port)
    {
        using var simulation = new Simulation();
        var lost = SimulatedClient.Create(ClassicClientProfile.D, seed: 1);
        lost.SilentAfter = 50;
        simulation.Clients.Add(lost);
        await simulation.RunUntil(() => simulation.Receiver.OpenCrashes == 1);
        await simulation.RunToTheEnd();
        string directory = Assert.Single(simulation.CrashDirectories);
        SessionFile.Read(Path.Combine(directory, SessionFile.FileName), out _, out PageMap map, out _);
        Assert.InRange(map.Accounted, 1u, 100u);

        var back = SimulatedClient.Create(ClassicClientProfile.D, seed: 1, port: (ushort)port);
        simulation.Clients.Add(back);
        await simulation.RunToTheEnd();
        Assert.Equal(directory, Assert.Single(simulation.CrashDirectories));
        Assert.Equal(["log", "vmcore"], Directory.GetFiles(directory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(back.Asked, pfn => map.Contains(pfn));
        Assert.Equal(back.Asked.Count, back.Asked.Distinct().Count());
        byte[] file = File.ReadAllBytes(Path.Combine(directory, "vmcore"));
        foreach ((ulong pfn, byte[] page) in back.Pages)
            Assert.True(page.AsSpan().SequenceEqual(file.AsSpan(4096 + (int)pfn * 4096, 4096)), $"page {pfn}");
        Assert.Equal(1, simulation.Log.Count(328));
    }

    [Fact]
    public async Task A_start_from_another_port_while_the_first_is_busy_is_another_crash()
    {
        using var simulation = new Simulation();
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1, port: 40001));
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1, port: 40002));
        await simulation.RunToTheEnd();
        Assert.Equal(2, simulation.CrashDirectories.Length);
    }

    [Fact]
    public async Task Console_text_goes_to_the_crash_of_its_port_or_to_the_only_one_or_to_nobody()
    {
        using var simulation = new Simulation();
        var first = SimulatedClient.Create(ClassicClientProfile.D, seed: 1, port: 40001, task: 0x1000);
        var second = SimulatedClient.Create(ClassicClientProfile.D, seed: 1, port: 40002, task: 0x2000);
        Peer netlog = first.Peer.WithPort(6664);
        byte[] text = Text("from 6664\n");
        Assert.False(simulation.Receiver.Receive(text, netlog, simulation.Now));

        first.SilentAfter = second.SilentAfter = 5;
        simulation.Clients.Add(first);
        await simulation.RunUntil(() => simulation.Receiver.OpenCrashes == 1);
        Assert.True(simulation.Receiver.Receive(text, netlog, simulation.Now));
        Assert.False(simulation.Receiver.Receive(text, new Peer(AddressKey.From(IPAddress.Parse("192.0.2.9")), 6664), simulation.Now));

        simulation.Clients.Add(second);
        await simulation.RunUntil(() => simulation.Receiver.OpenCrashes == 2);
        Assert.False(simulation.Receiver.Receive(text, netlog, simulation.Now));
        Assert.True(simulation.Receiver.Receive(Text("of the second\n"), second.Peer, simulation.Now));
        await simulation.RunToTheEnd();
        Assert.Contains("from 6664", File.ReadAllText(Path.Combine(simulation.CrashDirectories[0], "log")));
        Assert.Contains("of the second", File.ReadAllText(Path.Combine(simulation.CrashDirectories[1], "log")));
        Assert.DoesNotContain("of the second", File.ReadAllText(Path.Combine(simulation.CrashDirectories[0], "log")));
    }

    [Fact]
    public async Task Console_text_after_the_crash_was_closed_is_the_console_s_again()
    {
        using var simulation = new Simulation();
        var client = SimulatedClient.Create(ClassicClientProfile.D, seed: 1);
        simulation.Clients.Add(client);
        await simulation.RunUntil(() => simulation.Log.Count(304) == 1);
        Assert.Equal(1, simulation.Receiver.OpenCrashes);
        Assert.False(simulation.Receiver.Receive(Text("next boot\n"), client.Peer, simulation.Now));
        Assert.False(simulation.Receiver.Receive(Text("next boot\n"), client.Peer.WithPort(6664), simulation.Now));
        Assert.False(simulation.Receiver.TryFindLog(client.Peer, simulation.Now, out _));
    }

    [Fact]
    public async Task A_wrong_magic_opens_nothing_and_is_named_once()
    {
        using var simulation = new Simulation();
        Directory.CreateDirectory(Path.Combine(simulation.Root, "magic"));
        File.WriteAllText(Path.Combine(simulation.Root, "magic", "192.0.2.1"), "0000000000000001\n");
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1));
        await simulation.RunUntil(() => simulation.Now > TimeSpan.FromSeconds(5));
        Assert.Empty(simulation.CrashDirectories);
        Assert.Equal(1, simulation.Log.Count(310));
        Assert.Equal(0, simulation.Clients[0].Acknowledgements);
    }

    [Fact]
    public async Task Starts_from_ever_new_ports_of_one_address_open_only_so_many_crashes()
    {
        using var simulation = new Simulation();
        for (ushort port = 1000; port < 1040; port++)
            simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1, port: port, task: port));
        TimeSpan limit = TimeSpan.FromSeconds(2);
        foreach (SimulatedClient client in simulation.Clients)
            client.SilentAfter = 0;
        await simulation.RunUntil(() => simulation.Now > limit);
        Assert.InRange(simulation.CrashDirectories.Length, 1, 16);
        Assert.InRange(simulation.Receiver.OpenCrashes, 1, 16);
        Assert.Equal(1, simulation.Log.Count(326));
    }

    [Fact]
    public void Random_datagrams_never_throw_and_open_nothing()
    {
        using var simulation = new Simulation();
        Gen.Byte.Array[0, 1100].Sample(datagram =>
        {
            if (datagram.Length > 8)
                (datagram[5], datagram[6], datagram[7], datagram[8]) = (0, 0, 0, (byte)(datagram[8] % 14 == 8 ? 3 : datagram[8] % 14));
            simulation.Receiver.Receive(datagram, new Peer(AddressKey.FromIPv4(0xc0000201), 6666), TimeSpan.Zero);
            simulation.Receiver.Advance(TimeSpan.Zero);
        }, iter: 2000, threads: 1);
        Assert.Equal(0, simulation.Receiver.OpenCrashes);
    }

    private static byte[] Text(string text)
    {
        var datagram = new byte[ClassicReplyHeader.Size + text.Length];
        new ClassicReplyHeader(4, 0, ClassicReplyCode.Log, 0).Write(datagram);
        System.Text.Encoding.ASCII.GetBytes(text, datagram.AsSpan(ClassicReplyHeader.Size));
        return datagram;
    }
}
