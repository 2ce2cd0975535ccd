using System.Net.Sockets;
using System.Text.Json;
using Netdump.Protocols.Classic;
using Netdump.Server.Store;
using Netdump.Server.Tests.Classic;
using Netdump.Server.Tests.Storage;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Server.Tests.Whole;

/// <summary>The server ends and another goes on with its crashes. Killed as a process it is in the end-to-end tests.</summary>
public sealed class RestartTests
{
    [Theory]
    [InlineData(ClassicClientProfile.A, 3u)]
    [InlineData(ClassicClientProfile.D, 62u)]
    public void A_dump_goes_on_without_a_word_of_the_client(ClassicClientProfile profile, uint machine)
    {
        using ServerUnderTest server = new();
        SimulatedClient client = SimulatedClient.Create(profile, seed: 4, machine: machine, address: "127.0.0.1");
        GoOn(server, client, restartAt: 20);
        byte[] file = File.ReadAllBytes(Path.Combine(server.Crashes[0], "vmcore"));
        Assert.Equal(4096 + ((int)client.PageCount * 4096), file.Length);
        foreach ((ulong pfn, byte[] page) in client.Pages)
            Assert.True(page.AsSpan().SequenceEqual(file.AsSpan(4096 + (int)pfn * 4096, 4096)), $"page {pfn}");
        Assert.Equal(1, client.Acknowledgements);
        string log = File.ReadAllText(Path.Combine(server.Crashes[0], "log"));
        Assert.Contains("SysRq : Show State", log);
    }

    [Fact]
    public void A_proc_vmcore_is_whole_byte_for_byte()
    {
        using ServerUnderTest server = new();
        KernelCore core = KernelCore.Typical(new Random(5));
        SimulatedClient client = new(
            new ClassicClientOptions
            {
                Memory = new ClassicMemoryMap(core.Pages.Keys.Select(pfn => (pfn, pfn + 1))),
                Registers = new byte[216],
                Magic = 77,
            },
            core.Pages, core.Header(), address: "127.0.0.1");
        GoOn(server, client, restartAt: 40);
        Assert.Equal(core.File(), File.ReadAllBytes(Path.Combine(server.Crashes[0], "vmcore")));
    }

    [Fact]
    public void Pages_that_were_left_out_are_known_to_the_next_process_too()
    {
        using ServerUnderTest server = new();
        KernelCore core = KernelCore.Typical(new Random(5));
        byte[] header = core.Header();
        header.AsSpan(KernelCore.PageSize).Clear(); // without notes: these are no kernel's
        SimulatedClient client = new(
            new ClassicClientOptions
            {
                Memory = new ClassicMemoryMap(core.Pages.Keys.Select(pfn => (pfn, pfn + 1))),
                Registers = new byte[216],
                Magic = 77,
                LeavesOut = true,
            },
            core.Pages, header, address: "127.0.0.1");
        client.LeftOut.UnionWith(core.Pages.Keys.Where(pfn => pfn % 3 == 1).Select(pfn => (uint)pfn));
        GoOn(server, client, restartAt: 40);
        Assert.Empty(client.LeftOut.Intersect(client.Asked));
        using VmcoreFile file = VmcoreFile.Open(Path.Combine(server.Crashes[0], "vmcore"));
        Assert.True(file.IsComplete);
        var bytes = new byte[4096];
        foreach ((ulong pfn, byte[] page) in core.Pages)
        {
            bool isLeftOut = client.LeftOut.Contains((uint)pfn);
            Assert.Equal(isLeftOut ? PageState.Excluded : PageState.Present, file.Physical.ReadInPage(pfn, 0, bytes));
            Assert.True(isLeftOut || page.AsSpan().SequenceEqual(bytes), $"page {pfn}");
        }

        Assert.False(File.Exists(Path.Combine(server.Crashes[0], ".left-out")));
    }

