using System.Text;
using Netdump.Protocols.NetConsole;

namespace Netdump.Protocols.Tests.NetConsole;

/// <summary>The capture kernel's own console (item 43): its command line holds elfcorehdr=.</summary>
public class CaptureKernelTests
{
    private const string Banner = "Linux version 6.1.0-56-amd64";
    private const string Capture = "Command line: BOOT_IMAGE=/vmlinuz root=/dev/vda1 nr_cpus=1 elfcorehdr=0x3f000000";
    private readonly Collected _collected = new();
    private readonly ConsoleStream _stream = new(new ConsoleWorkspace());

    private void Extended(double at, ulong sequence, double clock, string text, int priority = 6)
    {
        Advance(at);
        byte[] datagram = Encoding.ASCII.GetBytes($"{priority},{sequence},{(ulong)(clock * 1e6)},-;{text}\n");
        _stream.ReceiveExtended(datagram, TimeSpan.FromSeconds(at), _collected.Sink);
    }

    private void Basic(double at, string text)
    {
        Advance(at);
        _stream.ReceiveBasic(Encoding.ASCII.GetBytes(text), TimeSpan.FromSeconds(at), _collected.Sink);
    }

    private void Advance(double at)
    {
        while (_stream.NextDeadline <= TimeSpan.FromSeconds(at)) _stream.Advance(_stream.NextDeadline, _collected.Sink);
    }

    [Fact]
    public void Item43_its_records_are_marked_and_begin_no_boot_but_the_reboot_after_it_does()
    {
        Extended(100, 400, 50, "the dead kernel");
        Extended(101, 401, 51, "Kernel panic - not syncing", priority: 0);
        Extended(108, 2, 0, "BIOS-provided physical RAM map:");
        Extended(108.001, 0, 0, Banner);
        Extended(108.002, 1, 0, Capture);
        Extended(108.003, 3, 0, "BIOS-e820");
        Extended(109, 4, 1.5, "Run /init as init process");
        Extended(140, 0, 0, Banner);
        Extended(140.001, 1, 0, "Command line: BOOT_IMAGE=/vmlinuz root=/dev/vda1 crashkernel=128M");
        Advance(200);
        Assert.Equal(
            [(400UL, false), (401, false), (0, true), (1, true), (2, true), (3, true), (4, true), (0, false), (1, false)],
            _collected.Items.Select(i => (i.Sequence, i.IsCapture)));
        Assert.Equal([7], _collected.Items.Select((item, at) => (item, at)).Where(x => x.item.Boot == BootVerdict.New).Select(x => x.at));
    }

    [Fact]
    public void Item43_a_reboot_is_a_boot_though_its_numbers_and_times_go_on_where_the_capture_kernel_stopped()
    {
        Extended(108, 0, 0, Banner);
        Extended(108.01, 1, 0, Capture);
        Extended(110, 2, 2, "Run /init as init process");
        Extended(140, 390, 5, "up again");
        Extended(141, 391, 6, "and on");
        Advance(200);
        Assert.Equal([true, true, true, false, false], _collected.Items.Select(i => i.IsCapture));
        Assert.Equal(BootVerdict.New, _collected.Items[3].Boot);
    }

    [Fact]
    public void Item43_a_server_that_was_started_meanwhile_knows_it_too()
    {
        Extended(108, 0, 0, Banner);
        Extended(108.01, 12, 0, "Kernel " + Capture[0..1].ToLowerInvariant() + Capture[1..]);
        Advance(200);
        Assert.All(_collected.Items, i => Assert.Equal((true, BootVerdict.Same), (i.IsCapture, i.Boot)));
    }

    [Fact]
    public void Item43_a_line_written_by_a_user_makes_no_capture_kernel()
    {
        Extended(108, 0, 0, Banner);
        Extended(108.01, 1, 0, Capture, priority: 14);
        Extended(108.02, 2, 0, "BOOT: elfcorehdr=0x3f000000");
        Advance(200);
        Assert.All(_collected.Items, i => Assert.False(i.IsCapture));
        Assert.Equal(BootVerdict.First, _collected.Items[0].Boot);
    }

    [Fact]
    public void Item43_the_same_in_basic_text()
    {
        Basic(100, "[   50.000000] the dead kernel\n");
        Basic(108, $"[    0.000000] {Banner}\n");
        Basic(108.001, $"[    0.000000] {Capture}\n[    0.000000] BIOS-e820\n");
        Basic(109, "[    1.500000] Run /init as init process\n");
        Basic(140, $"[    0.000000] {Banner}\n");
        Assert.Equal(5, _collected.Items.Count);
        Advance(140.25);
        Basic(141, "[    1.000000] the next boot\n");
        Assert.Equal([false, true, true, true, true, false, false], _collected.Items.Select(i => i.IsCapture));
        Assert.Equal(
            [BootVerdict.First, BootVerdict.Same, BootVerdict.Same, BootVerdict.Same, BootVerdict.Same, BootVerdict.New, BootVerdict.Same],
            _collected.Items.Select(i => i.Boot));
    }

    [Fact]
    public void A_banner_waits_for_no_more_than_its_command_line()
    {
        Basic(100, $"[    0.000000] {Banner}\n[    0.000000] Command line: root=/dev/vda1\n[    0.000000] BIOS-e820\n");
        Assert.Equal(3, _collected.Items.Count);
        Basic(200, $"[    0.000000] {Banner}\n[    0.000000] {new string('x', 5000)}\n");
        Assert.Equal(5, _collected.Items.Count);
        Basic(300, $"[    0.000000] {Banner}\n");
        _stream.Flush(TimeSpan.FromSeconds(300), _collected.Sink);
        Assert.Equal(6, _collected.Items.Count);
    }
}
