using Microsoft.Win32.SafeHandles;

namespace Netdump.Vmcore;

/// <summary>The bytes of a dump file by position. Reads keep no state, so any number of threads may read.</summary>
public sealed class DumpBytes : IDisposable
{
    private DumpBytes(SafeFileHandle handle, string path)
    {
        Handle = handle;
        Path = path;
        Length = RandomAccess.GetLength(handle);
    }

    /// <summary>The path as it was given.</summary>
    public string Path { get; }

    /// <summary>Bytes in the file when it was opened.</summary>
    public long Length { get; }

    /// <summary>The open file.</summary>
    internal SafeFileHandle Handle { get; }

    /// <summary>Opens a file for reading.</summary>
    /// <exception cref="IOException">It cannot be opened; also <see cref="UnauthorizedAccessException"/>.</exception>
    // FileShare.ReadWrite: a file that is still being written is refused by its content, not by a lock.
    public static DumpBytes Open(string path) => new(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite), path);

    /// <summary>Reads up to the end of the file.</summary>
    /// <param name="offset">Where to begin, in bytes from the file's start.</param>
    /// <param name="destination">Is filled from its start.</param>
    /// <returns>Bytes read: fewer than asked only at the end of the file.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public int Read(long offset, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length && offset >= 0 && offset < Length)
        {
            var got = RandomAccess.Read(Handle, destination[done..], offset);
            if (got == 0)
                break;
            done += got;
            offset += got;
        }
        return done;
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();
}