    [Fact]
    public void A_crash_whose_vmcore_is_complete_goes_on_with_state_and_reboot()
    {
        using ServerUnderTest server = new();
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.D, seed: 4, address: "127.0.0.1");
        using Socket socket = server.Connect();
        server.Drive(client, socket, () => client.Phase == ClassicClientPhase.Serving && Has(server, "vmcore"));
        client.IsSilent = true; // the server waits for the state
        server.Restart();
        Assert.True(File.Exists(Path.Combine(server.Crashes[0], SessionFile.FileName)));
        int asked = client.Asked.Count;
        client.IsSilent = false;
        server.Drive(client, socket, () => client.Reboots > 0);
        server.WaitFor(() => server.Log.Lines.Any(line => line.Contains("log complete", StringComparison.Ordinal)));
        Assert.Equal(asked, client.Asked.Count);
        Assert.Equal(["log", "vmcore"], Directory.GetFiles(Assert.Single(server.Crashes)).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_crash_that_had_only_begun_is_asked_from_the_beginning_in_its_directory()
    {
        using ServerUnderTest server = new();
        SimulatedClient client = SimulatedClient.Create(ClassicClientProfile.D, seed: 4, address: "127.0.0.1");
        using Socket socket = server.Connect();
        client.Advance(TimeSpan.Zero);
        socket.Send(client.Outgoing.Dequeue());
        server.WaitFor(() => Has(server, SessionFile.FileName));
        server.Restart();
        server.Drive(client, socket, () => client.Reboots > 0);
        Assert.True(File.Exists(Path.Combine(Assert.Single(server.Crashes), "vmcore")));
    }

    [Fact]
    public void A_start_that_names_no_boot_is_another_crash_of_a_dump_that_another_process_left()
    {
        using ServerUnderTest server = new();
        SimulatedClient before = Client(magic: 0x1111_1111_1111_1111);
        using Socket socket = server.Connect();
        server.Drive(before, socket, () => before.Asked.Count > 5);
        server.Restart();
        SimulatedClient after = Client(magic: 0x1111_1111_1111_1111);
        server.Drive(after, socket, () => after.Reboots > 0);
        Assert.Equal(2, server.Crashes.Length);
        Assert.True(File.Exists(Path.Combine(server.Crashes[1], "vmcore")));
    }

    [Theory]
    [InlineData("no JSON")]
    [InlineData("{}")]
    [InlineData("pages")]
    [InlineData("address")]
    public void A_session_that_makes_no_sense_is_told_and_left_as_it_is(string kind)
    {
        using ServerUnderTest server = new();
        string crash = Directory.CreateDirectory(Path.Combine(server.Options.Store, "127.0.0.9-2026-01-02-03:04")).FullName;
        SessionHeader header = SessionHeader.Of(new ClassicStart(62, 5, 1, 2, 3, false), System.Net.IPAddress.Loopback, 1, null, default);
        string text = kind switch
        {
            "pages" => JsonSerializer.Serialize(header with { State = SessionState.Receiving, PageCount = 1UL << 60 }),
            "address" => JsonSerializer.Serialize(header with { Address = "nobody" }),
            _ => kind,
        };
        // The program writes names in camel case.
        text = System.Text.RegularExpressions.Regex.Replace(text, "\"([A-Z])([A-Za-z]+)\":", m => $"\"{char.ToLowerInvariant(m.Groups[1].Value[0])}{m.Groups[2].Value}\":");
        File.WriteAllText(Path.Combine(crash, SessionFile.FileName), text.PadRight(SessionFile.HeaderBytes, '\n'));
        server.Restart();
        Assert.Contains(server.Log.Lines, line => line.Contains("127.0.0.9-2026-01-02-03:04 is not gone on with", StringComparison.Ordinal));
        Assert.Equal([SessionFile.FileName], Directory.GetFiles(crash).Select(Path.GetFileName));
    }

    /// <summary>A dump with the server ended in the middle: only what was under way is asked again.</summary>
    private static void GoOn(ServerUnderTest server, SimulatedClient client, int restartAt)
    {
        using Socket socket = server.Connect();
        server.Drive(client, socket, () => client.Asked.Count >= restartAt);
        server.Restart();
        HashSet<uint> asked = [.. client.Asked];
        int before = client.Asked.Count;
        server.Drive(client, socket, () => client.Reboots > 0);
        server.WaitFor(() => Has(server, "vmcore"));
        Assert.Single(server.Crashes);
        Assert.Contains(server.Log.Lines, line => line.Contains("going on with the dump", StringComparison.Ordinal));
        // What is known went out of this socket; beyond that, a window of requests may have been under way.
        Assert.InRange(client.Asked.Skip(before).Where(asked.Contains).Distinct().Count(), 0, 64);
    }

    private static bool Has(ServerUnderTest server, string name) =>
        server.Crashes.Length == 1 && File.Exists(Path.Combine(server.Crashes[0], name));

    private static SimulatedClient Client(ulong magic)
    {
        Dictionary<ulong, byte[]> pages = Enumerable.Range(1, 300).ToDictionary(pfn => (ulong)pfn, _ => new byte[4096]);
        return new SimulatedClient(
            new ClassicClientOptions
            {
                Profile = ClassicClientProfile.D,
                Machine = 62,
                Memory = new ClassicMemoryMap([(1, 301)]),
                TaskStruct = 0x1000,
                Magic = magic,
                Registers = new byte[216],
            },
            pages, address: "127.0.0.1");
    }
}
