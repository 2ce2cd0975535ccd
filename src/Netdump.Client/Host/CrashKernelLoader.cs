using Microsoft.Win32.SafeHandles;
using Netdump.Client.Linux;

namespace Netdump.Client.Host;

/// <summary>Loads and unloads the crash kernel, and says in words why the running kernel refused.</summary>
public class CrashKernelLoader(HostFiles host)
{
    /// <summary>
    /// Loads kernel and image. The kernel drops a crash kernel that is loaded before it looks at the new one (kernel/kexec_file.c), so most
    /// refusals leave the host without any.
    /// </summary>
    /// <param name="crash">Kernel and command line.</param>
    /// <param name="image">The capture image, open read-only.</param>
    /// <exception cref="ClientException">The kernel refused: why, and what to do.</exception>
    /// <exception cref="LinuxException">The kernel's image cannot be opened.</exception>
    public virtual void Load(CrashKernel crash, SafeFileHandle image)
    {
        using SafeFileHandle kernel = Descriptors.Open(host.Map(crash.Kernel), OpenFlags.ReadOnly);
        try
        {
            Kexec.LoadCrashKernel(kernel, image, crash.CommandLine);
        }
        catch (LinuxException e)
        {
            (string fact, string? advice, string code) = Refusal(e.Error, crash.Kernel, RandomAccess.GetLength(image));
            throw new ClientException(new Check(CheckLevel.Fail, "loaded", $"the kernel refused to load the crash kernel: {fact}", advice, code), e);
        }
    }

    /// <summary>Unloads the crash kernel; nothing happens when there is none.</summary>
    /// <exception cref="ClientException">The kernel refused.</exception>
    public virtual void Unload()
    {
        try
        {
            Kexec.UnloadCrashKernel();
        }
        catch (LinuxException e)
        {
            throw new ClientException($"cannot unload the crash kernel: {Errno.Text(e.Error)}", inner: e);
        }
    }

    /// <summary>What an errno of kexec_file_load means (kexec_file_load(2), kernel/kexec_file.c).</summary>
    private (string Fact, string? Advice, string Code) Refusal(int error, string kernel, long image)
    {
        var checks = new HostChecks(host);
        string locked = checks.Lockdown is { } mode ? $"lockdown={mode} and " : "";
        return error switch
        {
            Errno.KeyRejected => ($"{locked}{kernel} is not signed by a key the running kernel trusts (EKEYREJECTED)", "use the distribution's signed kernel, or enrol its key", "locked-down"),
            Errno.KeyUnknown => ($"{locked}the key that signed {kernel} is unknown to the running kernel (ENOKEY)", "use the distribution's signed kernel, or enrol its key", "locked-down"),
            Errno.NoData or Errno.BadMessage => ($"{locked}{kernel} has no valid signature", "use the distribution's signed kernel", "locked-down"),
            Errno.NotPermitted => (checks.Lockdown is { } m ? $"lockdown={m} forbids it (EPERM)" : "operation not permitted (EPERM): kernel.kexec_load_disabled, a container, or a missing CAP_SYS_BOOT", "run it as root on the host itself, before kexec_load_disabled is set", "locked-down"),
            Errno.AddressNotAvailable or Errno.NoMemory => ($"kernel and image ({image >> 20} MiB) do not fit into the {checks.Reserved >> 20} MiB reserved", "raise crashkernel= to 160M or more and reboot", "reserve-small"),
            Errno.NotExecutable => ($"{kernel} is not a kernel image it can start (ENOEXEC)", "set KERNEL= to the vmlinuz of the running kernel", "no-kernel"),
            Errno.Busy => ("another program is loading one just now (EBUSY)", "try again, and let one service only load a crash kernel", "busy"),
            Errno.TextBusy => ($"{kernel} is being written (ETXTBSY)", "try again when the update is done", "no-kernel"),
            Errno.NotImplemented => ("it was built without kexec_file_load (ENOSYS)", "boot a distribution kernel", "no-kexec"),
            _ => (Errno.Text(error), "see dmesg for its reason", "not-loaded"),
        };
    }
}
