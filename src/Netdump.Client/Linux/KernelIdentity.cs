using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>The running kernel: uname(2).</summary>
/// <param name="NodeName">Host name.</param>
/// <param name="Release">Release, for example <c>6.1.0-32-amd64</c>: the name of its modules' directory.</param>
/// <param name="Version">Build version.</param>
/// <param name="Machine">Machine, for example <c>x86_64</c> or <c>aarch64</c>.</param>
public sealed partial record KernelIdentity(string NodeName, string Release, string Version, string Machine)
{
    private const int FieldLength = 65; // struct new_utsname: six fields of 65 bytes, include/uapi/linux/utsname.h

    /// <summary>Asks the kernel.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static unsafe KernelIdentity Running()
    {
        byte* fields = stackalloc byte[6 * FieldLength];
        if (NativeUname(fields) != 0) throw LinuxException.Last("uname");
        return new KernelIdentity(Field(fields, 1), Field(fields, 2), Field(fields, 3), Field(fields, 4));
    }

    private static unsafe string Field(byte* fields, int index) => Marshal.PtrToStringUTF8((nint)(fields + (index * FieldLength))) ?? "";

    [LibraryImport("libc", EntryPoint = "uname", SetLastError = true)]
    private static unsafe partial int NativeUname(byte* fields);
}
