using System.Runtime.InteropServices;
using Netdump.Client.Linux;

namespace Netdump.Client.Confinement;

/// <summary>
/// Landlock (linux/landlock.h): after <see cref="Apply"/> this thread, and each it starts, opens no file but those named, whatever its user
/// may open; from ABI 4 on it makes no TCP connection, from 6 on it signals no process outside.
/// </summary>
public static partial class FileConfinement
{
    private const uint AskVersion = 1; // LANDLOCK_CREATE_RULESET_VERSION
    private const int PathBeneath = 1; // LANDLOCK_RULE_PATH_BENEATH
    private const int OpenPath = 0x200000 | 0x80000; // O_PATH | O_CLOEXEC

    private const ulong WriteFile = 1 << 1;
    private const ulong ReadFile = 1 << 2;
    private const ulong ReadDirectory = 1 << 3;
    private const ulong RemoveFile = 1 << 5;
    private const ulong MakeFile = 1 << 8;
    private const ulong Truncate = 1 << 14; // ABI 3
    private const ulong OfFirstAbi = (1 << 13) - 1;

    /// <summary>Confines the calling thread to reading some files and to making, reading and replacing files in some directories.</summary>
    /// <param name="readable">Files to read.</param>
    /// <param name="writable">Directories to work in.</param>
    /// <returns>False when this kernel has no Landlock: nothing is confined then.</returns>
    /// <exception cref="LinuxException">A path is not there, or the kernel refused.</exception>
    public static bool Apply(IReadOnlyList<string> readable, IReadOnlyList<string> writable)
    {
        nint abi = SystemCall.Invoke(SystemCall.LandlockCreate, 0, 0, (nint)AskVersion, 0, 0);
        if (abi < 1) return false;
        NewPrivileges.GiveUp(); // before, or only root may
        ulong handled = OfFirstAbi;
        if (abi >= 2) handled |= 1 << 13; // REFER
        if (abi >= 3) handled |= Truncate;
        if (abi >= 5) handled |= 1 << 15; // IOCTL_DEV
        int ruleset = Create((int)abi, handled);
        try
        {
            foreach (string file in readable) Allow(ruleset, file, ReadFile);
            foreach (string directory in writable)
                Allow(ruleset, directory, (ReadFile | ReadDirectory | WriteFile | RemoveFile | MakeFile | Truncate) & handled);
            if (SystemCall.Invoke(SystemCall.LandlockRestrict, ruleset, 0, 0, 0, 0) != 0) throw LinuxException.Last("confine to files");
        }
        finally
        {
            _ = NativeClose(ruleset);
        }
        return true;
    }

    private static unsafe int Create(int abi, ulong handled)
    {
        ulong* attributes = stackalloc ulong[3];
        attributes[0] = handled;
        attributes[1] = 3; // ABI 4: bind and connect of TCP
        attributes[2] = 3; // ABI 6: abstract sockets and signals stay inside
        nint size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
        nint ruleset = SystemCall.Invoke(SystemCall.LandlockCreate, (nint)attributes, size, 0, 0, 0);
        return ruleset >= 0 ? (int)ruleset : throw LinuxException.Last("make a Landlock ruleset");
    }

    private static unsafe void Allow(int ruleset, string path, ulong access)
    {
        int place = NativeOpen(path, OpenPath);
        if (place < 0) throw LinuxException.Last($"open {path}");
        byte* rule = stackalloc byte[12]; // packed: u64 access, s32 descriptor
        *(ulong*)rule = access;
        *(int*)(rule + 8) = place;
        nint result = SystemCall.Invoke(SystemCall.LandlockAdd, ruleset, PathBeneath, (nint)rule, 0, 0);
        LinuxException? failure = result == 0 ? null : LinuxException.Last($"allow {path}");
        _ = NativeClose(place);
        if (failure is not null) throw failure;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeOpen(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int NativeClose(int descriptor);
}
