using System.Text;
using Netdump.Client.Host;

namespace Netdump.Client.Tests.Host;

public sealed class HostChecksTests : IDisposable
{
    private readonly FakeHost _host = new();

    private HostChecks Checks => new(_host.Files);

    [Fact]
    public void Without_crashkernel_the_advice_says_how_to_reserve()
    {
        _host.Write("/sys/kernel/kexec_crash_size", "0\n");
        _host.Write("/proc/cmdline", "root=/dev/vda1 ro\n");
        Check check = Checks.Reservation();
        Assert.Equal((CheckLevel.Fail, "no-reservation"), (check.Level, check.Code));
        string message = Assert.Throws<ClientException>(check.OrThrow).Message;
        Assert.Contains("no crashkernel=", message);
        Assert.Contains("add crashkernel=160M", message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void A_crashkernel_word_that_reserved_nothing_is_quoted()
    {
        _host.Write("/sys/kernel/kexec_crash_size", "0\n");
        _host.Write("/proc/cmdline", "ro crashkernel=900G quiet\n");
        Assert.Contains("crashkernel=900G", Checks.Reservation().Fact);
    }

    [Theory]
    [InlineData(134217728, CheckLevel.Ok)]
    [InlineData(67108864, CheckLevel.Warn)]
    public void The_size_reserved_is_judged(long size, CheckLevel level)
    {
        _host.Write("/sys/kernel/kexec_crash_size", $"{size}\n");
        Assert.Equal(level, Checks.Reservation().Level);
        Assert.Contains($"{size >> 20} MiB", Checks.Reservation().Fact);
    }

    [Fact]
    public void A_kernel_without_kexec_is_told_from_one_without_memory() => Assert.Equal("no-kexec", Checks.Reservation().Code);

    [Fact]
    public void Disabled_loading_and_lockdown_are_named()
    {
        Assert.Equal(CheckLevel.Ok, Checks.LoadingAllowed(null).Level);
        _host.Write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        Assert.Equal("integrity", Checks.Lockdown);
        _host.Write("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        Assert.Null(Checks.Lockdown);
        _host.Write("/proc/sys/kernel/kexec_load_disabled", "1\n");
        Assert.Equal("locked-down", Checks.LoadingAllowed(null).Code);
    }

    [Fact]
    public void The_running_kernels_image_is_found_and_another_ones_refused()
    {
        byte[] image = new byte[0x600];
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        image[0x20F] = 2; // kernel_version at 0x200 + 0x200
        Encoding.ASCII.GetBytes("6.1.0-9-amd64 (debian) #1 SMP").CopyTo(image, 0x400);
        Assert.Contains("set KERNEL=", Assert.Throws<ClientException>(() => KernelImage.Find(_host.Files, "6.1.0-9-amd64", null)).Message);
        _host.Write("/lib/modules/6.1.0-9-amd64/vmlinuz", image);
        Assert.Equal("/lib/modules/6.1.0-9-amd64/vmlinuz", KernelImage.Find(_host.Files, "6.1.0-9-amd64", null));
        _host.Write("/boot/vmlinuz-6.1.0-9-amd64", image);
        Assert.Equal("/boot/vmlinuz-6.1.0-9-amd64", KernelImage.Find(_host.Files, "6.1.0-9-amd64", null));
        _host.Write("/srv/own", image);
        Assert.Equal("/srv/own", KernelImage.Find(_host.Files, "6.1.0-9-amd64", "/srv/own"));
        Assert.Contains("is kernel 6.1.0-9-amd64, but 6.2 runs", Assert.Throws<ClientException>(() => KernelImage.Find(_host.Files, "6.2", "/srv/own")).Message);
        Assert.Contains("KERNEL=/no", Assert.Throws<ClientException>(() => KernelImage.Find(_host.Files, "6.2", "/no")).Message);
    }

    [Fact]
    public void The_boot_loaders_word_finds_an_image_in_an_odd_place()
    {
        _host.Write("/boot/odd/vmlinuz-6.9", "no header");
        _host.Write("/proc/cmdline", "BOOT_IMAGE=(hd0,gpt2)/odd/vmlinuz-6.9 ro\n");
        Assert.Equal("/boot/odd/vmlinuz-6.9", KernelImage.Find(_host.Files, "6.9", null));
    }

    [Fact]
    public void State_of_another_boot_is_no_state()
    {
        _host.Write("/proc/sys/kernel/random/boot_id", "b1\n");
        var state = new ArmedState { BootId = "b1", ArmedAt = DateTimeOffset.UnixEpoch, CrashKernel = true, SettingsBefore = new Dictionary<string, string> { ["panic_on_oops"] = "0" }, ConsoleTargets = ["netdump"] };
        state.Save(_host.Files);
        Assert.Equivalent(state, ArmedState.Read(_host.Files));
        _host.Write("/proc/sys/kernel/random/boot_id", "b2\n");
        Assert.Null(ArmedState.Read(_host.Files));
        _host.Write("/run/netdump/state.json", "{ broken");
        Assert.Null(ArmedState.Read(_host.Files));
    }

    [Fact]
    public void The_verdict_is_that_of_the_worst_check_and_zero_needs_proof()
    {
        Check ok = new(CheckLevel.Ok, "a", "x"), open = new(CheckLevel.Unknown, "o", "who knows", Code: "not-told"), warn = new(CheckLevel.Warn, "b", "y", "do this"), fail = new(CheckLevel.Fail, "c", "z", "do that", "code");
        Assert.Equal((0, "ARMED, PROVEN: seen"), (StatusReport.Of([ok, open], "seen").ExitCode, StatusReport.Of([ok, open], "seen").Verdict));
        Assert.Equal((1, "ARMED, UNPROVEN"), (StatusReport.Of([ok], null).ExitCode, StatusReport.Of([ok], null).Verdict));
        Assert.Equal((1, "ARMED, PROVEN, 1 warning: seen"), (StatusReport.Of([ok, warn], "seen").ExitCode, StatusReport.Of([ok, warn], "seen").Verdict));
        StatusReport report = StatusReport.Of([ok, open, warn, fail], "seen");
        Assert.Equal((2, false, false), (report.ExitCode, report.Armed, report.Proven));
        Assert.Equal("NOT ARMED: a crash of this host would not be dumped\n  ok    a: x\n  -     o: who knows  [not-told]\n  warn  b: y\n        -> do this\n  FAIL  c: z  [code]\n        -> do that", report.ToString());
        Assert.Contains("\"level\": \"fail\"", report.ToJson());
        Assert.Contains("\"level\": \"unknown\"", report.ToJson());
        Assert.Contains("\"code\": \"code\"", report.ToJson());
    }

    [Fact]
    public void Item_49_under_lockdown_a_kernel_without_a_signature_is_refused_before_it_is_tried()
    {
        byte[] image = new byte[0x1000];
        "MZ"u8.CopyTo(image);
        image[0x3C] = 0x80;
        "PE\0\0"u8.CopyTo(image.AsSpan(0x80));
        (image[0x98], image[0x99]) = (0x0B, 0x02); // PE32+
        image[0x98 + 108] = 6; // data directories
        _host.Write("/boot/vmlinuz-own", image);
        Assert.Equal(CheckLevel.Ok, Checks.LoadingAllowed("/boot/vmlinuz-own").Level);
        _host.Write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        Check refused = Checks.LoadingAllowed("/boot/vmlinuz-own");
        Assert.Equal((CheckLevel.Fail, "locked-down"), (refused.Level, refused.Code));
        Assert.Contains("lockdown=integrity and /boot/vmlinuz-own is not signed", refused.Fact);
        image[0x98 + 112 + (4 * 8) + 4] = 1; // a certificate table of some size
        _host.Write("/boot/vmlinuz-own", image);
        Assert.Equal("allowed for signed kernels (lockdown=integrity)", Checks.LoadingAllowed("/boot/vmlinuz-own").Fact);
        _host.Write("/boot/vmlinuz-own", image[..0x70]); // cut off: nothing is claimed
        Assert.Equal(CheckLevel.Ok, Checks.LoadingAllowed("/boot/vmlinuz-own").Level);
    }

    [Fact]
    public void Module_options_come_from_modprobe_d_then_from_the_command_line()
    {
        _host.Write("/etc/modprobe.d/net.conf", "# options virtio_net a=0\noptions virtio-net a=1 \\\n b=2\n");
        _host.Write("/lib/modprobe.d/net.conf", "options virtio_net hidden=1\n");
        _host.Write("/lib/modprobe.d/other.conf", "options e1000 x=3\n");
        _host.Write("/proc/cmdline", "root=/dev/sda.1 virtio_net.c=4 quiet\n");
        var options = new ModuleOptions(_host.Files);
        Assert.Equal("a=1  b=2 c=4", options.Of("virtio_net"));
        Assert.Equal("x=3", options.Of("e1000"));
        Assert.Equal("", options.Of("root"));
    }

    public void Dispose() => _host.Dispose();
}
