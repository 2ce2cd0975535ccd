using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore;

/// <summary>
/// Pieces of a file that stay mapped as long as it is open. For /proc/vmcore alone, whose pages are the dead kernel's memory itself: a mapping of a
/// file that someone cuts short would kill the process.
/// </summary>
internal sealed partial class FileMappings : IDisposable
{
    private const int ProtectionRead = 1;
    private const int MapPrivate = 2;

    private readonly List<(nint Start, nuint Length)> _mappings = [];

    /// <summary>Maps a piece.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the piece begins, at any byte.</param>
    /// <param name="length">Its bytes, all within the file.</param>
    /// <returns>Null where the kernel refuses (fs/proc/vmcore.c: EAGAIN for a range, ENODEV or ENOSYS for the file).</returns>
    public MemoryView? Map(SafeFileHandle file, long offset, int length)
    {
        var inPage = (int)(offset % Environment.SystemPageSize);
        var whole = (nuint)(inPage + length);
        var start = Map(0, whole, ProtectionRead, MapPrivate, file, offset - inPage);
        if (start == -1)
            return null;
        lock (_mappings)
            _mappings.Add((start, whole));
        return MemoryView.OfMapping(start + inPage, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_mappings)
        {
            foreach (var (start, length) in _mappings)
                _ = Unmap(start, length);
            _mappings.Clear();
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
