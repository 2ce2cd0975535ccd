using System.Buffers;
using System.IO.Hashing;
using System.Text.RegularExpressions;
using Netdump.Vmcore.Tests;

namespace Netdump.EndToEnd;

/// <summary>The main job: a real kernel crashes, and a minute later the server holds a log and a vmcore that crash opens.</summary>
public partial class KernelCrashTests(CrashedGuests guests)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    [InlineData("newest")]
    public void Sysrq_c_leaves_log_and_vmcore(string series)
    {
        CrashedGuest guest = guests.Of(series);
        // Item 4 of netconsole's checklist: the next hop's own hardware address, asked from it (QEMU's gateway), never broadcast.
        Assert.Contains("remote ethernet address 52:55:0a:00:02:02", guest.Console, StringComparison.Ordinal);
        AssertEqualsProcVmcore(guest.Console, guest.Vmcore);
        AssertLog(guest.Console, guest.Crash, "Kernel panic - not syncing: sysrq triggered crash");
        string bt = DebuggedStack(guest);
        Assert.Contains("sysrq_handle_crash", bt, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    [InlineData("newest")]
    public void A_null_dereference_in_a_process_is_dumped_because_start_set_panic_on_oops(string series)
    {
        CrashedGuest guest = guests.Of(CrashCause.Of(series, "null"));
        AssertEqualsProcVmcore(guest.Console, guest.Vmcore);
        string log = AssertLog(guest.Console, guest.Crash, "BUG: kernel NULL pointer dereference");
        Assert.Contains("netdump_lab_dereference", log, StringComparison.Ordinal);
        Assert.Contains("netdump_lab", DebuggedStack(guest), StringComparison.Ordinal);
    }

    /// <summary>
    /// Item 53 of the operators' checklist: of two equal cards the capture kernel names the one eth0 that was eth1, and the other leads nowhere.
    /// </summary>
    [Fact]
    public void Item_53_with_two_equal_cards_in_swapped_order_the_dump_leaves_by_the_right_one()
    {
        CrashedGuest guest = guests.Fixed61;
        Assert.Contains("path: eth1 10.0.2.15 -> 10.0.2.2", guest.Console, StringComparison.Ordinal);
        Assert.Contains("link up: eth0 (eth1 before), 10.0.2.15/24", guest.Console, StringComparison.Ordinal);
        AssertEqualsProcVmcore(guest.Console, guest.Vmcore);
    }

    [Fact]
    public void Stop_disarms_and_restores_what_start_changed()
    {
        string scratch = Workspace.Scratch();
        using Guest guest = new(Workspace.Kernel("6.1"), scratch, ["NETDUMPADDR=10.0.2.2"], "stop");
        guest.WaitForReboot(Limit);
        Assert.Contains("guest: netdump start said 0", guest.Console, StringComparison.Ordinal);
        Assert.Contains("guest: netdump status said 1", guest.Console, StringComparison.Ordinal);
        Assert.Contains("guest: netdump stop said 0", guest.Console, StringComparison.Ordinal);
        string[] after = guest.Console.Split("guest: netdump stop said")[1].Split('\n');
        Assert.Equal(["0", "0"], after.Skip(1).Where(l => l is "0" or "1").Take(2));   // kexec_crash_loaded, panic_on_oops
        Directory.Delete(scratch, recursive: true);
    }

    internal static string WaitForCrash(DumpServer server)
    {
        server.WaitForLine("complete", TimeSpan.FromSeconds(30));
        string crash = Assert.Single(server.Crashes);
        Assert.Matches(@"127\.0\.0\.1-\d{4}-\d\d-\d\d-\d\d:\d\d$", crash);
        for (int tries = 0; !File.Exists(Path.Combine(crash, "vmcore")) || File.Exists(Path.Combine(crash, ".session")); tries++)
        {
            Assert.True(tries < 400, $"no finished vmcore in {crash}:\n{server.Output}");
            Command.Pause();
        }
        return crash;
    }

    internal static void AssertEqualsProcVmcore(string console, string vmcore)
    {
        Match said = DigestLine().Match(console);
        Assert.True(said.Success, "the capture kernel printed no digest of /proc/vmcore:\n" + console);
        Assert.Equal(long.Parse(said.Groups["size"].Value), new FileInfo(vmcore).Length);
        Assert.Equal(said.Groups["digest"].Value, Digest(vmcore));
        Assert.False(File.Exists(vmcore + "-incomplete"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(vmcore));
    }

    internal static string AssertLog(string console, string crash, string head)
    {
        string log = File.ReadAllText(Path.Combine(crash, "log"));
        // What the dead kernel said long before arming (its ring), just before the crash (netconsole), and the panic itself.
        foreach (string text in new[] { "Linux version ", "lab: a notice before the crash, with a tab", "lab: a warning of crashguest before the crash", head })
            Assert.Single(log.Split('\n'), line => line.Contains(text, StringComparison.Ordinal));
        // Nothing twice, everything in order of time as a serial console shows it.
        double[] times = [.. log.Split('\n').Select(l => TimePrefix().Match(l)).Where(m => m.Success).Select(m => double.Parse(m.Groups[1].Value))];
        Assert.True(times.Length > 200, log);
        Assert.Contains("Command line", log, StringComparison.Ordinal);
        Assert.DoesNotContain("elfcorehdr=", log, StringComparison.Ordinal);
        // Each line of the first kernel's serial console is there once.
        HashSet<string> lines = [.. log.Split('\n').Select(l => l.TrimEnd())];
        string[] serial = [.. console.Split('\n').TakeWhile(l => !l.Contains("elfcorehdr=", StringComparison.Ordinal))
            .Where(l => TimePrefix().IsMatch(l)).Select(l => l.TrimEnd())];
        string[] absent = [.. serial.Where(l => !lines.Contains(l) && !l.Contains("  0.000000]", StringComparison.Ordinal))];
        Assert.True(absent.Length <= serial.Length / 50, "on the serial console, not in the log:\n" + string.Join('\n', absent));
        // What the capture kernel said lies beside it.
        Assert.Contains("elfcorehdr=", File.ReadAllText(Path.Combine(crash, "capture.log")), StringComparison.Ordinal);
        return log;
    }

    // crash 9.0.2 cannot read the newest kernel.
    private static string DebuggedStack(CrashedGuest guest)
    {
        if (guest.Kernel.Series != "newest") return CrashUtility.Run(guest.Kernel, guest.Vmcore, "bt");
        string[] module = File.Exists(guest.Module) ? ["-s", guest.Module] : [];
        return Command.Succeed(Judges.Drgn, ["-q", "-c", guest.Vmcore, "-s", guest.Kernel.VmlinuxWithSymbols, .. module, "-e", "print(prog.crashed_thread().stack_trace())"]);
    }

    private static string Digest(string path)
    {
        XxHash128 hash = new();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        using FileStream file = File.OpenRead(path);
        for (int n; (n = file.Read(buffer)) > 0;) hash.Append(buffer.AsSpan(0, n));
        ArrayPool<byte>.Shared.Return(buffer);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    [GeneratedRegex(@"netdump: /proc/vmcore is (?<size>\d+) bytes, xxh128 (?<digest>[0-9a-f]{32})")]
    private static partial Regex DigestLine();

    [GeneratedRegex(@"^\[ *(\d+\.\d{6})\] ")]
    private static partial Regex TimePrefix();
}
