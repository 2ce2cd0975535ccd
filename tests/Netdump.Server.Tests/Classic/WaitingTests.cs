using Netdump.Protocols.Classic;
using Netdump.Server.Options;
using Netdump.Server.Receivers.Classic;
using Netdump.Server.Receivers.Udp;

namespace Netdump.Server.Tests.Classic;

/// <summary>More clients than places: START is not acknowledged until there is one (item 38).</summary>
public sealed class WaitingTests
{
    [Theory]
    [InlineData(ClassicClientProfile.D)]
    [InlineData(ClassicClientProfile.A)]
    [InlineData(ClassicClientProfile.Netdump)]
    public async Task Item38_a_client_waits_unacknowledged_until_a_place_is_free_and_then_is_dumped(ClassicClientProfile profile)
    {
        using var simulation = new Simulation(options: new ServerOptions { MaxConcurrentDumps = 1 });
        SimulatedClient first = await OccupyAsync(simulation);
        SimulatedClient second = Client(profile, 2);
        simulation.Clients.Add(second);
        TimeSpan since = simulation.Now;
        await simulation.RunUntil(() => simulation.Now - since > TimeSpan.FromSeconds(12));
        Assert.Equal((0, 1), (second.Acknowledgements, simulation.Receiver.WaitingClients));
        Assert.Equal(ClassicClientPhase.Handshake, second.Phase);
        Assert.Single(simulation.CrashDirectories);
        Assert.Equal(1, simulation.Log.Count(330));

        first.IsSilent = false;
        await simulation.RunToTheEnd();
        Assert.Equal(2, simulation.CrashDirectories.Length);
        Assert.All(simulation.CrashDirectories, directory => Assert.True(File.Exists(Path.Combine(directory, "vmcore"))));
        Assert.Equal((0, 0), (simulation.Context.Dumps.Taken, simulation.Receiver.WaitingClients));
        Assert.Equal(0, simulation.Log.Count(306));
    }

    [Fact]
    public async Task Item38_after_ten_minutes_log_and_state_are_taken_without_memory_and_the_client_reboots()
    {
        using var simulation = new Simulation(options: new ServerOptions { MaxConcurrentDumps = 1 });
        simulation.Context.Dumps.Take(); // a dump of another engine thread that lasts
        SimulatedClient client = Client(ClassicClientProfile.D, 2);
        client.OnMemoryRequest = _ => Assert.Fail("memory was asked");
        simulation.Clients.Add(client);
        simulation.Pace = TimeSpan.FromSeconds(1);
        await simulation.RunUntil(() => simulation.Now > WaitingStarts.Patience - TimeSpan.FromSeconds(2));
        Assert.Equal(0, client.Acknowledgements);
        Assert.Empty(simulation.CrashDirectories);
        await simulation.RunToTheEnd();
        string directory = Assert.Single(simulation.CrashDirectories);
        Assert.Equal(["log"], Directory.GetFiles(directory).Select(Path.GetFileName));
        Assert.Contains("SysRq : Show State", File.ReadAllText(Path.Combine(directory, "log")));
        Assert.True(client.Rebooted);
        Assert.Equal((1, 1), (simulation.Log.Count(306), simulation.Context.Dumps.Taken));
    }

