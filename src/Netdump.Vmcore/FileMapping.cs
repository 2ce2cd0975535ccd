using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Vmcore;

/// <summary>mmap(2) of a file, to be read. For /proc/vmcore alone: a mapping of a file that someone cuts short would kill the process.</summary>
internal static partial class FileMapping
{
    private const int ProtectionRead = 1;
    private const int MapPrivate = 2;

    /// <summary>Maps a piece.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the piece begins: a multiple of the page size.</param>
    /// <param name="length">Its bytes.</param>
    /// <returns>Its address; -1 where the kernel refuses, and errno says why (fs/proc/vmcore.c: EAGAIN for a range, ENODEV or ENOSYS for the file).</returns>
    public static nint Map(SafeFileHandle file, long offset, nuint length) => NativeMap(0, length, ProtectionRead, MapPrivate, file, offset);

    /// <summary>Ends a mapping.</summary>
    public static void Unmap(nint start, nuint length) => _ = NativeUnmap(start, length);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint NativeMap(nint address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int NativeUnmap(nint address, nuint length);
}
