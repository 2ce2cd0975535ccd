using Microsoft.Win32.SafeHandles;

namespace Netdump.Vmcore;

/// <summary>The bytes of a dump by position. Reads keep no state, so any number of threads may read.</summary>
public abstract class DumpBytes : IDisposable
{
    /// <summary>Names the bytes.</summary>
    /// <param name="path">The path as it was given.</param>
    /// <param name="length">Bytes there are.</param>
    protected DumpBytes(string path, long length)
    {
        Path = path;
        Length = length;
    }

    /// <summary>The path as it was given.</summary>
    public string Path { get; }

    /// <summary>Bytes there were when the file was opened.</summary>
    public long Length { get; }

    /// <summary>Opens a file for reading, as it lies on the disk.</summary>
    /// <exception cref="IOException">It cannot be opened; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static FileBytes Open(string path) => FileBytes.Open(path);

    /// <summary>Reads up to the end.</summary>
    /// <param name="offset">Where to begin, in bytes from the start.</param>
    /// <param name="destination">Is filled from its start.</param>
    /// <returns>Bytes read: fewer than asked only at the end.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public abstract int Read(long offset, Span<byte> destination);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>A file as it lies on the disk.</summary>
public sealed class FileBytes : DumpBytes
{
    private FileBytes(SafeFileHandle handle, string path)
        : base(path, RandomAccess.GetLength(handle)) => Handle = handle;

    /// <summary>The open file.</summary>
    internal SafeFileHandle Handle { get; }

    /// <summary>Opens a file for reading.</summary>
    /// <exception cref="IOException">It cannot be opened; also <see cref="UnauthorizedAccessException"/>.</exception>
    // FileShare.ReadWrite: a file that is still being written is refused by its content, not by a lock.
    public static new FileBytes Open(string path) => new(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite), path);

    /// <summary>Takes over a file that is open already.</summary>
    /// <param name="handle">Is closed with these bytes.</param>
    /// <param name="path">What errors call it.</param>
    internal static FileBytes Own(SafeFileHandle handle, string path) => new(handle, path);

    /// <inheritdoc/>
    public override int Read(long offset, Span<byte> destination)
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
    public override void Dispose() => Handle.Dispose();
}
