using System.Runtime.InteropServices;

namespace Netdump.Server.Store;

/// <summary>The few file calls the framework does not offer: exclusive mkdir, rename without replacing, fsync of a directory.</summary>
internal static partial class FileCalls
{
    private const int ExistsError = 17;
    private const int InvalidError = 22;
    private const int NoSystemCallError = 38;
    private const int InterruptedError = 4;
    private const int CurrentDirectory = -100;
    private const uint NoReplace = 1;
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

    private static StoreException Error(string action, string path, int error) =>
        new($"cannot {action} {path}: {Marshal.GetPInvokeErrorMessage(error)}");

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeDirectory(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
