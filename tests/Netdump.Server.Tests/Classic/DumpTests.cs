using Netdump.Protocols.Classic;
using Netdump.Server.Tests.Storage;
using Netdump.Vmcore;
using Netdump.Vmcore.Memory;

namespace Netdump.Server.Tests.Classic;

/// <summary>Whole dumps: the client's own session against the receiver, over a network in memory.</summary>
public sealed class DumpTests
{
    public static TheoryData<ClassicClientProfile, uint, uint, double> Clients => new()
    {
        { ClassicClientProfile.A, 3, 4096, 0 },
        { ClassicClientProfile.A, 3, 4096, 0.05 },
        { ClassicClientProfile.B, 62, 4096, 0 },
        { ClassicClientProfile.B, 50, 16384, 0.05 },
        { ClassicClientProfile.C, 21, 4096, 0.05 },
        { ClassicClientProfile.C, 62, 4096, 0 },
        { ClassicClientProfile.D, 62, 4096, 0.05 },
        { ClassicClientProfile.D, 3, 4096, 0 },
    };

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task Memory_of_every_original_client_arrives_byte_for_byte(ClassicClientProfile profile, uint machine, uint pageSize, double loss)
    {
        using var simulation = new Simulation(seed: 7, loss);
        var client = SimulatedClient.Create(profile, seed: (int)machine, pageSize, machine);
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();

        string directory = Assert.Single(simulation.CrashDirectories);
        Assert.Equal(["log", "vmcore"], Directory.GetFiles(directory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        byte[] file = File.ReadAllBytes(Path.Combine(directory, "vmcore"));
        int begin = (int)Math.Max(4096, pageSize);
        Assert.Equal(begin + client.PageCount * pageSize, file.Length);
        var hole = new byte[pageSize];
        for (uint pfn = 0; pfn < client.PageCount; pfn++)
        {
            byte[] expected = client.Pages.GetValueOrDefault(pfn) ?? hole;
            Assert.True(expected.AsSpan().SequenceEqual(file.AsSpan(begin + (int)(pfn * pageSize), (int)pageSize)), $"page {pfn}");
        }

        var elf = new ElfView(file);
        Assert.Equal(machine, elf.Half(18));
        int registers = (elf.Wide ? 176 + 16 + 112 : 116 + 16 + 72);
        if (machine != 50)
            Assert.Equal(client.Options.Registers.ToArray(), file[registers..(registers + client.Options.Registers.Length)]);
        Assert.True(client.Rebooted);
        Assert.Contains("SysRq : Show State", File.ReadAllText(Path.Combine(directory, "log")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.05)]
    public async Task A_client_of_our_own_leaves_its_proc_vmcore_byte_for_byte(double loss)
    {
        using var simulation = new Simulation(seed: 3, loss);
        KernelCore core = KernelCore.Typical(new Random(5));
        var client = new SimulatedClient(
            new ClassicClientOptions { Memory = Map(core.Pages), Registers = new byte[216] }, core.Pages, core.Header());
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        Assert.True(client.IsExtended);
        Assert.Equal(core.File(), File.ReadAllBytes(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.05)]
    public async Task Pages_that_were_left_out_are_excluded_in_the_stored_dump_and_never_zeros(double loss)
    {
        using var simulation = new Simulation(seed: 3, loss);
        KernelCore core = KernelCore.Typical(new Random(5));
        var client = new SimulatedClient(
            new ClassicClientOptions { Memory = Map(core.Pages), Registers = new byte[216], LeavesOut = true }, core.Pages, WithoutNotes(core));
        client.LeftOut.UnionWith(core.Pages.Keys.Where(pfn => pfn % 3 != 0).Select(pfn => (uint)pfn));
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        Assert.Empty(client.LeftOut.Intersect(client.Asked));
        string directory = Assert.Single(simulation.CrashDirectories);
        Assert.Equal(["log", "vmcore"], Directory.GetFiles(directory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(directory, "vmcore")));
        AssertStored(directory, core, client.LeftOut);
    }

    [Fact]
    public async Task The_memory_of_a_dump_without_VMCOREINFO_is_not_searched_for_it()
    {
        using var simulation = new Simulation();
        KernelCore core = KernelCore.Typical(new Random(5));
        simulation.Clients.Add(new SimulatedClient(
            new ClassicClientOptions { Memory = Map(core.Pages), Registers = new byte[216] }, core.Pages, WithoutNotes(core)));
        await simulation.RunToTheEnd();
        Assert.Contains("it carries no VMCOREINFO", Assert.Single(simulation.Log.Lines, line => line.Id == 325).Text);
        Assert.Equal(2, simulation.Context.LogReads.CurrentCount);
    }

    [Fact]
    public async Task A_dump_whose_every_page_was_left_out_is_complete()
    {
        using var simulation = new Simulation();
        KernelCore core = KernelCore.Typical(new Random(5));
        var client = new SimulatedClient(
            new ClassicClientOptions { Memory = Map(core.Pages), Registers = new byte[216], LeavesOut = true }, core.Pages, WithoutNotes(core));
        client.LeftOut.UnionWith(core.Pages.Keys.Select(pfn => (uint)pfn));
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        AssertStored(Assert.Single(simulation.CrashDirectories), core, client.LeftOut);
    }

    [Fact]
    public async Task Zeros_that_were_spared_are_zeros_and_the_file_equals_proc_vmcore()
    {
        using var simulation = new Simulation();
        KernelCore core = KernelCore.Typical(new Random(5));
        var client = new SimulatedClient(
            new ClassicClientOptions { Memory = Map(core.Pages), Registers = new byte[216], LeavesOut = true }, core.Pages, core.Header())
        { SparesZeros = true };
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        Assert.Equal(core.File(), File.ReadAllBytes(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore")));
    }

    [Fact]
    public async Task Notes_that_make_no_sense_leave_the_dump_incomplete_with_a_line()
    {
        using var simulation = new Simulation();
        KernelCore core = KernelCore.Typical(new Random(5));
        var client = new SimulatedClient(
            new ClassicClientOptions { Memory = Map(core.Pages), Registers = new byte[216], LeavesOut = true }, core.Pages, core.Header());
        client.LeftOut.Add(0x41);
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        Assert.Equal(
            [".left-out", ".session", "log", "vmcore-incomplete"],
            Directory.GetFiles(Assert.Single(simulation.CrashDirectories)).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(1, simulation.Log.Count(308));
    }

    private static byte[] WithoutNotes(KernelCore core)
    {
        byte[] header = core.Header();
        header.AsSpan(KernelCore.PageSize).Clear();
        return header;
    }

    private static void AssertStored(string directory, KernelCore core, HashSet<uint> leftOut)
    {
        using VmcoreFile file = VmcoreFile.Open(Path.Combine(directory, "vmcore"));
        Assert.NotNull(file.Kdump);
        Assert.True(file.IsComplete);
        var page = new byte[4096];
        foreach ((ulong pfn, byte[] expected) in core.Pages)
        {
            bool isLeftOut = leftOut.Contains((uint)pfn);
            Assert.Equal(isLeftOut ? PageState.Excluded : PageState.Present, file.Physical.ReadInPage(pfn, 0, page));
            if (!isLeftOut)
                Assert.Equal(expected, page);
        }
    }

    [Fact]
    public async Task A_header_that_cannot_be_used_leaves_the_plain_layout_and_a_line()
    {
        using var simulation = new Simulation();
        KernelCore core = KernelCore.Typical(new Random(5));
        byte[] header = core.Header();
        header[64 + 56 + 15] = 0x70; // p_offset of the first PT_LOAD is astronomical
        var client = new SimulatedClient(
            new ClassicClientOptions { Memory = Map(core.Pages), Registers = new byte[216], TaskStruct = 0x1234 }, core.Pages, header);
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        byte[] file = File.ReadAllBytes(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore"));
        Assert.Equal(4096 + (int)core.PageCount * 4096, file.Length);
        foreach ((ulong pfn, byte[] page) in core.Pages)
            Assert.Equal(page, file[(4096 + (int)pfn * 4096)..(8192 + (int)pfn * 4096)]);
        Assert.Equal(1, simulation.Log.Count(320));
    }

    [Fact]
    public async Task Pages_the_client_cannot_read_are_holes_and_are_named_in_one_line()
    {
        using var simulation = new Simulation();
        var client = SimulatedClient.Create(ClassicClientProfile.D, seed: 2);
        client.Unreadable.UnionWith([3, 60]);
        simulation.Clients.Add(client);
        await simulation.RunToTheEnd();
        byte[] file = File.ReadAllBytes(Path.Combine(Assert.Single(simulation.CrashDirectories), "vmcore"));
        Assert.All(file[(4096 + 3 * 4096)..(4096 + 4 * 4096)], value => Assert.Equal(0, value));
        Assert.Equal(client.Pages[4], file[(4096 + 4 * 4096)..(4096 + 5 * 4096)]);
        Assert.Contains("2 pages", Assert.Single(simulation.Log.Lines, line => line.Id == 321).Text);
    }

    private static ClassicMemoryMap Map(IReadOnlyDictionary<ulong, byte[]> pages) => new(pages.Keys.Select(pfn => (pfn, pfn + 1)));
}
