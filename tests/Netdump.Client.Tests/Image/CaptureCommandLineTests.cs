using CsCheck;
using Netdump.Client.Image;

namespace Netdump.Client.Tests.Image;

public class CaptureCommandLineTests
{
    private const string Ours = "nr_cpus=1 irqpoll reset_devices panic=10 oops=panic rootfstype=ramfs DOTNET_GCHeapHardLimit=4000000 DOTNET_GCgen0size=100000";

    [Theory]
    [InlineData("BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro quiet crashkernel=256M console=ttyS0,115200", "root=UUID=1 ro console=ttyS0,115200 " + Ours)]
    [InlineData("crashkernel=1G,high crashkernel=64M,low netconsole=@/,@10.0.0.2/ x", "x " + Ours)]
    [InlineData("default_hugepagesz=1G hugepagesz=1G hugepages=8 y", "y " + Ours)]
    [InlineData("dyndbg=\"file a.c +p\" panic=0 -- single", "dyndbg=\"file a.c +p\" " + Ours)]
    [InlineData("nr_cpus=8 maxcpus=2 rdinit=/other init=/x", Ours)]
    [InlineData("", Ours)]
    [InlineData("quietly nonet.console=1", "quietly nonet.console=1 " + Ours)]
    public void The_running_line_loses_what_only_fits_it(string running, string expected) => Assert.Equal(expected, CaptureCommandLine.Make(running, 1, ""));

    [Fact]
    public void Processors_and_additions_are_configured() =>
        Assert.Equal("a nr_cpus=4 irqpoll reset_devices panic=10 oops=panic rootfstype=ramfs DOTNET_GCHeapHardLimit=4000000 DOTNET_GCgen0size=100000 panic=0 b=\"c d\"", CaptureCommandLine.Make("a", 4, " panic=0  b=\"c d\" "));

    [Fact]
    public void Too_long_a_line_is_refused_before_the_kernel_cuts_it()
    {
        string fits = new('x', CaptureCommandLine.MaxLength - Ours.Length - 1);
        Assert.Equal(CaptureCommandLine.MaxLength, CaptureCommandLine.Make(fits, 1, "").Length);
        Assert.Contains("shorten CAPTURE_CMDLINE", Assert.Throws<ClientException>(() => CaptureCommandLine.Make(fits + "y", 1, "")).Message);
    }

    [Fact]
    public void Other_words_stay_in_order_and_a_second_edit_changes_nothing()
    {
        string[] dropped = ["crashkernel=1M", "netconsole=x", "quiet", "hugepages=3", "BOOT_IMAGE=/k", "panic=5", "\"quiet\""];
        string[] kept = ["ro", "root=/dev/sda", "x.y=1", "opt=\"a b\"", "crashkernelx=1", "no-quiet"];
        Gen.Int[0, dropped.Length + kept.Length - 1].Select(i => i < dropped.Length ? dropped[i] : kept[i - dropped.Length]).Array[0, 20].Sample(words =>
        {
            string made = CaptureCommandLine.Make(string.Join("  ", words), 1, "");
            Assert.Equal(string.Join(' ', words.Where(kept.Contains).Append(Ours)), made);
            Assert.Equal(made, CaptureCommandLine.Make(made, 1, ""));
        });
    }
}