    [Fact]
    public async Task Item38_where_no_dumps_are_wanted_nobody_waits_for_one()
    {
        using var simulation = new Simulation(options: new ServerOptions { MaxConcurrentDumps = 0 });
        simulation.Clients.Add(Client(ClassicClientProfile.D, 2));
        await simulation.RunToTheEnd();
        Assert.InRange(simulation.Now, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Assert.Equal(["log"], Directory.GetFiles(Assert.Single(simulation.CrashDirectories)).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Ten_thousand_starts_past_the_limit_leave_nothing_on_disk_and_a_bounded_list()
    {
        using var simulation = new Simulation(options: new ServerOptions { MaxConcurrentDumps = 1 });
        simulation.Context.Dumps.Take();
        for (uint host = 0; host < 10_000; host++)
            simulation.Send(new Peer(AddressKey.FromIPv4(0x0a000001 + host), 6666), HostileStartTests.Start(host + 1));
        for (ushort port = 1; port <= 100; port++)
            simulation.Send(new Peer(AddressKey.FromIPv4(0x09000001), port), HostileStartTests.Start(port));
        await simulation.RunUntil(() => simulation.Now > TimeSpan.FromSeconds(1));
        Assert.Equal((0, WaitingStarts.Maximum), (simulation.Receiver.OpenCrashes, simulation.Receiver.WaitingClients));
        Assert.Empty(simulation.CrashDirectories);

        // Made-up hosts do not repeat their START, and hold up nobody for long.
        simulation.Clients.Add(Client(ClassicClientProfile.D, 2));
        simulation.Context.Dumps.Release();
        await simulation.RunToTheEnd();
        Assert.True(File.Exists(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore")));
    }

    [Fact]
    public void Those_that_wait_longer_come_first_and_those_that_fell_silent_hold_up_nobody()
    {
        var waiting = new WaitingStarts();
        var start = new ClassicStart(62, 5, 1, 2, 3, Extension: true);
        Peer[] peers = [.. Enumerable.Range(1, 3).Select(host => new Peer(AddressKey.FromIPv4((uint)host), 6666))];
        for (int i = 0; i < 3; i++)
            Assert.Equal(WaitingVerdict.First, waiting.Wait(peers[i], start, TimeSpan.FromMilliseconds(i), out _));
        TimeSpan now = TimeSpan.FromSeconds(1);
        Assert.Equal((true, false), (waiting.IsNext(peers[0], 1, now), waiting.IsNext(peers[1], 1, now)));
        Assert.Equal((true, false), (waiting.IsNext(peers[1], 2, now), waiting.IsNext(peers[0], 0, now)));
        Assert.False(waiting.IsNext(new Peer(AddressKey.FromIPv4(9), 1), 3, now));
        now = TimeSpan.FromSeconds(6);
        Assert.Equal(WaitingVerdict.Waits, waiting.Wait(peers[2], start, now, out bool owesSign));
        Assert.True(owesSign);
        Assert.True(waiting.IsNext(peers[2], 1, now));
        Assert.Equal(WaitingVerdict.Waits, waiting.Wait(peers[2], start, now, out owesSign));
        Assert.False(owesSign);
    }

    [Fact]
    public void A_client_waits_ten_minutes_and_begins_anew_when_it_was_gone()
    {
        var waiting = new WaitingStarts();
        var start = new ClassicStart(62, 5, 1, 2, 3, Extension: false);
        var peer = new Peer(AddressKey.FromIPv4(1), 6666);
        Assert.Equal(WaitingVerdict.First, waiting.Wait(peer, start, TimeSpan.Zero, out _));
        for (int second = 1; second < 600; second++)
            Assert.Equal(WaitingVerdict.Waits, waiting.Wait(peer, start, TimeSpan.FromSeconds(second), out _));
        Assert.Equal(WaitingVerdict.WaitedEnough, waiting.Wait(peer, start, TimeSpan.FromSeconds(600), out _));
        Assert.Equal(WaitingVerdict.First, waiting.Wait(peer, start, TimeSpan.FromSeconds(700), out _));
    }

    /// <summary>A client that has the only place and says nothing for now.</summary>
    private static async Task<SimulatedClient> OccupyAsync(Simulation simulation)
    {
        SimulatedClient first = Client(ClassicClientProfile.D, 1);
        bool asked = false;
        first.OnMemoryRequest = _ => asked = true;
        simulation.Clients.Add(first);
        await simulation.RunUntil(() => asked);
        first.IsSilent = true;
        return first;
    }

    private static SimulatedClient Client(ClassicClientProfile profile, int number) =>
        SimulatedClient.Create(profile, seed: number, address: $"192.0.2.{number}");
}
