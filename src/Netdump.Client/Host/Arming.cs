using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>Arms and disarms the host.</summary>
public sealed class Arming(HostFiles host, TimeProvider time, Action<string> say)
{
    private const string PanicOnOops = "/proc/sys/kernel/panic_on_oops";

    /// <summary>Carries a plan out: crash kernel, panic_on_oops, netconsole.</summary>
    /// <exception cref="ClientException">The kernel refused; what was armed before stays armed.</exception>
    public ArmedState Start(ArmingPlan plan)
    {
        ArmedState? before = ArmedState.Read(host);
        var state = new ArmedState
        {
            BootId = plan.BootId,
            ArmedAt = time.GetUtcNow(),
            PanicOnOopsBefore = before?.PanicOnOopsBefore,
            ConsoleTargets = before?.ConsoleTargets ?? [],
            Configuration = plan.Configuration.Source,
            ConfigurationTime = plan.Configuration.Source is { } file ? new DateTimeOffset(File.GetLastWriteTimeUtc(host.Map(file))) : null,
        };
        if (plan.CrashKernel is { } crash) state = Load(crash, state);
        else if (before is { CrashKernel: true }) Kexec.UnloadCrashKernel();
        state = SetPanicOnOops(state, plan.CrashKernel is not null && plan.Configuration.PanicOnOops);
        state.Save(host);
        state = StartConsoles(plan, state);
        state.Save(host);
        return state;
    }

    /// <summary>Undoes what <see cref="Start"/> did. Nothing happens when nothing was armed.</summary>
    /// <exception cref="ClientException">The kernel refused.</exception>
    public void Stop()
    {
        ArmedState? state = ArmedState.Read(host);
        if (state is null)
        {
            if (new HostChecks(host).CrashKernelLoaded) throw new ClientException("a crash kernel is loaded, but not by netdump", "stop the service that loaded it (kdump, kdump-tools)");
            say("not armed: nothing to stop");
            return;
        }
        foreach (string target in state.ConsoleTargets) new NetConsoleTarget(host, target).Remove();
        if (state.ConsoleTargets.Count > 0) say("console lines are no longer sent");
        if (state.CrashKernel)
        {
            try
            {
                Kexec.UnloadCrashKernel();
            }
            catch (LinuxException e)
            {
                throw new ClientException($"cannot unload the crash kernel: {Errno.Text(e.Error)}", inner: e);
            }
            say("the crash kernel is unloaded");
        }
        SetPanicOnOops(state, wanted: false);
        ArmedState.Remove(host);
    }

    private ArmedState Load(CrashKernel crash, ArmedState state)
    {
        long start = time.GetTimestamp();
        SafeFileHandle image = MemoryFile.Create("netdump-capture");
        long unpacked, packed;
        using (var stream = new FileStream(new SafeFileHandle(image.DangerousGetHandle(), ownsHandle: false), FileAccess.Write, bufferSize: 1 << 16))
        {
            unpacked = crash.Image.Write(stream);
            stream.Flush();
            packed = stream.Length;
        }
        TimeSpan took = time.GetElapsedTime(start);
        say(string.Create(CultureInfo.InvariantCulture,
            $"capture image: {packed / 1048576.0:F1} MiB ({unpacked / 1048576.0:F1} MiB unpacked), {crash.Image.Drivers.Modules.Count} modules, {crash.Image.Drivers.Firmware.Count} firmware files, built in {took.TotalSeconds:F1} s"));
        using SafeFileHandle initramfs = MemoryFile.Seal(image);
        try
        {
            using SafeFileHandle kernel = Descriptors.Open(host.Map(crash.Kernel), OpenFlags.ReadOnly);
            Kexec.LoadCrashKernel(kernel, initramfs, crash.CommandLine);
        }
        catch (LinuxException e)
        {
            (string fact, string? advice) = LoadFailure(e.Error, crash.Kernel, packed);
            throw new ClientException($"the kernel refused to load the crash kernel: {fact}", advice, e);
        }
        return state with { CrashKernel = true, Kernel = crash.Kernel, Release = crash.Image.Manifest.KernelRelease, ImageBytes = packed, UnpackedBytes = unpacked };
    }

