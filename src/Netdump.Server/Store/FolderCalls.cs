using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Netdump.Server.Store;

/// <summary>
/// The system calls below <see cref="StoreFolder"/>: names are relative to an open directory and no link is followed. <c>path</c> is for messages.
/// All throw <see cref="StoreException"/>.
/// </summary>
internal static partial class FolderCalls
{
    private const int MissingError = 2;
    private const int InterruptedError = 4;
    private const int AgainError = 11;
    private const int ExistsError = 17;
    private const int NoDirectoryError = 20;
    private const int InvalidError = 22;
    private const int NoSystemCallError = 38;
    private const int LoopError = 40;

    private const int CurrentDirectory = -100;
    private const uint NoReplace = 1;
    private const int LockExclusiveNow = 2 | 4; // LOCK_EX | LOCK_NB
    private const int WriteOnly = 1;
    private const int ReadWrite = 2;
    private const int AppendOnly = 0x400;
    private const int Create = 0x40;
    private const int Exclusive = 0x80;
    private const int NonBlocking = 0x800; // a FIFO in a file's place must not hold us
    private const int CloseOnExec = 0x80000;

    private static readonly TimeSpan LockNap = TimeSpan.FromMilliseconds(5);
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64; // where these two have other values
    private static readonly int DirectoryOnly = IsArm ? 0x4000 : 0x10000;
    private static readonly int NoFollow = IsArm ? 0x8000 : 0x20000;

    /// <summary>Opens a directory; null if there is none.</summary>
    public static SafeFileHandle? OpenDirectory(SafeFileHandle? within, string name, bool followLink, string? path = null) =>
        TryOpenAt(within, name, CloseOnExec | DirectoryOnly | (followLink ? 0 : NoFollow), path ?? name);

    /// <summary>Opens a file for reading; null if there is none.</summary>
    public static SafeFileHandle? TryOpenToRead(SafeFileHandle directory, string name, string path) =>
        TryOpenAt(directory, name, CloseOnExec | NoFollow | NonBlocking, path);

    /// <summary>Makes a file (mode 0600) and opens it; an error if the name is taken.</summary>
    public static SafeFileHandle CreateNew(SafeFileHandle directory, string name, string path) =>
        TryOpenAt(directory, name, CloseOnExec | NoFollow | ReadWrite | Create | Exclusive, path) ?? throw Error("make", path, MissingError);

    /// <summary>Opens a file for its lock, made if missing (mode 0600).</summary>
    public static SafeFileHandle OpenToLock(SafeFileHandle directory, string name, string path) =>
        TryOpenAt(directory, name, CloseOnExec | NoFollow | NonBlocking | ReadWrite | Create, path) ?? throw Error("make", path, MissingError);

    /// <summary>Opens a file for writing at its end, made if missing (mode 0600).</summary>
    public static SafeFileHandle OpenToAppend(SafeFileHandle directory, string name, string path) =>
        TryOpenAt(directory, name, CloseOnExec | NoFollow | NonBlocking | WriteOnly | AppendOnly | Create, path) ?? throw Error("make", path, MissingError);

    /// <summary>Makes a directory; false if the name is taken.</summary>
    public static bool TryMakeDirectory(SafeFileHandle within, string name, UnixFileMode mode, string path)
    {
        if (MakeDirectoryAt(Number(within), name, (uint)mode) == 0) return true;
        return Marshal.GetLastPInvokeError() == ExistsError ? false : throw Error("make directory", path);
    }

    /// <summary>Gives an open file or directory other permissions.</summary>
    public static void SetMode(SafeFileHandle file, UnixFileMode mode, string path)
    {
        if (ChangeMode(Number(file), (uint)mode) != 0) throw Error("set the permissions of", path);
    }

    /// <summary>Renames, replacing what has the name.</summary>
    public static void Rename(SafeFileHandle directory, string from, string to, string path)
    {
        if (RenameAt2(Number(directory), from, Number(directory), to, 0) != 0) throw Error("rename to", path);
    }

    /// <summary>Renames unless the name is taken: false.</summary>
    public static bool TryRenameToNew(SafeFileHandle directory, string from, string to, string path)
    {
        if (RenameAt2(Number(directory), from, Number(directory), to, NoReplace) == 0) return true;
        int error = Marshal.GetLastPInvokeError();
        // Some file systems (NFS, FUSE) know no flags: there a second name and the removal of the first do the same.
        if (error is InvalidError or NoSystemCallError)
        {
            if (LinkAt(Number(directory), from, Number(directory), to, 0) == 0)
            {
                Remove(directory, from);
                return true;
            }

            error = Marshal.GetLastPInvokeError();
        }

        return error == ExistsError ? false : throw Error("rename to", path, error);
    }

    /// <summary>Removes a name if it is there.</summary>
    public static void Remove(SafeFileHandle directory, string name) => _ = UnlinkAt(Number(directory), name, 0);

    /// <summary>Makes the names in a directory durable.</summary>
    public static void Sync(SafeFileHandle directory, string path)
    {
        while (SyncFile(Number(directory)) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error == InvalidError) return; // a file system that cannot sync directories
            if (error != InterruptedError) throw Error("sync", path, error);
        }
    }

    /// <summary>Takes an open file's lock; false when somebody else has it for all of <paramref name="limit"/>.</summary>
    public static bool TryLock(SafeFileHandle file, TimeSpan limit)
    {
        long began = Stopwatch.GetTimestamp();
        using ManualResetEvent never = new(initialState: false);
        while (LockFile(Number(file), LockExclusiveNow) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error is not (AgainError or InterruptedError)) throw new StoreException($"cannot lock: {Marshal.GetPInvokeErrorMessage(error)}");
            if (Stopwatch.GetElapsedTime(began) >= limit) return false;
            never.WaitOne(LockNap);
        }

        return true;
    }

    private static SafeFileHandle? TryOpenAt(SafeFileHandle? within, string name, int flags, string path)
    {
        int descriptor;
        int error;
        do
        {
            descriptor = OpenAt(within is null ? CurrentDirectory : Number(within), name, flags, (uint)CrashStore.FileMode);
            error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (error == InterruptedError);

        if (descriptor >= 0) return new SafeFileHandle(descriptor, ownsHandle: true);
        if (error == MissingError) return null;
        // A link opened as a directory is "not a directory" to the kernel: one word less than what is so.
        if (error == LoopError || (error == NoDirectoryError && new FileInfo(path).LinkTarget is not null))
            throw new StoreException($"{path} is a symbolic link, and the store follows none: put the real one there");
        throw Error("open", path, error);
    }

    private static int Number(SafeFileHandle file) => (int)file.DangerousGetHandle();

    private static StoreException Error(string action, string path) => Error(action, path, Marshal.GetLastPInvokeError());

    private static StoreException Error(string action, string path, int error) => new($"cannot {action} {path}: {Marshal.GetPInvokeErrorMessage(error)}");

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenAt(int directory, string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeDirectoryAt(int directory, string path, uint mode);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkAt(int fromDirectory, string from, int toDirectory, string to, int flags);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnlinkAt(int directory, string path, int flags);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    private static partial int ChangeMode(int file, uint mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(int file);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int LockFile(int file, int operation);
}
