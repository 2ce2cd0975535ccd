using Netdump.Server.Store;

namespace Netdump.Server.Tests.Console;

/// <summary>What a crash's log and capture.log take from the host's console while the crash is open.</summary>
public sealed class CaptureConsoleTests : IDisposable
{
    private const string CommandLine = "Command line: root=/dev/vda1 nr_cpus=1 elfcorehdr=0x3f000000";
    private readonly ConsoleLab _lab = new();

    public void Dispose() => _lab.Dispose();

    private string Crash(string name) => File.ReadAllText(Assert.Single(Directory.GetDirectories(_lab.Root, "10.0.0.5-*")) + "/" + name);

    private void Panic()
    {
        _lab.Extended(400, 50, "the dead kernel");
        _lab.Extended(401, 51, "Kernel panic - not syncing");
        _lab.Settle();
        _lab.Wait(8);
    }

    private void CaptureKernel()
    {
        _lab.Extended(0, 0, "Linux version 6.1.0-56-amd64");
        _lab.Extended(1, 0, CommandLine);
        _lab.Basic($"[    0.000000] Linux version 6.1.0-56-amd64\n[    0.000000] {CommandLine}\n");
        _lab.Settle();
    }

    [Fact]
    public async Task Item43_a_capture_kernel_that_speaks_for_itself_is_shown_under_the_crash_and_is_no_boot()
    {
        Panic();
        CaptureKernel();
        CrashLog log = _lab.OpenCrash(_lab.MakeCrash());
        _lab.Extended(2, 1.5, "Run /init as init process");
        _lab.Settle();
        _lab.Wait(1);
        log.Advance(_lab.Now);
        // Our client sends the same kernel's records once more.
        foreach (int i in (int[])[1, 2, 3])
            log.ReceiveExtended(ConsoleLab.Bytes($"6,{i},{i * 1000000},-;capture record {i}\n NETDUMP=capture\n"), 5000, _lab.Now);
        Assert.Null(await log.CompleteAsync(_lab.Now));

        Assert.Equal("[   50.000000] the dead kernel\n[   51.000000] Kernel panic - not syncing\n", Crash("log"));
        string captured = Crash("capture.log");
        Assert.StartsWith($"[    0.000000] Linux version 6.1.0-56-amd64\n[    0.000000] {CommandLine}\n", captured, StringComparison.Ordinal);
        Assert.EndsWith("[    1.500000] Run /init as init process\n[    3.000000] capture record 3\n", captured, StringComparison.Ordinal);
        string console = _lab.Text();
        Assert.Equal(1, console.Split("-- boot --").Length - 1);
        Assert.Equal(1, console.Split("-- capture kernel --").Length - 1);
        Assert.Equal(2, _lab.Receiver.LogOf(_lab.Peer).ReadBoot(_lab.Now, out _).Count(e => e.Kind == JournalKind.Extended));

        // The reboot after it is a boot, and ends what the capture kernel said.
        _lab.Wait(60);
        _lab.Extended(390, 3, "up again");
        _lab.Settle();
        Assert.Equal(2, _lab.Text().Split("-- boot --").Length - 1);
        Assert.False(File.Exists(_lab.File("10.0.0.5", "capture")));
    }

    [Fact]
    public async Task Item43_a_restarted_server_shows_no_line_of_the_capture_kernel_twice_and_goes_on()
    {
        Panic();
        CaptureKernel();
        CrashDirectory directory = _lab.MakeCrash();
        CrashLog log = _lab.OpenCrash(directory);
        log.Flush(_lab.Now);
        string before = Crash("capture.log");
        _lab.Extended(2, 1.5, "Run /init as init process");
        _lab.Settle();
        log = _lab.OpenCrash(directory);
        Assert.Null(await log.CompleteAsync(_lab.Now));
        Assert.Equal(before + "[    1.500000] Run /init as init process\n", Crash("capture.log"));
    }

    [Fact]
    public async Task What_an_old_capture_kernel_said_is_not_of_this_crash()
    {
        Panic();
        CaptureKernel();
        _lab.Wait(3600);
        CrashLog log = _lab.OpenCrash(_lab.MakeCrash());
        Assert.Null(await log.CompleteAsync(_lab.Now));
        Assert.False(File.Exists(Assert.Single(Directory.GetDirectories(_lab.Root, "10.0.0.5-*")) + "/capture.log"));
    }

    [Fact]
    public async Task A_record_that_comes_after_the_crash_opened_is_in_its_place_in_the_log()
    {
        Panic();
        _lab.Extended(405, 51.2, "end");
        _lab.Settle();
        CrashLog log = _lab.OpenCrash(_lab.MakeCrash());
        _lab.Extended(403, 51.1, "was long on its way");
        _lab.Basic("[   51.100000] second target\n");
        _lab.Settle();
        Assert.Null(await log.CompleteAsync(_lab.Now));
        Assert.Equal(
            "[   50.000000] the dead kernel\n[   51.000000] Kernel panic - not syncing\n[   51.100000] was long on its way\n"
            + "[   51.100000] second target\n[   51.200000] end\n",
            Crash("log"));
    }

    [Fact]
    public async Task Records_of_another_boot_are_not_followed()
    {
        Panic();
        CrashLog log = _lab.OpenCrash(_lab.MakeCrash());
        _lab.Wait(60);
        _lab.Extended(2, 1, "another boot");
        _lab.Settle();
        _lab.Extended(3, 1.5, "of the same host");
        _lab.Settle();
        Assert.Null(await log.CompleteAsync(_lab.Now));
        Assert.DoesNotContain("another", Crash("log"), StringComparison.Ordinal);
        Assert.DoesNotContain("same host", Crash("log"), StringComparison.Ordinal);
    }
}
