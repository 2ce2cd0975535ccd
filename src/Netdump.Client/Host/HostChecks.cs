using System.Globalization;
using System.Runtime.InteropServices;

namespace Netdump.Client.Host;

/// <summary>Checks of the host that need nothing but its files in /proc and /sys.</summary>
public sealed class HostChecks(HostFiles host)
{
    /// <summary>Some kernels come up with less (6.12 in a small virtual machine: 80 MiB), others need more (7.3: 104 MiB).</summary>
    private const long LeastReservation = 96L << 20;

    /// <summary>
    /// What a capture kernel takes besides its own image and ours until ours is unpacked, which is when it needs most: an estimate. 7.3 comes up in
    /// 122 MiB, and not in 120, with 40 of its own and 38 of ours, packed and unpacked (bench/capture-memory); large machines have more drivers and tables.
    /// </summary>
    private const long KernelShare = 44L << 20;

    /// <summary>Of distributions' kernels, where /proc/iomem does not tell.</summary>
    private const long UsualKernel = 42L << 20;

    private static readonly string[] KernelParts = ["Kernel code", "Kernel rodata", "Kernel data", "Kernel bss"];

    private const string HowToReserve =
        "add crashkernel=160M to the kernel command line (Debian: GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub; Fedora, RHEL: grubby --update-kernel=ALL --args=crashkernel=160M) and reboot";

    /// <summary>Services of distributions that load a crash kernel of their own.</summary>
    private static readonly string[] OtherServices = ["kdump-tools.service", "kdump.service"];

    /// <summary>Bytes reserved for a crash kernel (/sys/kernel/kexec_crash_size); null when the kernel cannot load one.</summary>
    public long? Reserved => long.TryParse(host.Read("/sys/kernel/kexec_crash_size"), NumberStyles.None, CultureInfo.InvariantCulture, out long size) ? size : null;

    /// <summary>True when a crash kernel is loaded, by whomever.</summary>
    public bool CrashKernelLoaded => host.Read("/sys/kernel/kexec_crash_loaded") == "1";

