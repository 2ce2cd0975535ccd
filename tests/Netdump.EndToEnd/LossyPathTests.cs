using System.Buffers;
using System.Text;
using Netdump.Vmcore;

namespace Netdump.EndToEnd;

/// <summary>The main job over a network that loses, doubles and reorders: nothing of it may show in what is stored.</summary>
public sealed class LossyPathTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8); // some 40 s on an idle machine

    [Fact]
    public void Item60_a_crash_over_a_lossy_path_leaves_the_same_vmcore_and_a_complete_log()
    {
        string scratch = Workspace.Scratch();
        using DumpServer server = new(Path.Combine(scratch, "crash"));
        using LossyRelay relay = new(server.Port, seed: 20261125);
        using Guest guest = new(Workspace.Kernel("6.1"), scratch,
            ["NETDUMPADDR=10.0.2.2", $"NETDUMPPORT={relay.Port}", "CAPTURE_DIGEST=yes"], "sysrq", memoryMiB: 384);
        guest.WaitForReboot(Limit);

        string crash = KernelCrashTests.WaitForCrash(server);
        server.WaitForLine("log complete", Limit);
        relay.Dispose();
        foreach ((long all, long lost, long doubled, long overtaken) in new[] { relay.ToServer, relay.ToClient })
        {
            Assert.True(all > 10_000, $"{all} datagrams only");
            Assert.All([lost, doubled, overtaken], n => Assert.InRange(n, all / 25, all / 15));
        }

        KernelCrashTests.AssertEqualsProcVmcore(guest.Console, Path.Combine(crash, "vmcore"));
        AssertWholeLog(crash);
        KernelCrashTests.AssertLog(guest.Console, crash, "Kernel panic - not syncing: sysrq triggered crash");
        Assert.Equal(0, server.Stop());
        Directory.Delete(scratch, recursive: true);
    }

    /// <summary>
    /// The log is the dead kernel's ring, line for line: nothing missing, nothing twice, no mark of a loss. Behind it stands the state, whose
    /// pieces the classic protocol neither numbers nor asks for again.
    /// </summary>
    private static void AssertWholeLog(string crash)
    {
        ArrayBufferWriter<byte> ring = new();
        using (VmcoreFile vmcore = VmcoreFile.Open(Path.Combine(crash, "vmcore")))
        {
            foreach (var record in vmcore.ReadLog()) Render(ring, record.Nanoseconds / 1000, record.Text.Span);
        }

        string log = File.ReadAllText(Path.Combine(crash, "log"));
        string expected = Encoding.UTF8.GetString(ring.WrittenSpan);
        Assert.Equal(expected, log[..Math.Min(expected.Length, log.Length)]);
        Assert.DoesNotMatch(@"(?m)^\[ *\d+\.\d{6}\]", log[expected.Length..]);
        Assert.Contains("\ntask:", log[expected.Length..], StringComparison.Ordinal);
    }

    // As a serial console shows it: the time before each line.
    private static void Render(ArrayBufferWriter<byte> output, ulong microseconds, ReadOnlySpan<byte> text)
    {
        foreach (Range line in text.Split((byte)'\n'))
        {
            output.Write(Encoding.ASCII.GetBytes($"[{microseconds / 1_000_000,5}.{microseconds % 1_000_000:d6}] "));
            output.Write(text[line]);
            output.Write("\n"u8);
        }
    }
}
