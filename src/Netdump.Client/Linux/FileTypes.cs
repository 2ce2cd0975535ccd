using System.Runtime.InteropServices;

namespace Netdump.Client.Linux;

/// <summary>What kind of file a path names: statx(2), whose result is laid out alike on all machines.</summary>
internal static unsafe partial class FileTypes
{
    private const int ResultLength = 256;
    private const int ModeAt = 28; // stx_mode
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const uint TypeMask = 1; // STATX_TYPE
    private const ushort Kind = 0xf000; // S_IFMT
    private const ushort Ordinary = 0x8000; // S_IFREG
    private const ushort Block = 0x6000; // S_IFBLK

    /// <summary>Whether it is an ordinary file, or a link to one; false for devices, pipes, directories, and what is not there.</summary>
    public static bool IsOrdinary(string path) => Is(path, Ordinary);

    /// <summary>Whether it is a block device, or a link to one.</summary>
    public static bool IsBlockDevice(string path) => Is(path, Block);

    private static bool Is(string path, ushort kind)
    {
        byte* result = stackalloc byte[ResultLength];
        return Statx(CurrentDirectory, path, 0, TypeMask, result) == 0 && (*(ushort*)(result + ModeAt) & Kind) == kind;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, byte* result);
}
