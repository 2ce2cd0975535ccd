using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>What statx(2) says of a file. Two equal ones: the file was neither replaced nor written, as far as the file system's clock can tell.</summary>
/// <param name="Inode">Number of the file.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Modified">When its bytes were written last, nanoseconds of Unix time.</param>
/// <param name="Changed">When anything of it changed last, nanoseconds of Unix time: nobody can set it.</param>
/// <param name="RawMode">Kind and permissions, as in st_mode.</param>
/// <param name="Owner">User id.</param>
/// <param name="Group">Group id.</param>
internal readonly partial record struct FileStatus(ulong Inode, long Size, long Modified, long Changed, ushort RawMode, uint Owner, uint Group)
{
    private const int CurrentDirectory = -100;
    private const int EmptyPath = 0x1000;      // AT_EMPTY_PATH
    private const int NoFollow = 0x100;        // AT_SYMLINK_NOFOLLOW
    private const uint BasicStats = 0x07ff;    // STATX_BASIC_STATS
    private const int MissingError = 2;
    private const int NoDirectoryError = 20;
    private const int KindMask = 0xf000;
    private const int RegularKind = 0x8000;

    /// <summary>Whether it is a regular file.</summary>
    public bool IsFile => (RawMode & KindMask) == RegularKind;

    /// <summary>Permissions.</summary>
    public UnixFileMode Mode => (UnixFileMode)(RawMode & 0x0fff);

    /// <summary>Status of an open file. Throws <see cref="StoreException"/>.</summary>
    public static FileStatus Of(SafeFileHandle file, string path) =>
        Read((int)file.DangerousGetHandle(), "", EmptyPath, path) ?? throw new StoreException($"cannot look at {path}");

    /// <summary>Status of a name in a directory, not of what a link there points to; null when there is none. Throws <see cref="StoreException"/>.</summary>
    public static FileStatus? TryOf(SafeFileHandle directory, string name, string path) =>
        Read((int)directory.DangerousGetHandle(), name, NoFollow, path);

    /// <summary>Status of a path, not of what a link at its end points to; null when there is none. Throws <see cref="StoreException"/>.</summary>
    public static FileStatus? TryOf(string path) => Read(CurrentDirectory, path, NoFollow, path);

    private static unsafe FileStatus? Read(int directory, string name, int flags, string path)
    {
        // struct statx, the same on all machines.
        byte* at = stackalloc byte[256];
        if (StatX(directory, name, flags, BasicStats, at) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error is MissingError or NoDirectoryError) return null;
            throw new StoreException($"cannot look at {path}: {Marshal.GetPInvokeErrorMessage(error)}");
        }

        return new FileStatus(*(ulong*)(at + 32), *(long*)(at + 40), Time(at + 112), Time(at + 96), *(ushort*)(at + 28), *(uint*)(at + 20), *(uint*)(at + 24));
    }

    // struct statx_timestamp: seconds and nanoseconds. A time that does not fit wraps: it is only compared.
    private static unsafe long Time(byte* at) => unchecked(*(long*)at * 1_000_000_000 + *(uint*)(at + 8));

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int directory, string path, int flags, uint mask, byte* status);
}
