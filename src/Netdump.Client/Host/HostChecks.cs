using System.Globalization;

namespace Netdump.Client.Host;

/// <summary>Checks of the host that need nothing but its files in /proc and /sys.</summary>
public sealed class HostChecks(HostFiles host)
{
    /// <summary>Some kernels come up with less (6.12 in a small virtual machine: 80 MiB), others need more (7.3: 104 MiB).</summary>
    private const long LeastReservation = 96L << 20;

    private const string HowToReserve =
        "add crashkernel=160M to the kernel command line (Debian: GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub; Fedora, RHEL: grubby --update-kernel=ALL --args=crashkernel=160M) and reboot";

    /// <summary>Bytes reserved for a crash kernel (/sys/kernel/kexec_crash_size); null when the kernel cannot load one.</summary>
    public long? Reserved => long.TryParse(host.Read("/sys/kernel/kexec_crash_size"), NumberStyles.None, CultureInfo.InvariantCulture, out long size) ? size : null;

    /// <summary>True when a crash kernel is loaded, by whomever.</summary>
    public bool CrashKernelLoaded => host.Read("/sys/kernel/kexec_crash_loaded") == "1";

    /// <summary>kernel.panic_on_oops, or null.</summary>
    public string? PanicOnOops => host.Read("/proc/sys/kernel/panic_on_oops");

    /// <summary>Is there memory for a crash kernel?</summary>
    public Check Reservation()
    {
        string commandLine = host.Read("/proc/cmdline") ?? "";
        if (Reserved is not { } size)
            return new(CheckLevel.Fail, "reserve", "this kernel cannot load a crash kernel (built without CONFIG_CRASH_DUMP and kexec)", "boot a distribution kernel", "no-kexec");
        if (size == 0)
        {
            string? asked = commandLine.Split(' ').FirstOrDefault(w => w.StartsWith("crashkernel=", StringComparison.Ordinal));
            return asked is null
                ? new(CheckLevel.Fail, "reserve", "no memory is reserved: the kernel command line has no crashkernel=", HowToReserve, "no-reservation")
                : new(CheckLevel.Fail, "reserve", $"the kernel command line has {asked} but the kernel reserved nothing", $"see dmesg for crashkernel; {HowToReserve}", "no-reservation");
        }
        string reserved = $"{size >> 20} MiB reserved";
        return size < LeastReservation
            ? new(CheckLevel.Warn, "reserve", $"{reserved}, which is too little for many kernels", HowToReserve, "reserve-small")
            : new(CheckLevel.Ok, "reserve", reserved);
    }

    /// <summary>Does the kernel still let a crash kernel be loaded?</summary>
    public Check LoadingAllowed()
    {
        if (host.Read("/proc/sys/kernel/kexec_load_disabled") == "1")
            return new(CheckLevel.Fail, "kexec", "kernel.kexec_load_disabled=1, which cannot be unset before a reboot", "run netdump start before what sets it", "locked-down");
        return new(CheckLevel.Ok, "kexec", Lockdown is { } mode ? $"allowed for signed kernels (lockdown={mode})" : "allowed");
    }

    /// <summary>The lockdown in force (<c>integrity</c>, <c>confidentiality</c>), or null.</summary>
    public string? Lockdown
    {
        get
        {
            // "none [integrity] confidentiality"
            string text = host.Read("/sys/kernel/security/lockdown") ?? "";
            int open = text.IndexOf('[', StringComparison.Ordinal), close = text.IndexOf(']', StringComparison.Ordinal);
            return open >= 0 && close > open && text[(open + 1)..close] is var mode && mode != "none" ? mode : null;
        }
    }
}
