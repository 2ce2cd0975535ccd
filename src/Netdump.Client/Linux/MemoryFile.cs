using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Client.Linux;

/// <summary>Anonymous files in memory: memfd_create(2).</summary>
public static partial class MemoryFile
{
    private const uint CloseOnExec = 1; // MFD_CLOEXEC

    /// <summary>Makes an empty file in memory, readable and writable.</summary>
    /// <param name="name">Shown in /proc/PID/fd, at most 249 bytes.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static SafeFileHandle Create(string name)
    {
        int descriptor = NativeMemoryFile(name, CloseOnExec);
        if (descriptor < 0) throw LinuxException.Last("memfd_create");
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>
    /// Closes the writable handle and gives a read-only one of the same file. kernel_read_file() in the kernel refuses a file that
    /// anybody has open for writing, so this is the last step before <see cref="Kexec.LoadCrashKernel"/>.
    /// </summary>
    /// <param name="writable">Handle from <see cref="Create"/>; closed by this call, also when it fails.</param>
    /// <exception cref="LinuxException">/proc is not mounted or the kernel refused.</exception>
    public static SafeFileHandle Seal(SafeFileHandle writable)
    {
        using (writable) return Descriptors.Open($"/proc/self/fd/{writable.DangerousGetHandle()}", OpenFlags.ReadOnly);
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeMemoryFile(string name, uint flags);
}
