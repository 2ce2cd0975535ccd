using Microsoft.Win32.SafeHandles;
using Netdump.Vmcore.Memory;

namespace Netdump.Vmcore;

/// <summary>
/// Pieces of a file that stay mapped as long as it is open: of /proc/vmcore, whose pages are the dead kernel's memory itself (see <see cref="FileMapping"/>).
/// </summary>
internal sealed class FileMappings : IDisposable
{
    private readonly List<(nint Start, nuint Length)> _mappings = [];

    /// <summary>Maps a piece.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the piece begins, at any byte.</param>
    /// <param name="length">Its bytes, all within the file.</param>
    /// <returns>Null where the kernel refuses.</returns>
    public MemoryView? Map(SafeFileHandle file, long offset, int length)
    {
        var inPage = (int)(offset % Environment.SystemPageSize);
        var whole = (nuint)(inPage + length);
        var start = FileMapping.Map(file, offset - inPage, whole);
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
                FileMapping.Unmap(start, length);
            _mappings.Clear();
        }
    }
}
