using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Client.Linux;

/// <summary>
/// kexec_file_load(2) for the crash kernel. Both files must not be open for writing by anybody (ETXTBSY) and be below 2 GiB:
/// build them with <see cref="MemoryFile"/>.
/// </summary>
public static class Kexec
{
    // include/uapi/linux/kexec.h
    private const nint Unload = 1;
    private const nint OnCrash = 2;

    /// <summary>Loads kernel and initramfs as the crash kernel; a loaded one is replaced.</summary>
    /// <param name="kernel">The kernel image, open read-only.</param>
    /// <param name="initramfs">The initramfs, open read-only.</param>
    /// <param name="commandLine">Command line of the crash kernel, ASCII.</param>
    /// <exception cref="LinuxException">
    /// EPERM lockdown or kexec_load_disabled, EKEYREJECTED signature, EADDRNOTAVAIL no crashkernel memory or too little, ENOMEM, ENOEXEC, EBUSY
    /// another loader runs, ETXTBSY.
    /// </exception>
    public static unsafe void LoadCrashKernel(SafeFileHandle kernel, SafeFileHandle initramfs, string commandLine)
    {
        byte[] text = new byte[Encoding.UTF8.GetByteCount(commandLine) + 1];
        Encoding.UTF8.GetBytes(commandLine, text);
        fixed (byte* line = text)
        {
            if (SystemCall.Invoke(SystemCall.KexecFileLoad, kernel.DangerousGetHandle(), initramfs.DangerousGetHandle(), text.Length, (nint)line, OnCrash) != 0)
                throw LinuxException.Last("kexec_file_load");
        }
    }

    /// <summary>Removes the loaded crash kernel; nothing happens when there is none.</summary>
    /// <exception cref="LinuxException">As <see cref="LoadCrashKernel"/>.</exception>
    public static void UnloadCrashKernel()
    {
        if (SystemCall.Invoke(SystemCall.KexecFileLoad, -1, -1, 0, 0, Unload | OnCrash) != 0) throw LinuxException.Last("kexec_file_load (unload)");
    }
}