    /// <summary>True when the kernel takes no crash kernel any more, until the next boot.</summary>
    public bool LoadingDisabled => host.Read("/proc/sys/kernel/kexec_load_disabled") == "1";

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
                ? new(CheckLevel.Fail, "reserve", "0 MiB reserved: the kernel command line has no crashkernel=", HowToReserve, "no-reservation")
                : new(CheckLevel.Fail, "reserve", $"0 MiB reserved: the kernel command line has {asked} but the kernel reserved nothing", $"see dmesg for crashkernel; {HowToReserve}", "no-reservation");
        }
        string reserved = $"{size >> 20} MiB reserved";
        return size < LeastReservation
            ? new(CheckLevel.Warn, "reserve", $"{reserved}, which is too little for many kernels", HowToReserve, "reserve-small")
            : new(CheckLevel.Ok, "reserve", reserved);
    }

    /// <summary>Is there memory enough for the image that is loaded?</summary>
    /// <param name="state">What was loaded; null or without an image: <see cref="Reservation()"/> alone.</param>
    public Check Reservation(ArmedState? state)
    {
        Check check = Reservation();
        if (check.Level == CheckLevel.Fail || state is not { ImageBytes: > 0 }) return check;
        long kernel = KernelParts.Sum(part => IoMemory.Sum(host, part));
        long needed = (kernel > 0 ? kernel : UsualKernel) + KernelShare + state.ImageBytes + state.UnpackedBytes;
        (long spare, string why) = Spare(state.Image?.Drivers ?? []);
        bool tooSmall = Reserved < needed, small = Reserved < needed + spare;
        string forWhat = spare > 0 ? $" + {spare >> 20} MiB spare for {why}" : "";
        return check with
        {
            Fact = $"{Reserved >> 20} MiB reserved; this image needs about {(needed >> 20) + 1} MiB{forWhat}",
            Level = tooSmall ? CheckLevel.Fail : small ? CheckLevel.Warn : CheckLevel.Ok,
            Code = small ? "reserve-small" : null,
            Advice = small ? $"raise crashkernel= to {(((needed + spare) >> 20) / 32 * 32) + 64}M and reboot" : null,
        };
    }

    /// <summary>Does the kernel still let a crash kernel be loaded?</summary>
    /// <param name="image">The kernel's image that would be loaded, as a path of the host; null: not known.</param>
    public Check LoadingAllowed(string? image)
    {
        if (LoadingDisabled)
            return new(CheckLevel.Fail, "kexec", "kernel.kexec_load_disabled=1, which cannot be unset before a reboot", "reboot, and run netdump start before what sets it (see /etc/sysctl.d)", "locked-down");
        if (Lockdown is not { } mode) return new(CheckLevel.Ok, "kexec", "allowed");
        if (image is not null && KernelImage.IsSigned(host.Map(image)) == false)
            return new(CheckLevel.Fail, "kexec", $"lockdown={mode} and {image} is not signed", "boot the distribution's signed kernel, or sign this one with a key the machine trusts", "locked-down");
        return new(CheckLevel.Ok, "kexec", $"allowed for signed kernels (lockdown={mode})");
    }

    /// <summary>Says whose crash kernel is loaded when it is not ours.</summary>
    public Check Busy()
    {
        string[] services = [.. OtherServices.Where(IsEnabled)];
        string who = services.Length > 0 ? $" ({string.Join(", ", services)} is enabled)" : "";
        string first = services.Length > 0 ? $"systemctl disable --now {string.Join(' ', services)}, then netdump start" : "stop the service that loaded it";
        return new(CheckLevel.Fail, "loaded", $"a crash kernel is loaded, but not by netdump{who}", $"{first}; or netdump start --replace", "busy");
    }

    /// <summary>
    /// A reason to doubt that what is loaded is what netdump loaded: the kernel tells only that something is. Null when there is none.
    /// </summary>
    /// <param name="armedAt">When netdump loaded its own.</param>
    public Check? Doubt(DateTimeOffset armedAt)
    {
        // Debian's kdump-config keeps the command by which it loaded its own, last.
        const string Trace = "/var/crash/kexec_cmd";
        if (host.Exists(Trace) && new DateTimeOffset(File.GetLastWriteTimeUtc(host.Map(Trace))) > armedAt)
            return new(CheckLevel.Fail, "loaded", $"kdump-tools loaded its own crash kernel after netdump start ({Trace} is younger)", "systemctl disable --now kdump-tools, then netdump restart", "false-ok");
        return OtherServices.FirstOrDefault(IsEnabled) is not { } service ? null
            : new(CheckLevel.Warn, "loaded", $"{service} is enabled too, and at the next boot the last to load wins", $"systemctl disable {service}", "busy");
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

    private bool IsEnabled(string service) =>
        host.Names("/etc/systemd/system").Any(d => d.EndsWith(".wants", StringComparison.Ordinal) && host.Names($"/etc/systemd/system/{d}").Contains(service));

    /// <summary>What some drivers and settings take beyond others, as distributions found out; 0 for all the rest.</summary>
    private (long Bytes, string Why) Spare(IEnumerable<string> drivers)
    {
        (long mebibytes, string why) = (0L, "");
        if (drivers.Contains("mlx5_core"))
        {
            bool arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
            (mebibytes, why) = (!arm ? 24 : Environment.SystemPageSize > 4096 ? 200 : 150, "mlx5_core");
        }
        if ((host.Read("/proc/cmdline") ?? "").Split(' ').Contains("mem_encrypt=on"))
            (mebibytes, why) = (mebibytes + 64, why.Length > 0 ? $"{why} and mem_encrypt" : "mem_encrypt");
        return (mebibytes << 20, why);
    }
}
