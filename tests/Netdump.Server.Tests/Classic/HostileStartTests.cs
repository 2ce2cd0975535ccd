using System.Net;
using Netdump.Protocols.Classic;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Tests.Classic;

/// <summary>Source addresses of UDP can be made up, and a START opens a directory: what forged and mad peers cost.</summary>
public sealed class HostileStartTests
{
    [Fact]
    public async Task Ten_thousand_forged_sources_open_only_so_many_crashes_and_no_consoles()
    {
        using var simulation = new Simulation();
        for (uint host = 0; host < 10_000; host++)
            simulation.Send(new Peer(AddressKey.FromIPv4(0x0a000001 + host), 6666), Start(host + 1));
        await simulation.RunUntil(() => simulation.Now > TimeSpan.FromSeconds(2));
        Assert.Equal(CrashQuota.MaximumUnanswered, simulation.CrashDirectories.Length);
        Assert.Equal(CrashQuota.MaximumUnanswered, simulation.Receiver.OpenCrashes);
        Assert.Equal(1, simulation.Log.Count(327));
        Assert.False(Directory.Exists(Path.Combine(simulation.Root, "console")));
    }

    [Fact]
    public async Task Hosts_with_a_magic_file_are_dumped_also_while_others_are_made_up()
    {
        using var simulation = new Simulation();
        Directory.CreateDirectory(Path.Combine(simulation.Root, "magic"));
        File.WriteAllText(Path.Combine(simulation.Root, "magic", "192.0.2.1"), "123456789abcdef0\n");
        for (uint host = 0; host < 1000; host++)
            simulation.Send(new Peer(AddressKey.FromIPv4(0x0a000001 + host), 6666), Start(host + 1));
        await simulation.RunUntil(() => simulation.Receiver.OpenCrashes == CrashQuota.MaximumUnanswered);
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1));
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1, address: "192.0.2.2"));
        await simulation.RunUntil(() => simulation.Clients[0].Rebooted);
        Assert.Single(simulation.CrashDirectories, d => Path.GetFileName(d).StartsWith("192.0.2.1-", StringComparison.Ordinal));
        Assert.DoesNotContain(simulation.CrashDirectories, d => Path.GetFileName(d).StartsWith("192.0.2.2-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_peer_that_says_another_start_each_time_opens_only_so_many_crashes()
    {
        using var simulation = new Simulation();
        var peer = new Peer(AddressKey.From(IPAddress.Parse("192.0.2.1")), 6666);
        for (ulong task = 1; task <= 200; task++)
        {
            simulation.Send(peer, Start(task));
            TimeSpan next = simulation.Now + TimeSpan.FromMilliseconds(100);
            await simulation.RunUntil(() => simulation.Now > next);
        }

        Assert.InRange(simulation.CrashDirectories.Length, 20, CrashQuota.MaximumPerAddress);
        Assert.Equal(1, simulation.Log.Count(326));
    }

    [Fact]
    public void Places_come_back_with_an_answer_and_with_time()
    {
        CrashQuota quota = new();
        AddressKey address = AddressKey.FromIPv4(1);
        CrashQuota.Place first = quota.Take(address, TimeSpan.Zero);
        CrashQuota.Place second = quota.Take(address, TimeSpan.FromMinutes(1));
        Assert.Equal((2, 2), (quota.Unanswered, quota.Of(address)));
        second.NoteAnswer();
        second.NoteAnswer();
        Assert.Equal((1, 2), (quota.Unanswered, quota.Of(address)));
        quota.Take(address, TimeSpan.FromMinutes(1)).GiveBack();
        Assert.Equal((1, 2), (quota.Unanswered, quota.Of(address)));
        quota.Expire(CrashQuota.Window);
        Assert.Equal((0, 1), (quota.Unanswered, quota.Of(address)));
        first.NoteAnswer();
        first.GiveBack();
        Assert.Equal((0, 1), (quota.Unanswered, quota.Of(address)));
        quota.Expire(CrashQuota.Window + TimeSpan.FromMinutes(1));
        Assert.Equal((0, 0), (quota.Unanswered, quota.Of(address)));
    }

    [Fact]
    public async Task A_magic_that_is_refused_for_long_takes_no_place()
    {
        using var simulation = new Simulation();
        string file = Path.Combine(Directory.CreateDirectory(Path.Combine(simulation.Root, "magic")).FullName, "192.0.2.1");
        File.WriteAllText(file, "0000000000000001\n");
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1));
        await simulation.RunUntil(() => simulation.Now > TimeSpan.FromSeconds(30));
        File.WriteAllText(file, "123456789abcdef0\n");
        await simulation.RunToTheEnd();
        Assert.True(File.Exists(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore")));
    }

    internal static byte[] Start(ulong task)
    {
        var start = new ClassicStart(62, 5, task, 0, 1, Extension: false);
        var datagram = new byte[ClassicReplyHeader.Size + ClassicStart.MaximumPayload];
        start.Header.Write(datagram);
        int length = start.WritePayload(datagram.AsSpan(ClassicReplyHeader.Size));
        return datagram[..(ClassicReplyHeader.Size + length)];
    }
}
