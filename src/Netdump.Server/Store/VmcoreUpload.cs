using Microsoft.Win32.SafeHandles;
using Netdump.Vmcore;
using Netdump.Vmcore.Flattened;

namespace Netdump.Server.Store;

/// <summary>
/// A vmcore that is being uploaded: <c>vmcore-incomplete</c>, a flattened stream in order, anything else as it comes, and beside it the journal of
/// what is on the disk. Used by one request at a time; blocks on the disk.
/// </summary>
internal sealed class VmcoreUpload : IDisposable
{
    /// <summary>Where a dump ends at the latest when its size was not announced: what no machine's memory reaches.</summary>
    public const long MostBytes = 64L << 40;

    private const int DiskBlock = 4096;

    private readonly CrashDirectory _directory;
    private readonly SafeFileHandle _file;
    private readonly UploadJournal _journal;
    private FlattenedDecoder _decoder;
    private FlattenedDecoder _kept; // what the journal says

    private VmcoreUpload(CrashDirectory directory, SafeFileHandle file, UploadJournal journal, in FlattenedDecoder decoder)
    {
        _directory = directory;
        _file = file;
        _journal = journal;
        _decoder = _kept = decoder;
    }

    /// <summary>Where the dump ends at the latest: a record of the stream beyond it is refused.</summary>
    public long Limit { get; init; } = MostBytes;

    /// <summary>Bytes of the upload that are on the disk, and so is the note of it.</summary>
    public long Offset => _kept.Received;

    /// <summary>Bytes taken since, not yet kept.</summary>
    public long Unkept => _decoder.Received - _kept.Received;

    /// <summary>Blocks with a digest, when all bytes came in such; else parts.</summary>
    public int Blocks => _journal.Count;

    /// <summary>Whether no part is missing that the stream itself speaks of.</summary>
    public bool IsWhole => _kept.IsWhole;

    /// <summary>Opens the files of an upload, made if missing. Throws <see cref="IOException"/>.</summary>
    /// <param name="directory">The crash.</param>
    /// <param name="memoryBytes">Bytes of memory that the host announced; 0 when unknown.</param>
    public static VmcoreUpload Open(CrashDirectory directory, ulong memoryBytes)
    {
        SafeFileHandle file = File.OpenHandle(
            directory.File(VmcoreWriter.IncompleteName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            File.SetUnixFileMode(file, CrashStore.FileMode);
            UploadJournal journal = UploadJournal.Open(directory, out FlattenedDecoder decoder);
            directory.Sync();
            return new VmcoreUpload(directory, file, journal, decoder) { Limit = LimitFor(memoryBytes) };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Looks through a block before anything of it is written. Throws <see cref="VmcoreFormatException"/>.</summary>
    /// <returns>Disk space it can take.</returns>
    public long Try(IReadOnlyList<ArraySegment<byte>> block)
    {
        FlattenedDecoder trial = _decoder;
        long space = DiskBlock;
        foreach (ArraySegment<byte> part in block)
        {
            ReadOnlySpan<byte> rest = part;
            while (trial.TryNext(ref rest, Limit, out _, out ReadOnlySpan<byte> piece))
                space += piece.Length + DiskBlock;
        }

        return space;
    }

    /// <summary>
    /// Writes bytes to their places; none counts before <see cref="Keep"/>. Throws <see cref="IOException"/> and
    /// <see cref="VmcoreFormatException"/>: then none of this call's bytes was taken.
    /// </summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        FlattenedDecoder before = _decoder;
        try
        {
            while (_decoder.TryNext(ref bytes, Limit, out long offset, out ReadOnlySpan<byte> piece))
                RandomAccess.Write(_file, piece, offset);
        }
        catch
        {
            _decoder = before;
            throw;
        }
    }

    /// <summary>
    /// Writes bytes of which nobody knows yet whether they are right, if they lie behind all that counts: they overwrite nothing then, and
    /// <see cref="Drop"/> takes them back. Throws as <see cref="Write"/> does.
    /// </summary>
    /// <returns>False: none of them was taken.</returns>
    public bool TryWriteAhead(ReadOnlySpan<byte> bytes)
    {
        FlattenedDecoder trial = _decoder;
        for (ReadOnlySpan<byte> rest = bytes; trial.TryNext(ref rest, Limit, out long offset, out _);)
            if (offset < _kept.Length)
                return false;
        Write(bytes);
        return true;
    }

    /// <summary>Makes durable what was written, and then the note of it. Throws <see cref="IOException"/>, and nothing more counts than before.</summary>
    /// <param name="digest">SHA-256 of what was written since the last call, when it was checked as one block; else empty.</param>
    public void Keep(ReadOnlySpan<byte> digest)
    {
        if (Unkept == 0)
            return;
        RandomAccess.FlushToDisk(_file);
        _journal.Append(_decoder, digest);
        _kept = _decoder;
    }

    /// <summary>
    /// Forgets what was written since the last <see cref="Keep"/>, and cuts off what lies behind all that counts: in a hole of the stream that comes
    /// again it would stay.
    /// </summary>
    public void Drop()
    {
        _decoder = _kept;
        try
        {
            if (RandomAccess.GetLength(_file) > _kept.Length)
                RandomAccess.SetLength(_file, _kept.Length);
        }
        catch (IOException)
        {
            // It does not count, and is overwritten or cut off at the end.
        }
    }

    /// <summary>SHA-256 over the digests of the blocks; null when not all bytes came in blocks with one.</summary>
    public byte[]? DigestOfBlocks() => _journal.DigestOfBlocks();

    /// <summary>All bytes came: cuts the file to its length and gives it its final name. Durable when this returns. Throws <see cref="IOException"/>.</summary>
    /// <returns>Its size in bytes.</returns>
    public long Complete()
    {
        _decoder.Finish(out ReadOnlySpan<byte> first);
        if (!first.IsEmpty)
            RandomAccess.Write(_file, first, 0);
        RandomAccess.SetLength(_file, _decoder.Length);
        _directory.Complete(VmcoreWriter.IncompleteName, VmcoreWriter.CompleteName);
        return _decoder.Length;
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        _file.Dispose();
        _journal.Dispose();
    }

    // A core holds the kernel's image twice and headers beside the memory.
    private static long LimitFor(ulong memoryBytes) =>
        memoryBytes is 0 or > MostBytes / 4 ? MostBytes : (long)memoryBytes * 2 + (1L << 30);
}
