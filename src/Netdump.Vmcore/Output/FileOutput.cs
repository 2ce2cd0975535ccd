namespace Netdump.Vmcore.Output;

/// <summary>Writes a dump to a file on a disk; places never written stay holes.</summary>
public sealed class FileOutput : DumpOutput
{
    private readonly FileStream _file;
    private long _length;

    private FileOutput(FileStream file) => _file = file;

    /// <summary>Creates the file, readable for its owner alone: a dump holds secrets.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="overwrite">Whether a file that exists already is replaced.</param>
    /// <exception cref="IOException">It exists, or cannot be created; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static FileOutput Create(string path, bool overwrite = false) => new(new FileStream(path, new FileStreamOptions
    {
        Mode = overwrite ? FileMode.Create : FileMode.CreateNew,
        Access = FileAccess.ReadWrite,
        Share = FileShare.Read,
        BufferSize = 0,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    }));

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_file.SafeFileHandle, bytes, offset);
        _length = Math.Max(_length, offset + bytes.Length);
        BytesWritten += bytes.Length;
    }

    /// <inheritdoc/>
    public override void Extend(long length)
    {
        if (length <= _length)
            return;
        RandomAccess.SetLength(_file.SafeFileHandle, length);
        _length = length;
    }

    /// <inheritdoc/>
    public override void Finish() => RandomAccess.FlushToDisk(_file.SafeFileHandle);

    /// <inheritdoc/>
    public override void Dispose() => _file.Dispose();
}
