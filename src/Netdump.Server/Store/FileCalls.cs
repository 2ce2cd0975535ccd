using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>The few file calls the framework does not offer: exclusive mkdir, rename without replacing, fsync of a directory, length
/// and links of an open file in one call.</summary>
internal static partial class FileCalls
{
    private const int ExistsError = 17;
    private const int InvalidError = 22;
    private const int MissingError = 2;
    private const int NoSystemCallError = 38;
    private const int InterruptedError = 4;
    private const int CurrentDirectory = -100;
    private const uint NoReplace = 1;
    private const int WriteOrCreate = 0x80000 | 0x40 | 1; // O_CLOEXEC | O_CREAT | O_WRONLY, the same on x86-64 and arm64
    private const int EmptyPath = 0x1000;   // AT_EMPTY_PATH
    private const uint WantLinks = 0x0004;  // STATX_NLINK
    private const uint WantSize = 0x0200;   // STATX_SIZE
    private const int OpenDirectoryFlag = 0x80000 | 0x10000; // O_CLOEXEC | O_DIRECTORY on x86-64

    private const int OpenDirectoryFlagArm = 0x80000 | 0x4000; // the same on arm64, where O_DIRECTORY has another value

    /// <summary>Makes a directory; false if the name is taken. Other failures throw.</summary>
    public static bool TryMakeDirectory(string path, UnixFileMode mode)
    {
        if (MakeDirectory(path, (uint)mode) == 0) return true;
        int error = Marshal.GetLastPInvokeError();
        if (error == ExistsError) return false;
        throw Error("make directory", path, error);
    }

    /// <summary>Renames without ever replacing; throws if <paramref name="to"/> exists.</summary>
    public static void RenameToNew(string from, string to)
    {
        if (RenameAt2(CurrentDirectory, from, CurrentDirectory, to, NoReplace) == 0) return;
        int error = Marshal.GetLastPInvokeError();
        // Some file systems (NFS, FUSE) know no flags: the directory is ours alone, so looking first is good enough there.
        if (error is InvalidError or NoSystemCallError && !Path.Exists(to))
        {
            File.Move(from, to, overwrite: false);
            return;
        }

        throw Error($"rename {from} to", to, error);
    }

    /// <summary>Makes the names in a directory durable.</summary>
    public static void SyncDirectory(string path)
    {
        int flags = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? OpenDirectoryFlagArm : OpenDirectoryFlag;
        int descriptor = Open(path, flags);
        if (descriptor < 0) throw Error("open", path, Marshal.GetLastPInvokeError());
        try
        {
            while (SyncFile(descriptor) != 0)
            {
                int error = Marshal.GetLastPInvokeError();
                if (error == InterruptedError) continue;
                // A file system that cannot sync directories says EINVAL: there is nothing more to do.
                if (error == InvalidError) return;
                throw Error("sync", path, error);
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>
    /// Opens a file for writing, made if missing (mode 0600). Throws <see cref="DirectoryNotFoundException"/> when its directory is missing, and
    /// <see cref="IOException"/>.
    /// </summary>
    public static SafeFileHandle OpenToWrite(string path)
    {
        int descriptor;
        int error;
        do
        {
            descriptor = OpenNew(path, WriteOrCreate, (uint)CrashStore.FileMode);
            error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (error == InterruptedError);

        if (descriptor >= 0) return new SafeFileHandle(descriptor, ownsHandle: true);
        string message = $"cannot open {path}: {Marshal.GetPInvokeErrorMessage(error)}";
        throw error == MissingError ? new DirectoryNotFoundException(message) : new IOException(message);
    }

    /// <summary>Length of an open file in bytes, and whether it has no name any more. Throws <see cref="IOException"/>.</summary>
    public static unsafe long LengthOf(SafeFileHandle file, out bool isDeleted)
    {
        // struct statx (statx(2)), the same on all machines: stx_mask at 0, stx_nlink at 16, stx_size at 40.
        byte* status = stackalloc byte[256];
        if (Status((int)file.DangerousGetHandle(), "", EmptyPath, WantLinks | WantSize, status) != 0)
            throw new IOException($"statx: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        isDeleted = *(uint*)(status + 16) == 0;
        return *(long*)(status + 40);
    }

    private static StoreException Error(string action, string path, int error) =>
        new($"cannot {action} {path}: {Marshal.GetPInvokeErrorMessage(error)}");

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeDirectory(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Status(int directory, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenNew(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
