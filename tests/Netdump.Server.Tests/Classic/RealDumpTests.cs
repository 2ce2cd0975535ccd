using System.Diagnostics;
using System.Text.RegularExpressions;
using Netdump.Protocols.Classic;
using Netdump.Vmcore;
using Netdump.Vmcore.Tests;

namespace Netdump.Server.Tests.Classic;

/// <summary>The /proc/vmcore of a real 7.3 kernel, 356 MiB, through the whole receiver.</summary>
public sealed partial class RealDumpTests
{
    [Fact]
    public async Task A_real_proc_vmcore_arrives_byte_for_byte_and_its_ring_fills_the_log()
    {
        using VmcoreFile source = VmcoreFile.Open(SharedData.FullCore);
        var header = new byte[source.Elf!.HeaderAreaLength];
        source.Bytes.Read(0, header);
        var page = new byte[source.PageSize];
        var options = new ClassicClientOptions
        {
            Memory = new ClassicMemoryMap(source.Physical.Ranges.Select(range => (range.First, range.End))),
            Registers = source.Processors[0].Registers,
        };
        using var simulation = new Simulation();
        simulation.Clients.Add(new SimulatedClient(options, new Dictionary<ulong, byte[]>(), header)
        {
            ReadPage = pfn =>
            {
                Assert.Equal(page.Length, source.Physical.Read(pfn * (ulong)page.Length, page));
                return page;
            },
        });
        await simulation.RunToTheEnd();

        string directory = Assert.Single(simulation.CrashDirectories);
        using Process compare = Process.Start("cmp", [SharedData.FullCore, Path.Combine(directory, "vmcore")]);
        compare.WaitForExit();
        Assert.Equal(0, compare.ExitCode);

        // No line of it was sent: all comes from the ring in the finished file, without the callers that makedumpfile shows, and with
        // the bytes that it escapes.
        string[] expected = [.. File.ReadLines(SharedData.File("linux-7.3-sysrq-full", "dmesg.txt"))
            .Select(line => Caller().Replace(line, "").Replace(@"\xffffffe2\xffffff82\xffffffac", "€"))];
        Assert.True(expected.Length > 400);
        Assert.Equal([.. expected, "SysRq : Show State", "init  S 0000 1 0"], File.ReadAllLines(Path.Combine(directory, "log")));
    }

    [GeneratedRegex(@"(?<=^\[ *\d+\.\d+\]) \[ *[CT]\d+\]", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Caller();
}