    /// <summary>What an errno of kexec_file_load means (kexec_file_load(2), kernel/kexec_file.c).</summary>
    private (string Fact, string? Advice) LoadFailure(int error, string kernel, long image)
    {
        var checks = new HostChecks(host);
        string locked = checks.Lockdown is { } mode ? $"lockdown={mode} and " : "";
        return error switch
        {
            Errno.KeyRejected => ($"{locked}{kernel} is not signed by a key the running kernel trusts (EKEYREJECTED)", "use the distribution's signed kernel, or enrol its key"),
            126 => ($"{locked}the key that signed {kernel} is unknown to the running kernel (ENOKEY)", "use the distribution's signed kernel, or enrol its key"),
            61 or 74 => ($"{locked}{kernel} has no valid signature", "use the distribution's signed kernel"), // ENODATA, EBADMSG
            Errno.NotPermitted => (checks.Lockdown is { } m ? $"lockdown={m} forbids it (EPERM)" : "operation not permitted (EPERM): kernel.kexec_load_disabled, a container, or a missing CAP_SYS_BOOT", "run it as root on the host itself, before kexec_load_disabled is set"),
            Errno.AddressNotAvailable or Errno.NoMemory => ($"kernel and image ({image >> 20} MiB) do not fit into the {checks.Reserved >> 20} MiB reserved", "raise crashkernel= to 160M or more and reboot"),
            Errno.NotExecutable => ($"{kernel} is not a kernel image it can start (ENOEXEC)", "set KERNEL= to the vmlinuz of the running kernel"),
            Errno.Busy => ("another program is loading one just now (EBUSY)", "try again, and let one service only load a crash kernel"),
            Errno.TextBusy => ($"{kernel} is being written (ETXTBSY)", "try again when the update is done"),
            Errno.NotImplemented => ("it was built without kexec_file_load (ENOSYS)", "boot a distribution kernel"),
            _ => (Errno.Text(error), "see dmesg for its reason"),
        };
    }

    /// <summary>Sets panic_on_oops, or puts back what it was.</summary>
    private ArmedState SetPanicOnOops(ArmedState state, bool wanted)
    {
        string? now = host.Read(PanicOnOops);
        if (wanted && now == "0")
        {
            host.Write(PanicOnOops, "1\n");
            say("kernel.panic_on_oops=1 (was 0): an oops is a crash, and is dumped");
            return state with { PanicOnOopsBefore = now };
        }
        if (!wanted && state.PanicOnOopsBefore is { } before)
        {
            if (now != before) host.Write(PanicOnOops, before + "\n");
            return state with { PanicOnOopsBefore = null };
        }
        return state;
    }

    /// <summary>Starts the targets of the plan and removes those of an earlier start. A target that fails is a warning when a dump is armed.</summary>
    private ArmedState StartConsoles(ArmingPlan plan, ArmedState state)
    {
        foreach (string old in state.ConsoleTargets.Where(t => plan.Consoles.All(c => c.Name != t))) new NetConsoleTarget(host, old).Remove();
        var started = new List<string>();
        foreach (ConsolePlan console in plan.Consoles)
        {
            try
            {
                NetConsoleModule.Prepare(host, plan.Modules);
                new NetConsoleTarget(host, console.Name).Start(console.Settings);
                started.Add(console.Name);
                say($"console lines go from {console.Settings.Device} {console.Settings.Local} to {console.Settings.Remote}:{console.Settings.RemotePort} ({console.Settings.Mac})");
            }
            catch (ClientException e) when (plan.CrashKernel is not null)
            {
                say(new Check(CheckLevel.Warn, "console", e.Fact, e.Advice).ToString());
            }
        }
        if (started.Count > 0 && new Consoles(host).PanicLinesComeWithTheDump)
            say("note: this kernel's netconsole sends nothing from a panic (flag N in /proc/consoles): those lines come with the dump");
        return state with { ConsoleTargets = started };
    }
}
