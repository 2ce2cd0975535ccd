using System.Net;
using Netdump.Protocols.Classic;
using Netdump.Server.Hooks;
using Netdump.Server.Options;
using Netdump.Server.Store;

namespace Netdump.Server.Tests.Classic;

/// <summary>What a crash leaves on disk and which hooks run, whatever happens on its way.</summary>
public sealed class CrashLifeTests
{
    [Fact]
    public async Task Item31_the_crash_hook_runs_once_with_address_and_directory()
    {
        using var simulation = new Simulation(seed: 5, loss: 0.3);
        simulation.AddHook("netdump-crash");
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.D, seed: 1));
        await simulation.RunToTheEnd();
        await simulation.RunUntil(() => simulation.HookLines.Length != 0);
        Assert.Equal([$"netdump-crash 192.0.2.1 {Assert.Single(simulation.CrashDirectories)}"], simulation.HookLines);
    }

    [Fact]
    public async Task Item32_no_space_runs_the_hook_once_and_still_sends_the_client_away()
    {
        using var simulation = new Simulation(freeSpace: _ => 1000);
        simulation.AddHook("netdump-nospace");
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.C, seed: 1));
        await simulation.RunToTheEnd();
        string directory = Assert.Single(simulation.CrashDirectories);
        Assert.Equal([$"netdump-nospace 192.0.2.1 {directory}"], simulation.HookLines);
        Assert.Equal(["log"], Directory.GetFiles(directory).Select(Path.GetFileName));
        Assert.Contains("SysRq : Show State", File.ReadAllText(Path.Combine(directory, "log")));
        Assert.True(simulation.Clients[0].Rebooted);
        Assert.Equal(1, simulation.Log.Count(307));
    }

    [Fact]
    public async Task Item32_a_hook_whose_turn_never_comes_holds_up_no_session()
    {
        using var simulation = new Simulation(
            freeSpace: _ => 1000, options: new ServerOptions { MaxHooks = 1, HookTimeout = TimeSpan.FromSeconds(1) });
        simulation.AddHook("netdump-start", "sleep 60");
        simulation.AddHook("netdump-nospace");
        for (byte host = 1; host < 40; host++)
            _ = simulation.Context.Hooks.RunAsync(HookName.Start, new IPAddress([10, 0, 0, host]), null);
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.C, seed: 1));
        long began = Environment.TickCount64;
        await simulation.RunUntil(() => simulation.Clients[0].Rebooted);
        Assert.InRange(Environment.TickCount64 - began, 0, 35_000);
        Assert.Equal(1, simulation.Log.Count(404));
        Assert.Equal(1, simulation.Log.Count(307));
    }

    [Fact]
    public async Task Item32_space_made_by_the_hook_is_used()
    {
        string? room = null;
        using var simulation = new Simulation(freeSpace: _ => File.Exists(room) ? 1L << 40 : 0);
        room = Path.Combine(simulation.Root, "room");
        simulation.AddHook("netdump-nospace", $"touch {room}");
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.C, seed: 1));
        await simulation.RunToTheEnd();
        Assert.True(File.Exists(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore")));
        Assert.Equal(0, simulation.Log.Count(307));
    }

    [Fact]
    public async Task Item32_without_the_check_no_space_is_looked_for()
    {
        using var simulation = new Simulation(freeSpace: _ => 0, options: new ServerOptions { SpaceCheck = false });
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.C, seed: 1));
        await simulation.RunToTheEnd();
        Assert.True(File.Exists(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore")));
    }

    [Fact]
    public async Task Item33_the_reboot_hook_sees_the_finished_files()
    {
        using var simulation = new Simulation();
        simulation.AddHook("netdump-reboot", $"ls -A \"$2\" >> {Path.Combine(simulation.Root, "seen")}");
        simulation.Clients.Add(SimulatedClient.Create(ClassicClientProfile.B, seed: 1));
        await simulation.RunToTheEnd();
        string seen = Path.Combine(simulation.Root, "seen");
        await simulation.RunUntil(() => File.Exists(seen) && File.ReadAllText(seen).Contains("vmcore"));
        Assert.Equal([$"netdump-reboot 192.0.2.1 {Assert.Single(simulation.CrashDirectories)}"], simulation.HookLines);
        Assert.Equal(["log", "vmcore"], File.ReadAllLines(seen));
    }

    [Fact]
    public async Task Item35_the_file_is_incomplete_until_its_last_page()
    {
        using var simulation = new Simulation();
        var client = SimulatedClient.Create(ClassicClientProfile.D, seed: 1);
        var names = new List<string[]>();
        client.OnMemoryRequest = _ => names.Add([.. Directory.GetFiles(simulation.CrashDirectories[0]).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)]);
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        Assert.NotEmpty(names);
        Assert.All(names, seen => Assert.Equal([".session", "vmcore-incomplete"], seen.Where(name => name.Contains("vmcore") || name == ".session")));
        Assert.Equal(["log", "vmcore"], Directory.GetFiles(simulation.CrashDirectories[0]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Item36_a_client_that_falls_silent_is_told_to_reboot_and_its_file_stays_incomplete()
    {
        using var simulation = new Simulation();
        simulation.AddHook("netdump-reboot");
        var client = SimulatedClient.Create(ClassicClientProfile.D, seed: 1);
        client.SilentAfter = 20;
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        Assert.InRange(client.Reboots, 3, 10);
        string directory = Assert.Single(simulation.CrashDirectories);
        Assert.True(File.Exists(Path.Combine(directory, "vmcore-incomplete")));
        Assert.False(File.Exists(Path.Combine(directory, "vmcore")));
        await simulation.RunUntil(() => simulation.HookLines.Length == 1);
        Assert.Equal(0, simulation.Context.Dumps.Taken);

        // What came is on disk, and the session file says what that is.
        SessionFile.Read(Path.Combine(directory, ".session"), out SessionHeader header, out PageMap map, out PageMap synced);
        Assert.Equal((SessionState.Ended, map.Accounted), (header.State, synced.Accounted));
        Assert.Equal(("192.0.2.1", 6666, client.PageCount), (header.Address, header.Port, (uint)header.PageCount));
        Assert.InRange(map.Accounted, 1u, 40u);
        byte[] file = File.ReadAllBytes(Path.Combine(directory, "vmcore-incomplete"));
        foreach ((ulong pfn, byte[] page) in client.Pages.Where(page => map.Contains(page.Key)))
            Assert.Equal(page, file[(4096 + (int)pfn * 4096)..(8192 + (int)pfn * 4096)]);
    }

    [Fact]
    public async Task Item36_a_vmcore_in_the_way_is_not_overwritten_and_the_client_reboots()
    {
        using var simulation = new Simulation();
        var client = SimulatedClient.Create(ClassicClientProfile.B, seed: 1);
        client.OnMemoryRequest = _ => File.WriteAllText(Path.Combine(simulation.CrashDirectories[0], "vmcore"), "precious");
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        string directory = Assert.Single(simulation.CrashDirectories);
        Assert.Equal("precious", File.ReadAllText(Path.Combine(directory, "vmcore")));
        Assert.True(File.Exists(Path.Combine(directory, "vmcore-incomplete")));
        Assert.True(client.Rebooted);
        Assert.Equal(1, simulation.Log.Count(308));
    }

    [Fact]
    public async Task Item37_one_private_directory_for_a_crash_however_often_it_says_start()
    {
        using var simulation = new Simulation(seed: 9, loss: 0.4);
        var client = SimulatedClient.Create(ClassicClientProfile.D, seed: 1);
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        string directory = Assert.Single(simulation.CrashDirectories);
        Assert.Equal("192.0.2.1-2026-03-04-05:06", Path.GetFileName(directory));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(directory));
        Assert.All(Directory.GetFiles(directory), file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
    }

    [Fact]
    public async Task Item12_a_start_in_the_middle_of_a_dump_is_acknowledged_and_the_dump_goes_on()
    {
        using var simulation = new Simulation();
        var client = SimulatedClient.Create(ClassicClientProfile.D, seed: 1);
        var again = SimulatedClient.Create(ClassicClientProfile.D, seed: 1);
        client.OnMemoryRequest = number =>
        {
            if (number == 30)
                simulation.Send(client.Peer, again.Outgoing.Dequeue());
        };
        again.Advance(TimeSpan.Zero);
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        Assert.True(client.Acknowledgements >= 2);
        Assert.True(File.Exists(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore")));
    }

    [Fact]
    public async Task Item11_an_unknown_machine_is_logged_and_rebooted_without_a_dump()
    {
        using var simulation = new Simulation();
        var client = SimulatedClient.Create(ClassicClientProfile.D, seed: 1, machine: 22);
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        Assert.Equal(["log"], Directory.GetFiles(Assert.Single(simulation.CrashDirectories)).Select(Path.GetFileName));
        Assert.Equal(1, simulation.Log.Count(309));
    }
}
