using Netdump.Vmcore.Flattened;
using Netdump.Vmcore.Memory;
using Netdump.Vmcore.Output;

namespace Netdump.Vmcore.Packed;

/// <summary>How far the unpacking of a dump has come.</summary>
/// <param name="Read">Bytes of the packed file or the stream that were read.</param>
/// <param name="Length">Bytes it has; null for a stream.</param>
/// <param name="Unpacked">Bytes of the dump so far.</param>
public readonly record struct UnpackProgress(long Read, long? Length, long Unpacked);

/// <summary>A temporary file without a name for a dump that cannot be read where it is: packed, or from a pipe.</summary>
/// <remarks>It lies in $TMPDIR (or /tmp), is sparse where the dump is zero, and is gone with the last descriptor, however the program ends.</remarks>
internal sealed class Spool : DumpOutput
{
    /// <summary>Left free on the disk: a full /tmp hurts the whole host.</summary>
    private const long Reserve = 64L << 20;

    private const int BufferLength = 1 << 20;
    private const int Block = 4096;
    private const long CheckEvery = 64L << 20;

    private readonly FileStream _file;
    private readonly string _directory;
    private long _length;
    private long _unchecked;

    public Spool()
    {
        _directory = Path.GetTempPath();
        var path = Path.Combine(_directory, $"netdump-{Path.GetRandomFileName()}");
        _file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        File.Delete(path);
    }

    /// <summary>Unpacks a stream.</summary>
    /// <param name="packing">How it is packed.</param>
    /// <param name="packed">The packed bytes.</param>
    /// <param name="path">What errors call it.</param>
    /// <param name="length">Bytes of the packed file, null for a pipe.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <returns>The unpacked bytes; a packed file that is cut short gives what came, and is no whole one.</returns>
    /// <exception cref="VmcoreFormatException">The packed bytes are corrupt.</exception>
    /// <exception cref="IOException">There is no room for them.</exception>
    public static (FileBytes Bytes, bool IsWhole) Unpack(Packing packing, PeekedStream packed, string path, long? length, Action<UnpackProgress>? progress)
    {
        using var spool = new Spool();
        var isWhole = true;
        using (var stream = PackedStreams.Open(packing, packed))
        {
            var buffer = new byte[BufferLength];
            var at = 0L;
            while (true)
            {
                var got = 0;
                try
                {
                    got = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
                }
                catch (EndOfStreamException)
                {
                    isWhole = false;
                }
                catch (Exception broken) when (broken is InvalidDataException or ZstdSharp.ZstdException)
                {
                    throw new VmcoreFormatException(packed.Count, $"the {packing.ToString().ToLowerInvariant()} data are corrupt: {broken.Message.TrimEnd('.')}");
                }
                spool.WriteSparse(at, buffer.AsSpan(0, got));
                at += got;
                progress?.Invoke(new UnpackProgress(packed.Count, length, at));
                if (got < buffer.Length)
                    break;
            }
            if (at == 0 && !isWhole)
                throw new VmcoreFormatException(packed.Count, $"the {packing.ToString().ToLowerInvariant()} data end before anything of the dump");
            spool.Extend(at);
        }
        return (spool.Detach(path), isWhole);
    }

    /// <summary>Arranges a flattened stream.</summary>
    public static (FileBytes Bytes, bool IsWhole) Arrange(Stream stream, string path, Action<UnpackProgress>? progress)
    {
        using var spool = new Spool();
        var isWhole = FlattenedArranger.Arrange(stream, spool, progress: read => progress?.Invoke(new UnpackProgress(read, null, spool._length)));
        return (spool.Detach(path), isWhole);
    }

    public override void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        CheckRoom(bytes.Length);
        RandomAccess.Write(_file.SafeFileHandle, bytes, offset);
        _length = Math.Max(_length, offset + bytes.Length);
        BytesWritten += bytes.Length;
    }

    public override void Extend(long length)
    {
        if (length <= _length)
            return;
        RandomAccess.SetLength(_file.SafeFileHandle, length);
        _length = length;
    }

    public override void Finish()
    {
    }

    public override void Dispose() => _file.Dispose();

    private void WriteSparse(long at, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var zeros = 0;
            while (zeros < bytes.Length && ZeroPage.IsZero(bytes[zeros..Math.Min(bytes.Length, zeros + Block)]))
                zeros = Math.Min(bytes.Length, zeros + Block);
            at += zeros;
            bytes = bytes[zeros..];
            var full = 0;
            while (full < bytes.Length && !ZeroPage.IsZero(bytes[full..Math.Min(bytes.Length, full + Block)]))
                full = Math.Min(bytes.Length, full + Block);
            if (full > 0)
                Write(at, bytes[..full]);
            at += full;
            bytes = bytes[full..];
        }
    }

    private void CheckRoom(int length)
    {
        _unchecked -= length;
        if (_unchecked > 0)
            return;
        _unchecked = CheckEvery;
        var free = new DriveInfo(_directory).AvailableFreeSpace;
        if (free < Reserve + CheckEvery)
            throw new IOException($"{_directory} has {free >> 20} MiB left, too little to unpack the dump: set TMPDIR to a directory with more room");
    }

    // The same open file under another descriptor, so that this one may be closed.
    private FileBytes Detach(string path) =>
        FileBytes.Own(File.OpenHandle($"/proc/self/fd/{_file.SafeFileHandle.DangerousGetHandle()}", FileMode.Open, FileAccess.Read, FileShare.ReadWrite), path);
}
